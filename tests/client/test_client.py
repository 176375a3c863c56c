"""The Python client against a real server, one behind a proxy that fails, and none."""

import http.server
import io
import socket
import threading
from typing import ClassVar

import numpy as np
import pytest
import soundfile
from helpers import DEMO, LIVELY, free_port, serving

from affekt import AudioError
from affekt.client import Client, JobFailedError, Progress, ServerError
from affekt.inference.recognizer import load


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("state"), token="secret", jobs=3) as address:
        yield address


@pytest.fixture
def client(server):
    with Client(server, "secret", retries=0) as client:
        yield client


def test_a_recording_has_the_prediction_of_the_package(client):
    expected = load()(DEMO[0])
    for found in (client.recognise(DEMO[0]), client.recognise(LIVELY, hop=0.24)):
        assert found.label == expected.label
        assert [u.start for u in found.utterances] == [u.start for u in expected.utterances]
        assert found.probabilities == pytest.approx(expected.probabilities, abs=0.02)
    assert client.models()[0]["labels"] == [*expected.probabilities]


def test_several_recordings_fail_one_by_one(client):
    first, broken, last = client.recognise_files([DEMO[0], b"hello", DEMO[1]])
    assert (first.file, last.file) == (DEMO[0].name, DEMO[1].name)
    assert isinstance(broken, ServerError)
    assert (broken.code, str(broken).count("recording:")) == (422, 1)
    [single] = client.recognise_files([b"hello"])
    assert single.code == 422
    assert client.recognise_files([]) == []


def test_a_job_from_its_submission_to_its_deletion(client):
    job = client.submit(DEMO[0], tag="client", keep_hours=1, idempotency_key="one")
    assert job.status == "queued"
    assert client.submit(DEMO[0], tag="client", keep_hours=1, idempotency_key="one").id == job.id
    predictions = client.wait(job, 60)
    assert [p.start for p in predictions] == [u.start for u in load()(DEMO[0]).utterances]
    *events, end = client.events(job.id)
    assert events == predictions == [*client.predictions(job)]
    assert end == Progress("done", 1.0)
    assert client.result(job, after=1) == predictions[1:] == [*client.predictions(job, after=1)]
    state = client.job(job)
    assert (state.available, state.file) == (len(predictions), DEMO[0].name)
    assert state.expires > state.created
    assert [j.id for j in client.jobs(tag="client", status="done")] == [job.id]
    client.cancel(job)
    assert [*client.jobs(tag="client")] == []
    with pytest.raises(ServerError, match="no job with this id") as refused:
        client.job(job)
    assert refused.value.code == 404
    assert refused.value.request_id


def silence(minutes):
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(minutes * 960_000, np.int16), 16_000, format="flac")
    return sound.getvalue()


def test_jobs_that_are_deleted_or_too_slow(client):
    job = client.submit(silence(60))
    with pytest.raises(TimeoutError, match="not done after 0 s"):
        client.wait(job, 0)
    events = client.events(job)
    assert isinstance(next(events), Progress)
    client.cancel(job)
    assert [*events][-1].status == "deleted"
    job = client.submit(silence(60))
    found = client.predictions(job)
    threading.Timer(0.5, client.cancel, [job]).start()
    with pytest.raises(JobFailedError, match=f"job {job.id}: it was deleted"):
        list(found)


def test_errors_name_what_is_wrong(server, client):
    with pytest.raises(ServerError, match="unknown parameter sepakers"):
        client.recognise(DEMO[0], sepakers=2)
    with pytest.raises(AudioError, match=r"none\.wav: cannot be read: No such file"):
        client.recognise("none.wav")
    with Client(server, "wrong") as other, pytest.raises(ServerError, match="Bearer") as refused:
        other.models()
    assert refused.value.code == 401
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, retries=0) as other, pytest.raises(ServerError, match=url):
        other.models()


class Busy(http.server.BaseHTTPRequestHandler):
    """Answers 429 and 503, breaks the connection, and then a job."""

    keys: ClassVar[list[str]] = []
    sizes: ClassVar[list[int]] = []

    def do_POST(self):
        self.keys.append(self.headers["Idempotency-Key"])
        self.sizes.append(len(self.rfile.read(int(self.headers["content-length"]))))
        match len(self.keys):
            case 1:
                self.send_response(429)
                self.send_header("Retry-After", "0")
            case 2:
                self.send_response(503)
                self.send_header("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")
            case 3:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            case _:
                self.send_response(422)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_request_is_sent_again_with_its_key_and_file():
    with http.server.HTTPServer(("127.0.0.1", 0), Busy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{proxy.server_port}")
        with client, pytest.raises(ServerError, match="422 Unprocessable") as refused:
            client.submit(DEMO[0])
        proxy.shutdown()
    assert refused.value.code == 422
    assert len(set(Busy.keys)) == 1
    assert len(set(Busy.sizes)) == 1
    assert len(Busy.keys) == 4
    assert Busy.sizes[0] > len(LIVELY)
