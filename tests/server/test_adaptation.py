"""Adaptation over HTTP: a ZIP archive of labelled clips becomes a model of the server."""

import csv
import io
import multiprocessing
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from helpers import LIVELY, RATE, form, serving, voice, waited

from affekt.errors import AffektError
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint
from affekt.server.adaptation import (
    MOST_WAITING,
    STOPPED,
    Adaptation,
    Adaptations,
    NameTakenError,
    TooManyError,
)
from affekt.server.adapted_models import AdaptedModels
from affekt.server.keys import Key, token_hash, write_keys
from affekt.server.labelled_clips import ClipsError, unpack

COLUMNS = ["path", "label", "speaker", "comment"]


def archive(rows, clips=None, manifest="corrections/manifest.csv"):
    """An export: rows of path, label and speaker; each clip is a second of its speaker's voice."""
    file, table = io.BytesIO(), io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows([*row, "a comment"] for row in rows)
    with zipfile.ZipFile(file, "w") as target:
        target.writestr(manifest, table.getvalue())
        for take, (path, label, speaker) in enumerate(rows):
            if clips is None:
                clip = io.BytesIO()
                soundfile.write(clip, voice(label, speaker, take, 1.0), RATE, format="wav")
                target.writestr(f"corrections/{path}", clip.getvalue())
        for path, data in (clips or {}).items():
            target.writestr(path, data)
    return file.getvalue()


def rows(takes=2, speakers=("s1", "s2", "s3")):
    return [
        (f"clips/{speaker}-{label}-{take}.wav", label, speaker)
        for speaker in speakers for label in ("anger", "sadness") for take in range(takes)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    scopes = {"ann": ("jobs", "adapt"), "bob": ("recognise", "jobs", "stream"), "eve": ("adapt",)}
    write_keys(file, {n: Key(sha256=token_hash(n), scopes=s) for n, s in scopes.items()})
    return file


@pytest.fixture(scope="module")
def server(folders, keys):
    state, models = folders
    with serving(state, adapt=models, keys=keys) as address:
        yield address


def client_of(server, name):
    return httpx.Client(base_url=server, timeout=60, headers={"Authorization": f"Bearer {name}"})


@pytest.fixture
def ann(server):
    with client_of(server, "ann") as client:
        yield client


def finished(client, adaptation_id):
    path = f"/v1/adaptations/{adaptation_id}"
    waited(lambda: client.get(path).json()["status"] in ("done", "failed"), 100)
    return client.get(path).json()


def send(client, data, **query):
    return client.post("/v1/adaptations", params=query, **form(data, "corrections.zip"))


def test_the_new_model_is_served_at_once_with_its_scores(ann, server, folders):
    state_folder, models = folders
    sent = send(ann, archive(rows()), name="mine")
    assert sent.status_code == 202, sent.text
    adaptation = sent.json()
    assert (adaptation["name"], adaptation["model"]) == ("mine", "default")
    assert adaptation["clips"] == {"anger": 6, "sadness": 6}
    taken = send(ann, archive(rows()), name="mine")
    assert (taken.status_code, taken.json()["detail"]) == (
        409, "there is a model mine; choose another name",
    )  # fmt: skip
    state = finished(ann, adaptation["id"])
    assert (state["status"], state["error"]) == ("done", "")
    checkpoint = load_checkpoint(models / "mine")
    info, result = checkpoint.training, state["result"]
    assert result["labels"] == checkpoint.labels == ["anger", "sadness"]
    assert result["held_out"] == info.held_out == "speakers"
    assert result["speakers"] == 3
    assert round(result["before_UAR"], 4) == info.before_UAR
    assert round(result["after_UAR"], 4) == info.after_UAR
    assert [m["name"] for m in ann.get("/v1/models").json()] == ["default", "mine"]
    job = ann.post("/v1/jobs?model=mine", **form(LIVELY)).json()["id"]
    waited(lambda: ann.get(f"/v1/jobs/{job}").json()["status"] == "done")
    assert set(ann.get(f"/v1/jobs/{job}").json()["result"][0]["probabilities"]) == {
        "anger", "sadness",
    }  # fmt: skip
    left = [path.name for path in (state_folder / "adaptations").iterdir()]
    assert left == [f"{adaptation['id']}.json"]  # neither clips nor embeddings
    assert [path.name for path in models.iterdir()] == ["mine"]
    for name in ("eve", "bob"):
        with client_of(server, name) as other:
            answer = other.get(f"/v1/adaptations/{adaptation['id']}")
            assert answer.status_code == {"eve": 404, "bob": 403}[name]
    assert ann.delete(f"/v1/adaptations/{adaptation['id']}").status_code == 204
    assert ann.get("/v1/adaptations").json() == []
    assert [m["name"] for m in ann.get("/v1/models").json()] == ["default", "mine"]  # it stays


def test_a_failure_names_no_path_of_the_server(ann, folders):
    state_folder, models = folders
    clips = {f"corrections/{path}": b"no sound" for path, *_ in rows()}
    sent = send(ann, archive(rows(), clips), name="broken")
    state = finished(ann, sent.json()["id"])
    assert state["status"] == "failed"
    assert "cannot read 12 of 12 recordings" in state["error"]
    assert not any(str(folder) in state["error"] for folder in folders)
    assert not (models / "broken").exists()
    assert len(list((state_folder / "adaptations").glob("*/"))) == 0


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "-x", "x" * 41, "ä", "default"])
def test_names_that_cannot_be_are_refused(ann, name):
    answer = send(ann, archive(rows()), name=name)
    assert answer.status_code == (409 if name == "default" else 422)


