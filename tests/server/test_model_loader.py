"""Models that are loaded anew: by the route, by SIGHUP, in all workers; broken ones are not."""

import io
import json
import re
import shutil
import signal
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from helpers import LIVELY, ended, form, free_port, serve_command, serving, waited

from affekt.nn.bundled import model_folder
from affekt.server.keys import Key, token_hash, write_keys


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(model_folder("default"), tmp_path / "mine")
    return tmp_path / "mine"


def replace(folder, **values):
    """Write config.json with other values, as one step."""
    config = json.loads((folder / "config.json").read_text())
    part = folder / "part"
    part.write_text(json.dumps(config | values))
    part.replace(folder / "config.json")


def use(client):
    return client.get("/v1/models").json()[0]["intended_use"]


def test_a_changed_model_takes_the_place_of_the_old_one(folder, tmp_path, caplog):
    call = io.BytesIO()
    soundfile.write(call, np.tile(soundfile.read(io.BytesIO(LIVELY))[0], 8), 16_000, "PCM_16",
                    format="flac")  # fmt: skip
    with serving(tmp_path / "state", models=(str(folder),)) as address, httpx.Client(
        base_url=address, timeout=60
    ) as client:  # fmt: skip
        url = "/v1/models/reload"
        assert client.post(url).json() == {"loaded": [], "unchanged": ["default"]}
        job = client.post("/v1/jobs", **form(call.getvalue())).json()["id"]
        waited(lambda: client.get(f"/v1/jobs/{job}").json()["status"] == "running")
        replace(folder, intended_use="new")
        assert use(client) != "new"
        assert client.post(url).json() == {"loaded": ["default"], "unchanged": []}
        assert use(client) == "new"
        assert client.post("/v1/recognise", **form(LIVELY)).status_code == 200
        assert ended(client, job)["status"] == "done"
        for values, reason in (
            ({"labels": ["a"]}, "default: weights and config do not fit"),
            ({"name": "other"}, "default is now named other; restart"),
        ):
            config = (folder / "config.json").read_bytes()
            replace(folder, **values)
            refused = client.post(url)
            assert refused.status_code == 409
            assert reason in refused.json()["detail"]
            assert str(tmp_path) not in refused.text
            (folder / "config.json").write_bytes(config)
        shutil.rmtree(folder)
        refused = client.post(url)
        assert refused.status_code == 409
        assert "default: no such model" in refused.json()["detail"]
        assert str(tmp_path) not in refused.text
        assert use(client) == "new"
        assert client.post("/v1/recognise", **form(LIVELY)).status_code == 200


def test_the_scope_admin_is_needed(tmp_path):
    keys = {"ann": Key(sha256=token_hash("a")), "boss": Key(sha256=token_hash("b"),
            scopes=("admin",))}  # fmt: skip
    write_keys(tmp_path / "keys.json", keys)
    with serving(tmp_path / "state", keys=tmp_path / "keys.json") as address:
        for token, code in (("x", 401), ("a", 403), ("b", 200)):
            own = {"Authorization": f"Bearer {token}"}
            assert httpx.post(address + "/v1/models/reload", headers=own).status_code == code


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_hangup_loads_changed_models_in_all_workers(folder, tmp_path, workers):
    port, options = free_port(), ("--workers", workers)
    with (tmp_path / "log").open("w") as log:
        process = serve_command(tmp_path / "state", port, *options, model=folder, stderr=log)
        try:
            waited(lambda: ready(process.pid, int(workers)))
            replace(folder, labels=["a"])
            process.send_signal(signal.SIGHUP)
            waited(lambda: events(tmp_path / "log", "models not reloaded") == int(workers))
            config = json.loads((model_folder("default") / "config.json").read_text())
            replace(folder, **(config | {"intended_use": "new"}))
            if workers == "1":
                process.send_signal(signal.SIGHUP)
            else:  # the one that answers tells the others
                answer = httpx.post(f"http://127.0.0.1:{port}/v1/models/reload", timeout=60)
                assert answer.json() == {"loaded": ["default"], "unchanged": []}
            waited(lambda: loaded(tmp_path / "log") == int(workers))
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait(40)


def ready(pid, workers):
    """Whether all workers catch SIGHUP; the first one that is ready answers requests."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pids = [pid] if workers == 1 else children
    masks = [re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{p}/status").read_text())[1] for p in pids]
    return sum(int(mask, 16) & 1 for mask in masks) == workers


def lines(log):
    return [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]


def events(log, name):
    return sum(line.get("event") == name for line in lines(log))


def loaded(log):
    """How many workers have loaded the model anew."""
    return sum(line.get("loaded") == ["default"] for line in lines(log))
