"""Jobs over HTTP: results, partial results, events, lists, idempotency, short before long."""

import csv
import io
import json
import time

import httpx
import numpy as np
import pytest
import soundfile
from helpers import DEMO, LIVELY, ended, form, serving, waited

from affekt.audio.decoding import read
from affekt.inference.pipeline import recognise_file
from affekt.inference.recognizer import load
from affekt.inference.utterances import Options


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def server(state_folder):
    with serving(state_folder, webhook_hosts=("127.0.0.1:9",),
                 webhook_secret="whsec_" + "A" * 32) as address:  # fmt: skip
        yield address


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def long_call(tmp_path_factory):
    """A recording of more than 30 s, with pauses."""
    pause = np.zeros(16_000, np.float32)
    parts = [p for file in [*DEMO, *DEMO] for p in (read(file).wave, pause)]
    path = tmp_path_factory.mktemp("call") / "call.flac"
    soundfile.write(path, np.concatenate(parts), 16_000)
    return path


def test_a_long_recording_is_a_job_with_a_prediction_for_each_utterance(client, long_call):
    data = long_call.read_bytes()
    refused = client.post("/v1/recognise", **form(data))
    assert refused.status_code == 413
    assert "/v1/jobs" in refused.json()["detail"]
    queued = client.post("/v1/jobs", **form(data, "call.flac"))
    assert queued.status_code == 202
    job = queued.json()["id"]
    assert queued.headers["location"] == f"/v1/jobs/{job}"
    state = ended(client, job)
    expected = list(load().utterances(long_call))
    assert [p["start"] for p in state["result"]] == [p.start for p in expected]
    assert {p["file"] for p in state["result"]} == {"call.flac"}
    rows = list(csv.DictReader(io.StringIO(client.get(f"/v1/jobs/{job}?format=csv").text)))
    assert [r["label"] for r in rows] == [p["label"] for p in state["result"]]
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert client.get(f"/v1/jobs/{job}").status_code == 404
    assert client.get("/v1/jobs/..%2F..%2Fetc").status_code == 404


def test_recordings_of_jobs_are_deleted(client, state_folder):
    job = client.post("/v1/jobs", **form(LIVELY)).json()["id"]
    assert ended(client, job)["status"] == "done"
    for _ in range(50):
        if not list((state_folder / "uploads").iterdir()):
            return
        time.sleep(0.1)
    raise AssertionError("the recording still exists")


@pytest.fixture(scope="module")
def very_long_call(long_call):
    """A recording that takes a while."""
    wave, rate = soundfile.read(long_call, dtype="float32")
    file = io.BytesIO()
    soundfile.write(file, np.tile(wave, 16), rate, format="flac")
    return file.getvalue()


def events_of(response):
    """The events of an open response: their name, id and data."""
    event = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            event[name] = json.loads(value) if name == "data" else value
        elif "event" in event:
            yield event
            event = {}


def test_a_short_job_is_done_while_a_long_one_is_running(client, very_long_call):
    long = client.post("/v1/jobs", **form(very_long_call, tag="fair")).json()
    waited(lambda: client.get(f"/v1/jobs/{long['id']}").json()["progress"] > 0)
    for _ in range(3):
        short = client.post("/v1/jobs", **form(LIVELY, tag="fair")).json()
        assert ended(client, short["id"])["status"] == "done"
    assert client.get(f"/v1/jobs/{long['id']}").json()["status"] == "running"
    assert client.delete("/v1/jobs?tag=fair").json() == {"deleted": 4}


