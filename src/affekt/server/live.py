"""Live speech over a WebSocket: binary frames in, segments and utterances out."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from ..errors import AudioError
from ..inference.recognizer import Recognizer
from ..inference.stream import Stream
from .sockets import BAD_DATA, REFUSED, close

LONGEST, FASTEST = 2.0, 0.1  # s in a frame and between moments: work that others wait for
SILENT = 60.0  # s without a frame after which a client is taken for gone
Samples = Literal["int16", "float32", "opus"]
Decode = Callable[[bytes], NDArray[np.generic]]


async def converse(
    socket: WebSocket, recognizer: Recognizer, rate: int, samples: Samples, hop: float
) -> None:
    """Answer until the client says "end" or goes.

    A frame is read when the one before it has been answered: who sends faster than speech is
    recognised is slowed down by TCP, and nothing piles up here.
    """
    told: list[dict[str, Any]] = []
    try:
        stream = Stream(
            recognizer, rate, hop=hop, ended=lambda p: told.append({"utterance": p.to_dict()})
        )
        if hop < FASTEST:
            raise ValueError(f"hop is {hop} s; here it must be at least {FASTEST} s")
        decode = _opus(rate) if samples == "opus" else _pcm(samples)
    except (AudioError, ValueError) as error:
        return await close(socket, REFUSED, str(error))

    def encode(data: bytes | None) -> list[dict[str, Any]]:
        if data is None:
            segments = stream.close()
        elif len(block := decode(data)) > LONGEST * rate:
            raise ValueError(f"a frame of more than {LONGEST:.0f} s; send shorter ones")
        else:
            segments = stream.push(block)
        answers = [{"segment": asdict(s)} for s in segments] + told
        told.clear()
        return answers

    try:
        while True:
            message = await asyncio.wait_for(socket.receive(), SILENT)
            if message["type"] == "websocket.disconnect":
                return None
            data = message.get("bytes")
            if data is None and message.get("text") != "end":
                raise ValueError("send binary frames of samples, or the text end")
            for answer in await run_in_threadpool(encode, data):
                await socket.send_json(answer)
            if data is None:
                return await socket.close()
    except (AudioError, ValueError) as error:
        await close(socket, BAD_DATA, str(error))
    except TimeoutError:
        await close(socket, REFUSED, f"nothing came for {SILENT:.0f} s")
    except WebSocketDisconnect:
        return None


def _pcm(samples: str) -> Decode:
    kind = np.dtype(samples).newbyteorder("<")

    def decode(data: bytes) -> NDArray[np.generic]:
        if len(data) % kind.itemsize:
            raise ValueError(f"a frame of {len(data)} bytes: not whole samples of {samples}")
        return np.frombuffer(data, kind)

    return decode


def _opus(rate: int) -> Decode:
    """Opus packets, one a frame, at 48 kHz as the codec decodes."""
    if rate != 48_000:
        raise ValueError("Opus is decoded at rate 48000")
    try:
        import av
    except ModuleNotFoundError:
        raise ValueError("Opus needs the extra media on the server") from None
    codec: av.AudioCodecContext = av.CodecContext.create("opus", "r")
    codec.sample_rate, codec.layout = rate, "mono"
    to_float = av.AudioResampler(format="flt", layout="mono", rate=rate)

    def decode(data: bytes) -> NDArray[np.generic]:
        try:
            frames = [f for g in codec.decode(av.Packet(data)) for f in to_float.resample(g)]
        except av.FFmpegError as error:
            raise ValueError(f"not an Opus packet ({error.strerror})") from None
        return np.concatenate([np.empty(0, np.float32), *(f.to_ndarray().ravel() for f in frames)])

    return decode
