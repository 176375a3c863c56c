"""The HTTP and WebSocket API: real sockets, real recordings."""

import csv
import io
import json
import logging
import re
import socket
import threading
import time
import warnings

import httpx
import numpy as np
import pytest
import soundfile
from faults.damaged import mkv_with_two_tracks
from helpers import DEMO, LIVELY, ended, form, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from affekt.audio.decoding import read
from affekt.inference.pipeline import recognise_file
from affekt.inference.recognizer import load
from affekt.inference.utterances import Options
from affekt.server.monitoring import log_event, log_to_stderr


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def server(state_folder):
    with serving(state_folder, megabytes=2, job_megabytes=6) as address:
        yield address


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


def bare(data, kind="audio/flac"):
    return {"content": data, "headers": {"Content-Type": kind}}


def test_the_response_is_what_predict_prints(client):
    whole = load()(DEMO[0])
    expected = whole.to_dict()
    for request in (form(LIVELY), bare(LIVELY)):
        answer = client.post("/v1/recognise", **request)
        assert answer.status_code == 200
        prediction = answer.json()
        assert list(prediction) == [*expected, "utterances"]
        starts = [u["start"] for u in prediction["utterances"]]
        assert starts == [u.start for u in whole.utterances]
        assert prediction["label"] == expected["label"]
        assert prediction["probabilities"] == pytest.approx(expected["probabilities"], abs=0.02)
        assert len(prediction["segments"]) == len(expected["segments"])
    assert prediction["file"] == "recording"


def test_other_formats(client):
    table = client.post("/v1/recognise?format=csv", **form(LIVELY, "=1.flac"))
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["file"] for row in rows] == ["'=1.flac"] * len(load()(DEMO[0]).utterances)
    assert table.headers["content-type"].startswith("text/csv")
    assert "attachment" in table.headers["content-disposition"]
    assert "-->" in client.post("/v1/recognise?format=srt", **form(LIVELY)).text
    assert "ooTextFile" in client.post("/v1/recognise?format=textgrid", **form(LIVELY)).text


@pytest.mark.parametrize(
    ("path", "request_", "code", "detail"),
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
        ("/v1/recognise?track=0", form(LIVELY), 422, "query track"),
        ("/v1/recognise?track=2", form(LIVELY), 422, "a.flac: has no audio track 2"),
        ("/v1/jobs?track=two", form(LIVELY), 422, "query track must be a whole number"),
        ("/v1/recognise?format=doc", form(LIVELY), 422, "format"),
        ("/v1/recognise?modle=x", form(LIVELY), 422, "query: unknown parameter modle; there are m"),
        ("/v1/recognise", form(LIVELY, fmt="csv"), 422, "form: unknown parameter fmt; there are m"),
        ("/v1/recognise", form(LIVELY, model="nope"), 404, "there are default"),
        ("/v1/recognise", form(LIVELY, format="doc"), 422, "form format must be 'json', 'csv'"),
        (
            "/v1/recognise",
            form(LIVELY, speakers="0"),
            422,
            "form speakers must be 'auto' or at least 1",
        ),
        (
            "/v1/recognise",
            form(LIVELY, speakers="99"),
            422,
            "form speakers must be 'auto' or at most 20",
        ),
        (
            "/v1/recognise",
            form(LIVELY, channels="left"),
            422,
            "form channels must be 'mean' or 'split'",
        ),
        ("/v1/recognise?format=csv", form(LIVELY, format="srt"), 422, "form format: given twice"),
        ("/v1/recognise", form(LIVELY, file="x"), 422, "form file: given twice"),
        ("/v1/recognise?hop=0.01", form(LIVELY), 422, "query hop must be at least 0.1"),
        ("/v1/recognise?hop=nan", form(LIVELY), 422, "query hop must be a finite number"),
        ("/v1/audio/emotions", form(LIVELY, language="en"), 422, "there are model, track"),
        ("/v1/jobs", form(LIVELY, modle="x"), 422, "form: unknown parameter modle"),
        ("/v1/jobs?format=csv", form(LIVELY), 422, "query: unknown parameter format"),
        ("/v1/recognise", form(bytes(3_000_000)), 413, "larger than 2 MB"),
        ("/v1/jobs", bare(bytes(7_000_000)), 413, "larger than 6 MB"),
    ],
)
def test_invalid_requests_are_refused(client, path, request_, code, detail):
    answer = client.post(path, **request_)
    assert answer.status_code == code
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/models", "/v1/jobs"])
def test_unknown_parameters_of_any_route_are_refused(client, path):
    answer = client.get(path + "?verbose=1")
    assert answer.status_code == 422
    assert "unknown parameter verbose" in answer.json()["detail"]


def test_parameters_may_be_fields_of_the_form(client):
    fields = form(LIVELY, model="default", format="csv", speakers="1", hop="0.48")
    table = client.post("/v1/recognise", **fields)
    assert table.headers["content-type"].startswith("text/csv")
    query = client.post("/v1/recognise?format=csv&hop=0.48", **form(LIVELY))
    assert table.text == query.text


