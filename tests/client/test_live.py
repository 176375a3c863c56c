"""Live streams of the Python client, against a real server, one that breaks off, and none."""

import socket
import threading
from typing import get_args, get_type_hints

import numpy as np
import pytest
from helpers import DEMO, free_port, serving, waited

from affekt.audio.decoding import read
from affekt.client import Client, ServerError, StreamError, StreamParameters
from affekt.inference.recognizer import load
from affekt.inference.stream import Stream
from affekt.server.parameters import Samples
from affekt.server.parameters import StreamParameters as OfServer
from affekt.types import Prediction, Segment

WAVE = np.concatenate([read(DEMO[0]).wave, np.zeros(16_000, np.float32)])
PCM = (WAVE * 32767).astype("<i2")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("state"), token="secret", streams=1) as address:
        yield address


@pytest.fixture
def client(server):
    with Client(server, "secret") as client:
        yield client


def blocks_of(data, size=6400):
    return (data[i : i + size] for i in range(0, len(data), size))


def test_the_parameters_are_those_of_the_server():
    own = get_type_hints(StreamParameters)
    assert own.keys() == OfServer.model_fields.keys()
    assert get_args(own["samples"]) == get_args(Samples)


def test_a_stream_gives_the_results_of_the_package(client):
    utterances = []
    stream = Stream(load(), ended=utterances.append, hop=0.48)
    expected = stream.push(PCM) + stream.close()
    results = [*client.stream(blocks_of(PCM.tobytes()), hop=0.48)]
    segments = [r for r in results if isinstance(r, Segment)]
    assert [s.end for s in segments] == pytest.approx([s.end for s in expected])
    for found, one in zip(segments, expected, strict=True):
        assert found.probabilities == pytest.approx(one.probabilities, abs=0.02)
    predictions = [r for r in results if isinstance(r, Prediction)]
    assert [(p.start, p.label) for p in predictions] == [(u.start, u.label) for u in utterances]
    assert len(utterances) > 0


def test_results_come_while_blocks_are_still_sent(client):
    """The second block is only sent after a result of the first one."""
    first_result = threading.Event()

    def blocks():
        yield PCM[:32_000].tobytes()
        assert first_result.wait(60)
        yield PCM[32_000:48_000].tobytes()

    results = client.stream(blocks())
    first = next(results)
    first_result.set()
    assert isinstance(first, Segment)
    *segments, utterance = results
    assert segments[-1].end == pytest.approx(2.88)  # of 3 s, at hops of 0.24 s
    assert isinstance(utterance, Prediction)


def test_a_large_block_is_sent_in_frames(client):
    results = client.stream([np.zeros(600_000, "<f4").tobytes()], samples="float32", rate=192_000)
    assert sum(isinstance(r, Segment) for r in results) > 4


@pytest.mark.parametrize(
    ("blocks", "parameters", "code", "reason"),
    [
        ([b"abc"], {}, 1007, "not a multiple of the size of int16"),
        ([PCM.tobytes()], {"rate": 10}, 1008, "sampled at 10"),
        ([], {"model": "nope"}, 1008, "there are default"),
        ([], {"speaker": 2}, 1008, "unknown parameter speaker"),
    ],
)
def test_a_stream_that_the_server_closes_has_code_and_reason(
    client, blocks, parameters, code, reason
):
    with pytest.raises(StreamError, match=reason) as closed:
        [*client.stream(blocks, **parameters)]
    assert (closed.value.code, str(closed.value)) == (code, closed.value.reason)
    assert isinstance(closed.value, ServerError)


def test_a_wrong_token_and_one_stream_too_many(server, client):
    with Client(server, "wrong") as other, pytest.raises(StreamError) as closed:
        [*other.stream([])]
    assert closed.value.code == 1008
    results = client.stream(blocks_of(PCM.tobytes()))
    next(results)
    with pytest.raises(StreamError, match="too many streams") as closed:
        [*client.stream([])]
    assert closed.value.code == 1013
    results.close()

    def has_place():
        try:
            return [*client.stream([])] == []
        except StreamError:
            return False

    waited(has_place)  # the abandoned stream has left it


def test_an_error_of_the_blocks_is_raised_where_results_are_taken(client):
    def blocks():
        yield PCM[:32_000].tobytes()
        raise OSError("no microphone")

    with pytest.raises(OSError, match="^no microphone$"):
        [*client.stream(blocks())]


def test_a_server_that_is_none_and_one_that_breaks_off():
    client = Client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ServerError, match="refused") as error:
        [*client.stream([])]
    assert error.value.code == 0
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse():
            connection, _ = listening.accept()
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        threading.Thread(target=refuse).start()
        client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(ServerError, match="502") as error:
            [*client.stream([])]
        assert error.value.code == 502