def test_a_key_needs_the_scope(server):
    with client_of(server, "bob") as client:
        answer = send(client, archive(rows()), name="no")
        assert (answer.status_code, answer.json()["detail"]) == (
            403, "this key does not have the scope adapt",
        )  # fmt: skip


def test_without_the_option_no_model_is_adapted(tmp_path):
    with serving(tmp_path) as address, httpx.Client(base_url=address) as client:
        for answer in (client.get("/v1/adaptations"), send(client, b"")):
            assert answer.status_code == 404
            assert "affekt serve --adapt FOLDER" in answer.json()["detail"]


PAIRS = [(f"clips/{n}.wav", "ab"[n % 2], "s1") for n in range(4)]
CLIPS = {f"corrections/{path}": b"x" for path, *_ in PAIRS}


def with_row(index, **values):
    row = dict(zip(("path", "label", "speaker"), PAIRS[index], strict=True)) | values
    return [*PAIRS[:index], tuple(row.values()), *PAIRS[index + 1 :]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no archive", "not a ZIP archive"),
        (archive(PAIRS, CLIPS)[:-30], "not a ZIP archive"),
        (archive(PAIRS, CLIPS).replace(b"clips/0.wavx", b"clips/0.wavy"), "damaged"),
        (archive(PAIRS, CLIPS, manifest="other.csv"), "no manifest.csv"),
        (archive(PAIRS, {**CLIPS, "x/manifest.csv": b""}), "or several"),
        (archive(with_row(1, path="../../etc/passwd"), CLIPS), "line 3: its clip is missing"),
        (archive(with_row(1, path="/etc/passwd"), CLIPS), "line 3: its clip is missing"),
        (archive(with_row(1, path="clips/0.wav"), CLIPS), "line 3: its clip is missing or listed"),
        (archive(with_row(0, label=""), CLIPS), "line 2: no label"),
        (archive(with_row(0, speaker="x" * 201), CLIPS), "line 2: no label or speaker"),
        (archive(with_row(0, label="a\x1b[2J"), CLIPS), "line 2: no label or speaker"),
        (archive(PAIRS[:3], CLIPS), "there are a 2, b 1"),
        (archive([], CLIPS), "there are no labels"),
        (archive(PAIRS, {**CLIPS, "corrections/zeros": b"0" * 2_000_001}), "larger than 2 MB"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused(tmp_path, data, message):
    with pytest.raises(ClipsError, match=message):
        unpack(io.BytesIO(data), tmp_path, megabytes=2)
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))


def test_damaged_archives_are_refused_in_words(tmp_path):
    """Bytes of an archive are changed at random; it is unpacked or refused, and nothing else."""
    rng, whole = np.random.default_rng(0), archive(PAIRS, CLIPS)
    refused = 0
    for number in range(500):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(0, 256)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder.with_suffix(".zip")).write_bytes(data)
        with folder.with_suffix(".zip").open("rb") as file:
            try:
                unpack(file, folder, megabytes=1)
            except ClipsError:
                refused += 1
    assert refused > 150


def test_names_of_the_archive_are_no_paths(tmp_path):
    hostile = ["../../escaped.wav", "/tmp/escaped.wav", "a\\b.wav", "=cmd.wav"]
    listed = [(path, "ab"[n % 2], "=HYPERLINK(1)") for n, path in enumerate(hostile)]
    clips = {f"corrections/{path}": f"clip {n}".encode() for n, path in enumerate(hostile)}
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    assert unpack(io.BytesIO(archive(listed, clips)), folder, 1) == {"a": 2, "b": 2}
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in found} == {
        "labels.csv", "00000.wav", "00001.wav", "00002.wav", "00003.wav",
    }  # fmt: skip
    assert {path.parent for path in found} == {folder}
    assert (folder / "00002.wav").read_bytes() == b"clip 2"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "adaptations").mkdir()
    return tmp_path / "adaptations"


def adaptations_of(folder):
    models = AdaptedModels(folder.parent / "models", load=lambda path: None)
    folders = {"default": model_folder("default")}
    return Adaptations(folder, models, lambda: folders, 3600)