def test_channels_are_recognised_separately(client, tmp_path):
    one, two = (read(file).wave[:32_000] for file in DEMO[:2])
    soundfile.write(tmp_path / "call.wav", np.stack([one, two], 1), 16_000)
    answer = client.post("/v1/recognise", **form((tmp_path / "call.wav").read_bytes(),
                                                 channels="split")).json()  # fmt: skip
    expected = recognise_file(load(), tmp_path / "call.wav", Options(split=True))
    found = [(u["channel"], u["start"], u["label"]) for u in answer["utterances"]]
    assert found == [(p.channel, p.start, p.label) for p in expected]
    assert {channel for channel, *_ in found} == {1, 2}
    assert answer["channel"] == 0


def test_the_hop_of_a_request_is_that_of_its_segments(client):
    fine, coarse = (
        client.post("/v1/recognise", **form(LIVELY, hop=hop)).json() for hop in ("0.12", "0.48")
    )
    for answer, hop in ((fine, 0.12), (coarse, 0.48)):
        starts = [s["start"] for s in answer["utterances"][0]["segments"]]
        assert np.diff(starts[:-1]) == pytest.approx(hop, abs=1e-6)
    assert fine["label"] == coarse["label"]
    assert fine["probabilities"] == pytest.approx(coarse["probabilities"], abs=0.02)


def test_a_route_for_clients_of_openai(client):
    url = "/v1/audio/emotions"
    whole = client.post("/v1/recognise", **form(LIVELY)).json()
    short = client.post(url, **form(LIVELY, model="default")).json()
    assert short == {key: whole[key] for key in short}
    assert {"label", "confidence", "probabilities", "model", "license"} <= short.keys()
    verbose = client.post(url, **form(LIVELY, response_format="verbose_json")).json()
    assert verbose["utterances"] == whole["utterances"]
    assert client.post(url, **form(LIVELY, response_format="text")).text == whole["label"] + "\n"
    assert "-->" in client.post(url, **form(LIVELY, response_format="vtt")).text


def test_requests_have_ids(client, caplog):
    own = client.get("/v1/models?x=1", headers={"X-Request-ID": "trace-7"})
    assert own.headers["x-request-id"] == "trace-7"
    ids = [client.get("/v1/models").headers["x-request-id"] for _ in range(2)]
    assert ids[0] != ids[1]
    assert '"request_id": "trace-7"' in caplog.text
    hostile = client.get("/v1/models", headers={"X-Request-ID": 'a" b'})
    assert hostile.headers["x-request-id"] not in ("", 'a" b')


def test_a_track_is_chosen(client, tmp_path):
    data = mkv_with_two_tracks(tmp_path).read_bytes()
    for track, codes in ((1, []), (2, []), ("", ["tracks"])):
        query = f"?track={track}" if track else ""
        answer = client.post(f"/v1/recognise{query}", **form(data)).json()
        expected = load()(data, track=track or None)
        assert answer["warning_codes"] == codes
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=0.02)
        queued = client.post(f"/v1/jobs{query}", **form(data)).json()
        assert queued["track"] == (track or None)
        state = ended(client, queued["id"])
        assert [p["start"] for p in state["result"]] == [p.start for p in expected.utterances]
    for path in ("/v1/recognise?track=3", "/v1/jobs?track=3"):
        answer = client.post(path, **form(data))
        assert answer.status_code == 422
        assert "has no audio track 3; its tracks: 1 (deu" in answer.json()["detail"]


def test_file_names_of_clients_are_cleaned(client):
    for name in ("../../etc/passwd", "C:\\x\\passwd", "/etc/passwd"):
        prediction = client.post("/v1/recognise", **form(LIVELY, name)).json()
        assert prediction["file"] == "passwd"
    prediction = client.post("/v1/recognise", **form(LIVELY, "a" * 500)).json()
    assert len(prediction["file"]) == 200


