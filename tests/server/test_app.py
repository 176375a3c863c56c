"""The server as its clients meet it: real sockets, real sounds."""

import csv
import io
import json
import socket
import threading
import time

import httpx
import numpy as np
import pytest
import soundfile
from helpers import DEMO, LIVELY, ended, form, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from affekt.audio.decoding import read
from affekt.inference.recognizer import load
from affekt.inference.stream import Stream


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("state"), megabytes=2, job_megabytes=6) as address:
        yield address


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def long_call(tmp_path_factory):
    """Forty seconds of utterances and pauses."""
    pause = np.zeros(16_000, np.float32)
    parts = [p for file in [*DEMO, *DEMO] for p in (read(file).wave, pause)]
    path = tmp_path_factory.mktemp("call") / "call.flac"
    soundfile.write(path, np.concatenate(parts), 16_000)
    return path


def bare(data, kind="audio/flac"):
    return {"content": data, "headers": {"Content-Type": kind}}


def test_the_answer_is_what_predict_prints(client):
    expected = load()(DEMO[0]).to_dict()
    for request in (form(LIVELY), bare(LIVELY)):
        answer = client.post("/v1/recognise", **request)
        assert answer.status_code == 200
        told = answer.json()
        assert list(told) == list(expected)
        assert told["label"] == expected["label"]
        assert told["probabilities"] == pytest.approx(expected["probabilities"], abs=0.02)
        assert len(told["segments"]) == len(expected["segments"])
    assert told["file"] == "recording"


def test_other_formats(client):
    table = client.post("/v1/recognise?format=csv", **form(LIVELY, "=1.flac"))
    [row] = csv.DictReader(io.StringIO(table.text))
    assert row["file"] == "'=1.flac"
    assert table.headers["content-type"].startswith("text/csv")
    assert "attachment" in table.headers["content-disposition"]
    assert "-->" in client.post("/v1/recognise?format=srt", **form(LIVELY)).text
    assert "ooTextFile" in client.post("/v1/recognise?format=textgrid", **form(LIVELY)).text


@pytest.mark.parametrize(
    ("path", "request_", "code", "says"),
    [
        ("/v1/recognise", form(b"hello"), 422, "a.flac: not a recording"),
        ("/v1/recognise", form(b""), 422, "a.flac"),
        ("/v1/jobs", form(b""), 422, "a.flac: the file is empty"),
        ("/v1/jobs", form(b"hello"), 422, "a.flac: not a recording"),
        ("/v1/recognise", {"data": {"x": "1"}}, 415, "multipart/form-data"),
        ("/v1/recognise", {"files": {"other": b"x"}}, 422, "field file"),
        ("/v1/recognise", {"content": b"x"}, 415, "audio/"),
        ("/v1/recognise", bare(b"x", "multipart/form-data"), 422, "damaged form"),
        ("/v1/recognise?model=../default", form(LIVELY), 404, "there are default"),
        ("/v1/jobs?model=/etc", form(LIVELY), 404, "there are default"),
        ("/v1/recognise?format=doc", form(LIVELY), 422, "format"),
        ("/v1/recognise", form(bytes(3_000_000)), 413, "larger than 2 MB"),
        ("/v1/jobs", bare(bytes(7_000_000)), 413, "larger than 6 MB"),
    ],
)
def test_mistakes_have_their_answers(client, path, request_, code, says):
    answer = client.post(path, **request_)
    assert answer.status_code == code
    assert says in answer.json()["detail"]


def test_file_names_of_clients_open_nothing_and_come_back_short(client):
    for name in ("../../etc/passwd", "C:\\x\\passwd", "/etc/passwd"):
        told = client.post("/v1/recognise", **form(LIVELY, name)).json()
        assert told["file"] == "passwd"
    told = client.post("/v1/recognise", **form(LIVELY, "a" * 500)).json()
    assert len(told["file"]) == 200


def test_what_is_too_long_becomes_a_job_that_tells_each_utterance(client, long_call):
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
    assert client.get("/v1/jobs/../../etc").status_code in (404, 422)