def left(folder, **values):
    """The state and clips that another process has left."""
    one = Adaptation(name="left", model="default", process="another", **values)
    (folder / f"{one.id}.json").write_text(one.model_dump_json())
    (folder / one.id).mkdir()
    return one


def test_what_a_dead_server_left_has_failed(folder):
    ended = subprocess.Popen(["true"])
    ended.wait()
    one = left(folder, pid=ended.pid, status="running")
    [found] = adaptations_of(folder).find(None)
    assert (found.id, found.status, found.error) == (one.id, "failed", STOPPED)
    assert not (folder / one.id).exists()


def test_what_another_worker_process_runs_goes_on(folder):
    with subprocess.Popen(["sleep", "60"]) as other:
        left(folder, pid=other.pid, status="running")
        adaptations = adaptations_of(folder)
        assert [one.status for one in adaptations.find(None)] == ["running"]
        with pytest.raises(NameTakenError, match="there is a model left"):
            adaptations.check("left")
        for _ in range(MOST_WAITING - 1):
            left(folder, pid=other.pid)
        with pytest.raises(TooManyError):
            adaptations.check("new")
        other.kill()


def test_states_are_forgotten_when_they_have_expired(folder):
    left(folder, status="done", ended=1.0)
    assert adaptations_of(folder).find(None) == []


def test_stop_ends_what_runs_and_leaves_no_model(folder):
    adaptations = adaptations_of(folder)

    def clips(place):
        return dict(unpack(io.BytesIO(archive(rows(takes=1))), place, 10))

    one = adaptations.add("mine", "default", "", clips)
    waited(lambda: adaptations.find(None)[0].status == "running")
    adaptations.stop()
    [found] = adaptations.find(None)
    assert (found.id, found.status, found.error) == (one.id, "failed", STOPPED)
    assert [path.name for path in folder.iterdir()] == [f"{one.id}.json"]
    assert list((folder.parent / "models").iterdir()) == []


def gone(pid):
    """Whether a process has ended and was waited for."""
    return not Path(f"/proc/{pid}").exists()


def children():
    """Ids of the processes that adapt for this one."""
    return [process.pid for process in multiprocessing.active_children()]


def test_a_cancelled_adaptation_ends_and_leaves_nothing(ann, server, folders):
    """The first one is cancelled while it runs, the second one while it waits."""
    state_folder, models = folders
    before = {
        path.name for folder in (state_folder / "adaptations", models) for path in folder.iterdir()
    }
    first = send(ann, archive(rows(takes=4)), name="first").json()["id"]
    second = send(ann, archive(rows()), name="second").json()["id"]
    path = f"/v1/adaptations/{first}"
    waited(lambda: ann.get(path).json()["status"] == "running" and children())
    [pid] = children()
    with client_of(server, "eve") as other:
        assert other.delete(path).status_code == 404
    for one in (second, first):
        assert ann.delete(f"/v1/adaptations/{one}").status_code == 204
        assert ann.get(f"/v1/adaptations/{one}").status_code == 404
        assert ann.delete(f"/v1/adaptations/{one}").status_code == 404
    waited(lambda: gone(pid))

    def left():
        return {
            p.name for folder in (state_folder / "adaptations", models) for p in folder.iterdir()
        }

    waited(lambda: left() == before)
    path = f"/v1/adaptations/{send(ann, archive(rows()), name='first').json()['id']}"
    waited(lambda: ann.get(path).json()["status"] == "running")  # the name and the queue are free
    assert ann.delete(path).status_code == 204
    waited(lambda: left() == before)


CANCEL = """
import sys
from pathlib import Path
from affekt.server.adaptation import Adaptations
from affekt.server.adapted_models import AdaptedModels
folder = Path(sys.argv[1])
models = AdaptedModels(folder.parent / "models", load=lambda path: None)
adaptations = Adaptations(folder, models, dict, 3600)
[one] = adaptations.find(None)
adaptations.cancel(one)
assert adaptations.find(None) == []
"""


def test_another_worker_process_cancels(folder):
    adaptations = adaptations_of(folder)

    def clips(place):
        return dict(unpack(io.BytesIO(archive(rows(takes=1))), place, 10))

    adaptations.add("mine", "default", "", clips)
    waited(children)
    [pid] = children()
    subprocess.run([sys.executable, "-c", CANCEL, folder], check=True, timeout=120)
    waited(lambda: gone(pid))
    adaptations.stop()  # waits for its thread
    assert list(folder.iterdir()) == []
    assert list((folder.parent / "models").iterdir()) == []


def test_complete_models_are_loaded_once(tmp_path):
    loaded = []

    def load(path):
        loaded.append(path.name)
        if path.name == "broken":
            raise AffektError("broken")

    models = AdaptedModels(tmp_path, load)
    for name in ("mine", "broken", ".part", "incomplete"):
        (tmp_path / name).mkdir()
        if name != "incomplete":
            (tmp_path / name / "config.json").touch()
    models.load_new()
    models.load_new()
    assert loaded == ["broken", "mine"]
