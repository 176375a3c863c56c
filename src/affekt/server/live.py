"""Live streams over a WebSocket: binary frames in, segments and utterances out."""

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

LONGEST_FRAME = 2.0  # s; longer frames would delay other clients
SHORTEST_HOP = 0.1  # s
TIMEOUT = 60.0  # s without a frame after which the connection is closed
Samples = Literal["int16", "float32", "opus"]
Decode = Callable[[bytes], NDArray[np.generic]]


async def serve_stream(
    socket: WebSocket, recognizer: Recognizer, rate: int, samples: Samples, hop: float
) -> None:
    """Recognise a stream until the client sends "end" or disconnects.

    A frame is read only after the one before has been answered, so that TCP slows down a client
    that sends faster than speech is recognised, and no frames accumulate in memory.

    Args:
        socket: The accepted connection.
        recognizer: The model.
        rate: Sampling rate in Hz.
        samples: Type of the samples in a frame; "opus" for one Opus packet in each frame.
        hop: Seconds from one segment to the next.
    """
    utterances: list[dict[str, Any]] = []
    try:
        stream = await run_in_threadpool(  # loads the voice activity detector
            Stream,
            recognizer,
            rate,
            hop=hop,
            ended=lambda p: utterances.append({"utterance": p.to_dict()}),
        )
        if hop < SHORTEST_HOP:
            raise ValueError(f"hop is {hop} s; the server needs at least {SHORTEST_HOP} s")
        decode = _opus(rate) if samples == "opus" else _pcm(samples)
    except (AudioError, ValueError) as error:
        return await close(socket, REFUSED, str(error))

    def recognise(data: bytes | None) -> list[dict[str, Any]]:
        if data is None:
            segments = stream.close()
        elif len(block := decode(data)) > LONGEST_FRAME * rate:
            raise ValueError(f"a frame of more than {LONGEST_FRAME:.0f} s; send shorter frames")
        else:
            segments = stream.push(block)
        messages = [{"segment": asdict(s)} for s in segments] + utterances
        utterances.clear()
        return messages

    try:
        while True:
            message = await asyncio.wait_for(socket.receive(), TIMEOUT)
            if message["type"] == "websocket.disconnect":
                return None
            data = message.get("bytes")
            if data is None and message.get("text") != "end":
                raise ValueError('send binary frames of samples, or the text "end"')
            for reply in await run_in_threadpool(recognise, data):
                await socket.send_json(reply)
            if data is None:
                return await socket.close()
    except (AudioError, ValueError) as error:
        await close(socket, BAD_DATA, str(error))
    except TimeoutError:
        await close(socket, REFUSED, f"no frame for {TIMEOUT:.0f} s")
    except WebSocketDisconnect:
        return None


def _pcm(samples: str) -> Decode:
    kind = np.dtype(samples).newbyteorder("<")

    def decode(data: bytes) -> NDArray[np.generic]:
        if len(data) % kind.itemsize:
            raise ValueError(
                f"a frame of {len(data)} bytes: not a multiple of the size of {samples} samples"
            )
        return np.frombuffer(data, kind)

    return decode


def _opus(rate: int) -> Decode:
    """Decoder of frames that each hold one Opus packet, to samples at 48 kHz."""
    if rate != 48_000:
        raise ValueError("samples=opus needs rate=48000")
    try:
        import av
    except ModuleNotFoundError as error:
        raise ValueError("samples=opus needs the extra media on the server") from error
    codec: av.AudioCodecContext = av.CodecContext.create("opus", "r")
    codec.sample_rate, codec.layout = rate, "mono"
    to_float = av.AudioResampler(format="flt", layout="mono", rate=rate)

    def decode(data: bytes) -> NDArray[np.generic]:
        try:
            frames = [f for g in codec.decode(av.Packet(data)) for f in to_float.resample(g)]
        except av.FFmpegError as error:
            raise ValueError(f"not an Opus packet ({error.strerror})") from error
        return np.concatenate([np.empty(0, np.float32), *(f.to_ndarray().ravel() for f in frames)])

    return decode