def test_concurrent_requests_give_the_results_of_single_ones(client, server):
    waves = [read(file).wave[: 16_000 * seconds] for file in DEMO for seconds in (1, 2, 3)]
    clips = []
    for wave in waves:
        clips.append(io.BytesIO())
        soundfile.write(clips[-1], wave, 16_000, format="flac")
    alone = [client.post("/v1/recognise", **form(s.getvalue())).json() for s in clips]
    together = [None] * len(clips)

    def ask(i):
        with httpx.Client(base_url=server, timeout=60) as own:
            together[i] = own.post("/v1/recognise", **form(clips[i].getvalue())).json()

    threads = [threading.Thread(target=ask, args=[i]) for i in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert one["label"] == other["label"]
        assert other["probabilities"] == pytest.approx(one["probabilities"], abs=0.01)


def test_health_models_metrics_and_openapi(client, caplog):
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").json() == {"detail": "ready"}
    [model] = client.get("/v1/models").json()
    assert model["name"] == "default"
    assert model["license"]
    client.post("/v1/recognise", **form(LIVELY, "secret.flac"))
    metrics = client.get("/metrics").text
    assert 'affekt_requests_total{method="POST",route="/v1/recognise",status="200"}' in metrics
    assert "secret" not in metrics
    assert '"route": "/v1/recognise"' in caplog.text
    assert "secret" not in caplog.text
    routes = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/recognise", "/v1/jobs"):
        declared = routes[path]["post"]["responses"].keys()
        assert {"401", "403", "404", "408", "413", "415", "422", "429"} <= declared


def test_other_sites_and_hosts_are_refused(client):
    answer = client.get("/v1/models", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 400
    assert refusal(str(client.base_url), origin="https://evil.example") == 1008


def refusal(server, **options):
    """The code with which a stream is closed before the first message."""
    with connect(server.replace("http", "ws") + "/v1/stream", **options) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=10)
        return closed.value.rcvd.code


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
        silence = io.BytesIO()
        soundfile.write(silence, np.zeros(16_000 * 1200, np.int16), 16_000, format="flac")
        codes = {
            httpx.post(address + "/v1/jobs", headers=own, **form(silence.getvalue())).status_code
            for _ in range(4)
        }
        assert codes == {202, 429}


def test_a_disconnected_client_does_not_affect_others(server, client):
    host, port = server.removeprefix("http://").split(":")
    for path in ("recognise", "jobs"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
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


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/models", "/page/main.js", "/v1/x"])
def test_head_is_answered_as_get_without_a_body(client, path):
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == str(len(got.content))
    assert head.content == b""


def test_the_scripts_of_the_page_are_those_of_this_server(client):
    """A browser asks each time whether a script has changed, so a new page has no old ones."""
    script = client.get("/page/main.js")
    assert script.headers["cache-control"] == "no-cache"
    same = {"If-None-Match": script.headers["etag"]}
    assert client.get("/page/main.js", headers=same).status_code == 304


def test_the_description_loads_nothing_from_other_sites(client):
    page = client.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert client.get("/" + link).status_code == 200
    nonce = re.search(r'<script nonce="([\w-]+)">', page.text)[1]
    assert f"script-src 'self' 'nonce-{nonce}';" in page.headers["content-security-policy"]
    described = client.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    stream = described["paths"]["/v1/stream"]["get"]
    assert {p["name"] for p in stream["parameters"]} == {"model", "samples", "rate", "hop"}
    form = described["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert {"file", "model", "channels", "hop", "tag", "webhook"} <= set(
        form["schema"]["properties"]
    )


def test_the_log_of_a_failure_is_json_too(capfd):
    log_to_stderr()
    try:
        raise OSError("/secret")
    except OSError:
        log_event("broken", logging.ERROR, job="1")
    logging.getLogger("uvicorn.error").error("line one\nline two")
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second, *_ = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (first["event"], first["job"], first["level"]) == ("broken", "1", "error")
    assert first["traceback"].endswith("OSError: /secret")
    assert second["message"] == "line one\nline two"


def several(*recordings, **fields):
    files = [("file", (f"{i}.flac", data)) for i, data in enumerate(recordings)]
    return {"files": files, "data": fields}


@pytest.mark.parametrize("path", ["/v1/recognise", "/v1/audio/emotions"])
def test_several_recordings_are_answered_by_a_list(client, path):
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(31 * 16_000, np.int16), 16_000, format="flac")
    other = DEMO[1].read_bytes()
    answer = client.post(path, **several(LIVELY, b"hello", silence.getvalue(), other))
    assert answer.status_code == 200
    first, broken, long, last = answer.json()
    for found, data, name in ((first, LIVELY, "0.flac"), (last, other, "3.flac")):
        alone = client.post(path, **form(data, name)).json()
        assert found.keys() == alone.keys()
        assert found["label"] == alone["label"]
        assert found["probabilities"] == pytest.approx(alone["probabilities"], abs=0.02)
    assert broken["code"] == 422
    assert "1.flac: not a recording" in broken["detail"]
    assert long == {
        "file": "2.flac",
        "code": 413,
        "detail": "longer than 30 s; send it to /v1/jobs",
    }


@pytest.mark.parametrize(
    ("path", "request_", "code", "detail"),
    [
        ("/v1/recognise?format=csv", several(LIVELY, LIVELY), 422, "answered as json, not csv"),
        ("/v1/audio/emotions", several(LIVELY, LIVELY, response_format="text"), 422, "not text"),
        ("/v1/recognise", several(*[b"x"] * 33), 422, "Too many files"),
        ("/v1/recognise", several(*[bytes(700_000)] * 3), 413, "larger than 2 MB"),
        ("/v1/jobs", several(*[bytes(999_999)] * 7), 413, "larger than 6 MB"),
        ("/v1/recognise", {"files": {"file": LIVELY, "model": b"x"}}, 422, "form model: only the"),
    ],
)
def test_the_limits_count_for_all_recordings_of_a_request(client, path, request_, code, detail):
    answer = client.post(path, **request_)
    assert answer.status_code == code
    assert detail in answer.json()["detail"]
