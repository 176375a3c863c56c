"""Live streams: real WebSockets, real speech, in every format that clients send."""

import base64
import io
import json
import logging
import time

import httpx
import numpy as np
import pytest
import soundfile
from helpers import DEMO, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from affekt.audio.decoding import read
from affekt.inference.recognizer import load
from affekt.inference.stream import Stream

SPEECH = read(DEMO[0]).wave[:48_000]  # 3 s


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("state"), megabytes=2, job_megabytes=6) as address:
        yield address


def stream_messages(server, frames, query="", **options):
    """The messages of a live stream, and its close frame."""
    messages = []
    with connect(server.replace("http", "ws") + "/v1/stream?" + query, **options) as ws:
        try:
            for frame in [*frames, "end"]:
                ws.send(frame)
            while True:
                messages.append(json.loads(ws.recv(timeout=30)))
        except ConnectionClosed as closed:
            return messages, closed.rcvd


def test_a_live_stream_gives_the_results_of_stream(server):
    wave = np.concatenate([read(DEMO[0]).wave, np.zeros(16_000, np.float32)])
    samples = (wave * 32767).astype("<i2")
    messages, close = stream_messages(
        server, [samples[i : i + 3200].tobytes() for i in range(0, len(wave), 3200)]
    )
    assert close.code == 1000
    utterances = []
    stream = Stream(load(), ended=utterances.append)
    expected = stream.push(samples) + stream.close()
    segments = [m["segment"] for m in messages if "segment" in m]
    assert [s["end"] for s in segments] == pytest.approx([s.end for s in expected])
    for sent, segment in zip(segments, expected, strict=True):
        assert sent["probabilities"] == pytest.approx(segment.probabilities, abs=0.02)
    assert [m["utterance"]["start"] for m in messages if "utterance" in m] == [
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
    messages, close = stream_messages(server, packets, "samples=opus&rate=48000")
    assert close.code == 1000
    assert sum("segment" in m for m in messages) >= 4
    assert any(m["segment"]["label"] != "uncertain" for m in messages if "segment" in m)


@pytest.mark.parametrize(
    ("frames", "query", "code", "reason"),
    [
        (["hello"], "", 1007, "binary frames"),
        ([b"abc"], "", 1007, "not a multiple of the size of int16"),
        ([np.full(999, np.nan, "<f4").tobytes()], "samples=float32", 1007, "is nan"),
        ([b"\xff\xff\xff"], "samples=opus&rate=48000", 1007, "Opus"),
        ([b"no file" * 2000, "end"], "samples=webm", 1007, "not a webm file"),
        ([b"no file" * 2000, "end"], "samples=ogg", 1007, "not a ogg file"),
        (['{"event": "media", "media": {"payload": "*"}}'], "", 1007, "not Base64"),
        (['{"event": "media"}'], "", 1007, "JSON frame: media is missing"),
        (['{"event": "start", "start": {"mediaFormat": {"encoding": "mp3"}}}'], "", 1007, "l16"),
        ([b"\0\0", '{"event": "start"}'], "", 1007, "after the first frame"),
        ([], "samples=opus&rate=16000", 1008, "leave rate out"),
        ([], "samples=mp3", 1008, "'webm' or 'ogg'"),
        ([], "rate=10", 1008, "sampled at 10"),
        ([], "rate=fast", 1008, "query rate must be a whole number"),
        ([], "hop=0.05", 1008, "query hop must be at least 0.1"),
        ([], "hop=0.125", 1008, "multiple of 0.01"),
        ([], "hop=inf", 1008, "query hop must be a finite number"),
        ([], "speaker=2", 1008, "unknown parameter speaker; there are model, samples, rate, hop"),
        ([], "model=nope", 1008, "there are default"),
        ([b"\0" * (2 << 20)], "", 1009, ""),
    ],
)
def test_an_invalid_stream_is_closed_with_a_reason(server, frames, query, code, reason):
    with connect(server.replace("http", "ws") + "/v1/stream?" + query) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            for frame in frames:
                ws.send(frame)
            ws.recv(timeout=10)
        assert closed.value.rcvd.code == code
        assert reason in closed.value.rcvd.reason
    assert httpx.get(server + "/readyz").status_code == 200


def pieces(data, size=1000):
    return [data[i : i + size] for i in range(0, len(data), size)]


def recorded(kind):
    """Speech as MediaRecorder sends it: a webm or ogg file with Opus, in pieces."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options={"live": "1"} if kind == "webm" else {}) as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        wave = np.repeat(SPEECH, 3)
        for i in range(0, len(wave), 960):
            frame = av.AudioFrame.from_ndarray(wave[None, i : i + 960], format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48_000, i
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return pieces(file.getvalue())


def phone(samples):
    """Speech of a telephone, 8 kHz: the samples as libsndfile writes them."""
    kind = {"mulaw": "ULAW", "alaw": "ALAW", "int16": "PCM_16"}[samples]
    file = io.BytesIO()
    soundfile.write(file, SPEECH[::2], 8_000, format="RAW", subtype=kind)
    return pieces(file.getvalue(), 160)


def labels(messages):
    return [m["segment"]["label"] for m in messages if "segment" in m]


@pytest.mark.parametrize("kind", ["webm", "ogg"])
def test_a_recording_of_a_browser_is_recognised_while_it_is_sent(server, kind):
    frames = recorded(kind)
    messages, close = stream_messages(server, frames, f"samples={kind}&hop=0.48")
    assert close.code == 1000
    assert len(labels(messages)) == 5
    with connect(f"{server.replace('http', 'ws')}/v1/stream?samples={kind}") as ws:
        for frame in frames[: len(frames) * 2 // 3]:
            ws.send(frame)
        assert "segment" in json.loads(ws.recv(timeout=30))  # before the file has ended


@pytest.mark.parametrize(
    ("samples", "encoding"),
    [("mulaw", "audio/x-mulaw"), ("int16", "audio/l16")],
)
def test_speech_of_a_telephone_in_binary_and_in_json_frames(server, samples, encoding):
    frames = phone(samples)
    binary, close = stream_messages(server, frames, f"samples={samples}&rate=8000&hop=0.48")
    assert close.code == 1000
    events = [{"event": "connected", "protocol": "Call", "version": "1.0.0"}]
    form = {"encoding": encoding, "sampleRate": 8000, "channels": 1}
    events.append({"event": "start", "streamSid": "MZ1", "start": {"mediaFormat": form}})
    for frame in frames:
        payload = base64.b64encode(frame).decode()
        events.append({"event": "media", "media": {"track": "inbound", "payload": payload}})
        noise = base64.b64encode(bytes(len(frame))).decode()
        events.append({"event": "media", "media": {"track": "outbound", "payload": noise}})
    events.append({"event": "stop"})
    messages, close = stream_messages(server, map(json.dumps, events), "hop=0.48")
    assert close.code == 1000
    assert messages == binary
    assert len(labels(binary)) == 5


def test_a_client_that_sends_faster_than_it_is_recognised_is_not_closed_by_a_ping(server):
    wave = (np.tile(SPEECH, 5) * 32767).astype("<i2").tobytes()
    url = server.replace("http", "ws") + "/v1/stream?hop=1"
    messages = []
    with connect(url, ping_interval=0.1, ping_timeout=0.3) as ws:
        for frame in pieces(wave, 32_000):
            ws.send(frame)
        ws.send("end")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                messages.append(json.loads(ws.recv(timeout=60)))
    assert closed.value.rcvd.code == 1000
    assert len(labels(messages)) == 15


def test_a_client_that_sends_too_far_ahead_is_told(server):  # 6 MB in all
    url = server.replace("http", "ws") + "/v1/stream?hop=0.1"
    with connect(url) as ws, pytest.raises(ConnectionClosed) as closed:
        for _ in range(8):
            ws.send(bytes(1_000_000))
        while True:
            ws.recv(timeout=30)
    assert closed.value.rcvd.code == 1009
    assert "more than 6 MB wait" in closed.value.rcvd.reason


def test_every_stream_is_logged_once(server, caplog):
    caplog.set_level(logging.INFO, "affekt.server")
    stream_messages(server, [bytes(32_000)])
    stream_messages(server, [], "rate=fast")
    for _ in range(50):
        found = [r.fields for r in caplog.records if r.fields["event"] == "stream"]
        if len(found) == 2:
            break
        time.sleep(0.1)
    assert [(f["route"], f["code"], f["audio_seconds"]) for f in found] == [
        ("/v1/stream", 1000, 1.0), ("/v1/stream", 1008, 0.0)
    ]  # fmt: skip


def test_without_a_websocket_the_route_says_what_it_needs(server):
    answer = httpx.get(server + "/v1/stream?rate=8000")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    assert httpx.get(server + "/v1/stream?rat=8000").status_code == 422