def test_results_come_in_parts_and_as_events(client, server, very_long_call):
    job = client.post("/v1/jobs", **form(very_long_call)).json()["id"]
    url = f"/v1/jobs/{job}"
    waited(lambda: client.get(url).json()["available"] > 2, 200)
    part = client.get(url + "?after=1").json()
    assert part["status"] == "running"
    assert len(part["result"]) >= part["available"] - 1 > 1
    assert client.get(url).json()["result"] is None
    assert client.get(url + "?format=csv").status_code == 409
    with httpx.stream("GET", server + url + "/events", timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = events_of(response)
        first = [e for _, e in zip(range(9), events) if e["event"] == "utterance"]
    assert [e["id"] for e in first] == [str(i + 1) for i in range(len(first))]
    assert [e["data"] for e in first[1:3]] == part["result"][:2]
    client.delete(url)
    with httpx.stream("GET", server + url + "/events", timeout=60) as response:
        assert response.status_code == 404


def test_events_go_on_where_a_client_stopped_and_end_with_the_job(client, server):
    job = client.post("/v1/jobs", **form(LIVELY)).json()["id"]
    result = ended(client, job)["result"]
    for options in ({}, {"params": {"after": 1}}, {"headers": {"Last-Event-ID": "1"}}):
        with client.stream("GET", f"/v1/jobs/{job}/events", **options) as response:
            *utterances, end = events_of(response)
        assert [e["data"] for e in utterances] == result[1 if options else 0 :]
        assert end["event"] == "done"
        assert end["data"] == {"status": "done", "progress": 1.0, "error": ""}
    with client.stream("GET", f"/v1/jobs/{job}/events?from=1") as response:
        assert response.status_code == 422


def test_jobs_are_recognised_as_their_parameters_say(client, tmp_path):
    one, two = (read(file).wave[:48_000] for file in DEMO[:2])
    soundfile.write(tmp_path / "call.wav", np.stack([one, two], 1), 16_000)
    data = (tmp_path / "call.wav").read_bytes()
    job = client.post("/v1/jobs?channels=split", **form(data, hop="0.48", speakers="2")).json()
    assert (job["channels"], job["hop"], job["speakers"]) == ("split", 0.48, 2)
    state = ended(client, job["id"])
    options = Options(split=True, speakers=2)
    expected = list(recognise_file(load(hop=0.48), tmp_path / "call.wav", options))
    found = [(p["channel"], p["start"], p["speaker"], len(p["segments"])) for p in state["result"]]
    assert found == [(p.channel, p.start, p.speaker, len(p.segments)) for p in expected]


def test_jobs_are_listed_in_pages_and_deleted_by_tag(client):
    ids = [client.post("/v1/jobs", **form(LIVELY, tag="mine")).json()["id"] for _ in range(3)]
    for job in ids:
        ended(client, job)
    first = client.get("/v1/jobs?tag=mine&limit=2&status=done").json()
    assert [job["id"] for job in first["jobs"]] == [ids[2], ids[1]]
    assert {job["result"] is None for job in first["jobs"]} == {True}
    second = client.get(f"/v1/jobs?tag=mine&limit=2&after={first['next']}").json()
    assert [job["id"] for job in second["jobs"]] == [ids[0]]
    assert second["next"] is None
    some = client.get("/v1/jobs", params={"id": [ids[0], ids[2], "0" * 32]}).json()
    assert [job["id"] for job in some["jobs"]] == [ids[2], ids[0]]
    assert client.get("/v1/jobs", params={"id": ["a"] * 101}).status_code == 422
    answer = client.delete("/v1/jobs")
    assert (answer.status_code, answer.json()["detail"]) == (422, "query tag is missing")
    assert client.delete("/v1/jobs?tag=mine").json() == {"deleted": 3}
    assert client.get("/v1/jobs?tag=mine").json()["jobs"] == []


def test_a_job_says_when_it_expires(client):
    job = client.post("/v1/jobs", **form(LIVELY, keep_hours="0.5")).json()
    assert job["expires"] is None
    state = ended(client, job["id"])
    assert state["created"] < state["expires"]
    assert client.post("/v1/jobs?keep_hours=0", **form(LIVELY)).status_code == 422


def test_a_request_that_is_sent_again_queues_one_job(client, state_folder):
    own = {"Idempotency-Key": "call 7"}
    first, again = (client.post("/v1/jobs", headers=own, **form(LIVELY)) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    for other in (form(LIVELY, hop="0.48"), form(LIVELY + b"x"), form(LIVELY, "b.flac")):
        refused = client.post("/v1/jobs", headers=own, **other)
        assert refused.status_code == 422
        assert "Idempotency-Key" in refused.json()["detail"]
    ended(client, first.json()["id"])
    waited(lambda: not list((state_folder / "uploads").iterdir()))


@pytest.mark.parametrize(
    ("webhook", "detail"),
    [
        ("http://169.254.169.254/", "webhook: this server sends none to this host"),
        ("file:///etc/passwd", "form webhook must be a URL with 'http' or 'https'"),
        ("here", "form webhook must be a URL"),
    ],
)
def test_webhooks_to_other_hosts_are_refused(client, webhook, detail):
    refused = client.post("/v1/jobs", **form(LIVELY, webhook=webhook))
    assert refused.status_code == 422
    assert detail in refused.json()["detail"]


def test_no_answer_has_a_path_of_the_server(client, state_folder):
    texts = []
    for data in (b"", b"x" * 999, LIVELY[:300], b"RIFF\x24\0\0\0WAVEfmt ", b"OggS" * 99, bytes(99)):
        for path in ("/v1/recognise", "/v1/jobs", "/v1/audio/emotions"):
            answer = client.post(path, **form(data))
            texts.append(answer.text)
            if answer.status_code == 202:
                texts.append(json.dumps(ended(client, answer.json()["id"])))
    assert len(set(texts)) >= 5
    assert not [text for text in texts if str(state_folder) in text or "/tmp" in text]


def test_several_recordings_are_several_jobs(client, state_folder):
    own = {"Idempotency-Key": "calls of today"}
    files = [("file", (name, data)) for name, data in
             (("a.flac", LIVELY), ("b.flac", b"hello"), ("c.flac", LIVELY))]  # fmt: skip
    first, again = (
        client.post("/v1/jobs", files=files, data={"tag": "two"}, headers=own) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (202, 202)
    one, broken, three = first.json()
    assert [job["file"] for job in (one, three)] == ["a.flac", "c.flac"]
    assert broken["code"] == 422
    assert "b.flac: not a recording" in broken["detail"]
    assert [job.get("id") for job in again.json()] == [one["id"], None, three["id"]]
    for job in (one, three):
        assert ended(client, job["id"])["status"] == "done"
    assert client.delete("/v1/jobs?tag=two").json() == {"deleted": 2}
    waited(lambda: not list((state_folder / "uploads").iterdir()))


def test_jobs_beyond_the_limit_are_refused_one_by_one(tmp_path):
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(16_000 * 1200, np.int16), 16_000, format="flac")
    with serving(tmp_path, jobs=2) as address:
        files = [("file", ("a.flac", silence.getvalue()))] * 3
        answer = httpx.post(address + "/v1/jobs", files=files, timeout=60)
    assert [item.get("code") for item in answer.json()] == [None, None, 429]