def test_audio_is_not_kept(server, client, tmp_path_factory):
    job = client.post("/v1/jobs", **form(LIVELY)).json()["id"]
    assert len(ended(client, job)["result"]) == 1
    state = next(p for p in tmp_path_factory.getbasetemp().glob("state*/uploads"))
    for _ in range(50):
        if not list(state.iterdir()):
            return
        time.sleep(0.1)
    raise AssertionError("the recording is still there")


def test_clients_at_the_same_time_get_what_each_would_get_alone(client, server):
    waves = [read(file).wave[: 16_000 * seconds] for file in DEMO for seconds in (1, 2, 3)]
    sounds = []
    for wave in waves:
        sounds.append(io.BytesIO())
        soundfile.write(sounds[-1], wave, 16_000, format="flac")
    alone = [client.post("/v1/recognise", **form(s.getvalue())).json() for s in sounds]
    together = [None] * len(sounds)

    def ask(i):
        with httpx.Client(base_url=server, timeout=60) as own:
            together[i] = own.post("/v1/recognise", **form(sounds[i].getvalue())).json()

    threads = [threading.Thread(target=ask, args=[i]) for i in range(len(sounds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert one["label"] == other["label"]
        assert other["probabilities"] == pytest.approx(one["probabilities"], abs=0.01)


def test_health_models_metrics_and_openapi(client):
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").json() == {"detail": "ready"}
    [model] = client.get("/v1/models").json()
    assert model["name"] == "default"
    assert model["license"]
    client.post("/v1/recognise", **form(LIVELY, "secret.flac"))
    metrics = client.get("/metrics").text
    assert 'affekt_requests_total{method="POST",route="/v1/recognise",status="200"}' in metrics
    assert "secret" not in metrics
    routes = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/recognise", "/v1/jobs"):
        declared = routes[path]["post"]["responses"].keys()
        assert {"401", "403", "404", "408", "413", "415", "422", "429"} <= declared


def test_other_sites_and_other_names_are_refused(client):
    answer = client.get("/v1/models", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 400
    assert refusal(str(client.base_url), origin="https://evil.example") == 1008


def spoken(server, frames, query="", **options):
    """What a live client is told."""
    told = []
    with connect(server.replace("http", "ws") + "/v1/stream?" + query, **options) as ws:
        try:
            for frame in [*frames, "end"]:
                ws.send(frame)
            while True:
                told.append(json.loads(ws.recv(timeout=30)))
        except ConnectionClosed as closed:
            return told, closed.rcvd


def refusal(server, **options):
    """The code with which a stream is closed before anything is said."""
    with connect(server.replace("http", "ws") + "/v1/stream", **options) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=10)
        return closed.value.rcvd.code


def test_a_live_stream_tells_what_stream_tells(server):
    wave = np.concatenate([read(DEMO[0]).wave, np.zeros(16_000, np.float32)])
    samples = (wave * 32767).astype("<i2")
    told, close = spoken(
        server, [samples[i : i + 3200].tobytes() for i in range(0, len(wave), 3200)]
    )
    assert close.code == 1000
    utterances = []
    stream = Stream(load(), ended=utterances.append)
    expected = stream.push(samples) + stream.close()
    moments = [t["segment"] for t in told if "segment" in t]
    assert [m["end"] for m in moments] == pytest.approx([s.end for s in expected])
    for moment, segment in zip(moments, expected, strict=True):
        assert moment["probabilities"] == pytest.approx(segment.probabilities, abs=0.02)
    assert [t["utterance"]["start"] for t in told if "utterance" in t] == [
        p.start for p in utterances
    ]


def test_a_live_stream_of_opus(server):
    av = pytest.importorskip("av")
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "mono", "flt"
    codec.open()
    wave = np.repeat(read(DEMO[0]).wave[:32_000], 3)
    packets = []
    for i in range(0, len(wave) - 960, 960):
        frame = av.AudioFrame.from_ndarray(wave[None, i : i + 960], format="flt", layout="mono")
        frame.sample_rate = 48_000
        packets += [bytes(p) for p in codec.encode(frame)]
    told, close = spoken(server, packets, "samples=opus&rate=48000")
    assert close.code == 1000
    assert sum("segment" in t for t in told) >= 4
    assert any(t["segment"]["label"] != "uncertain" for t in told if "segment" in t)


@pytest.mark.parametrize(
    ("frames", "query", "code", "says"),
    [
        (["hello"], "", 1007, "binary frames"),
        ([b"abc"], "", 1007, "whole samples"),
        ([np.full(999, np.nan, "<f4").tobytes()], "samples=float32", 1007, "NaN"),
        ([b"\xff\xff\xff"], "samples=opus&rate=48000", 1007, "Opus"),
        ([], "samples=opus", 1008, "48000"),
        ([], "rate=10", 1008, "sampled at 10"),
        ([], "hop=0.001", 1008, "0.01"),
        ([], "hop=0.05", 1008, "0.1"),
        ([], "hop=inf", 1008, "60 s"),
        ([b"\0" * 70_000], "", 1007, "more than 2 s"),
        ([], "model=nope", 1008, "there are default"),
        ([b"\0" * (2 << 20)], "", 1009, ""),
    ],
)
def test_mistakes_in_a_stream_close_it_with_a_reason(server, frames, query, code, says):
    with connect(server.replace("http", "ws") + "/v1/stream?" + query) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            for frame in frames:
                ws.send(frame)
            ws.recv(timeout=10)
        assert closed.value.rcvd.code == code
        assert says in closed.value.rcvd.reason
    assert httpx.get(server + "/readyz").status_code == 200


def test_tokens_and_limits(tmp_path):
    settings = {"token": "secret", "jobs": 1, "streams": 1, "upload_seconds": 1.0}
    with serving(tmp_path, **settings) as address:
        own = {"Authorization": "Bearer secret"}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            for path in ("/v1/models", "/metrics", "/v1/jobs/" + "0" * 32):
                assert httpx.get(address + path, headers=headers).status_code == 401
        assert httpx.get(address + "/v1/models", headers=own).status_code == 200
        proxied = {**own, "Host": "emotion.example", "Origin": "https://emotion.example"}
        assert httpx.get(address + "/v1/models", headers=proxied).status_code == 200
        assert httpx.get(address + "/healthz").status_code == 200
        assert refusal(address) == 1008
        assert refusal(address, subprotocols=["affekt", "token.wrong"]) == 1008
        with connect(address.replace("http", "ws") + "/v1/stream",
                     subprotocols=["affekt", "token.secret"]) as ws:  # fmt: skip
            assert ws.subprotocol == "affekt"
            assert refusal(address, additional_headers=own) == 1013
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(
                b"POST /v1/recognise HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
                b"Authorization: Bearer secret\r\nContent-Length: 1000\r\n\r\nRIFF"
            )
            assert slow.recv(1000).startswith(b"HTTP/1.1 408")
        still = io.BytesIO()
        soundfile.write(still, np.zeros(16_000 * 1200, np.int16), 16_000, format="flac")
        codes = {
            httpx.post(address + "/v1/jobs", headers=own, **form(still.getvalue())).status_code
            for _ in range(4)
        }
        assert codes == {202, 429}


def test_a_client_that_goes_in_the_middle_harms_nobody(server, client):
    host, port = server.removeprefix("http://").split(":")
    for path in ("recognise", "jobs"):
        with socket.create_connection((host, int(port))) as gone:
            gone.sendall(
                f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
                "Content-Length: 100000\r\n\r\n".encode()
                + LIVELY[:1000]
            )
    ws = connect(server.replace("http", "ws") + "/v1/stream")
    ws.send(bytes(64_000))
    ws.socket.close()
    time.sleep(0.3)
    assert client.post("/v1/recognise", **form(LIVELY)).status_code == 200
    metrics = client.get("/metrics").text
    assert not any('status="5' in line for line in metrics.splitlines())
