"""Live streams over a WebSocket: frames in, segments and utterances out."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from typing import Any, NamedTuple

import anyio.from_thread
from fastapi import WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from ..errors import AudioError
from ..inference.recognizer import Recognizer
from ..inference.stream import Stream
from ..types import Segment
from .backlog import Backlog, BacklogFullError
from .frames import decoder_of
from .parameters import Samples, StreamParameters
from .sockets import BAD_DATA, DONE, REFUSED, TOO_BIG
from .telephony import Media, Start, Stop, event_of

TIMEOUT = 60.0  # s without a frame, or for a message to be taken, after which a stream is closed
PIECE = 0.24  # s of a longer frame that are recognised at a time

Send = Callable[[dict[str, Any]], None]


class Closed(NamedTuple):
    """How a stream ended.

    Attributes:
        code: Of the close frame, of the server or of the client.
        reason: A sentence for the client, or "".
        seconds: Seconds of audio that were recognised.
    """

    code: int
    reason: str
    seconds: float


class Session:
    """Recognises the frames of one stream, in a thread of its own.

    Args:
        recognizer: The model.
        given: Parameters.

    Attributes:
        seconds: Seconds of audio recognised so far.

    Raises:
        AudioError: The sampling rate is out of range.
        ValueError: Another parameter does not fit.
    """

    def __init__(self, recognizer: Recognizer, given: StreamParameters) -> None:
        self._recognizer, self._hop = recognizer, given.hop
        self._ended: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.use(given.samples, given.rate)

    def use(self, samples: Samples, rate: int | None) -> None:
        """Choose the format of the frames, before the first one."""
        self._decoder = decoder_of(samples, rate)
        self._stream = Stream(
            self._recognizer,
            self._decoder.rate,
            hop=self._hop,
            ended=lambda p: self._ended.append({"utterance": p.to_dict()}),
        )

    def run(self, frames: Iterable[bytes], send: Send) -> None:
        """Recognise frames until their end.

        Args:
            frames: The frames; the format must be chosen when the first one comes.
            send: Sends a message to the client.

        Raises:
            AudioError: NaN, infinite or absurd samples.
            ValueError: A frame cannot be decoded.
        """
        frames = iter(frames)
        if (first := next(frames, None)) is not None:
            rate, decode = self._decoder
            size = round(PIECE * rate)
            for block in decode(chain([first], frames)):
                for i in range(0, len(block), size):
                    piece = block[i : i + size]
                    self._send(self._stream.push(piece), send)
                    self.seconds += len(piece) / rate
        self._send(self._stream.close(), send)

    def _send(self, segments: Sequence[Segment], send: Send) -> None:
        messages = [{"segment": asdict(s)} for s in segments] + self._ended
        self._ended.clear()
        for message in messages:
            send(message)


async def serve_stream(
    socket: WebSocket, recognizer: Recognizer, given: StreamParameters, limit: int
) -> Closed:
    """Recognise a stream until the client ends it or disconnects.

    One task reads the connection all the time, so that pings are answered; a thread recognises.

    Args:
        socket: The accepted connection.
        recognizer: The model.
        given: Parameters.
        limit: Bytes of frames that may wait to be recognised.
    """
    try:
        session = await run_in_threadpool(Session, recognizer, given)  # loads the detector
    except (AudioError, ValueError) as error:
        return Closed(REFUSED, str(error), 0.0)

    def send(message: dict[str, Any]) -> None:
        backlog.check()
        anyio.from_thread.run(_send, socket, message)

    backlog = Backlog(limit)
    recognising = asyncio.ensure_future(run_in_threadpool(session.run, backlog, send))
    reading = asyncio.ensure_future(_read(socket, session, backlog))
    try:
        await asyncio.wait({recognising, reading}, return_when=asyncio.FIRST_COMPLETED)
        first = recognising if recognising.done() else reading
        return Closed(*await _outcome(first, limit), session.seconds)
    finally:
        backlog.abort()
        reading.cancel()
        with suppress(Exception, asyncio.CancelledError):
            await asyncio.gather(recognising, reading, return_exceptions=True)


async def _outcome(task: "asyncio.Future[Any]", limit: int) -> tuple[int, str]:
    """Code and reason with which a stream is closed after one of its tasks has ended."""
    try:
        return await task or DONE, ""
    except (AudioError, ValueError) as error:
        return BAD_DATA, str(error)
    except BacklogFullError:
        return TOO_BIG, f"more than {limit / 1e6:.0f} MB wait to be recognised; send more slowly"
    except TimeoutError:
        return REFUSED, f"no frame sent, or no message read, for {TIMEOUT:.0f} s"
    except WebSocketDisconnect as error:
        return error.code, ""


async def _read(socket: WebSocket, session: Session, backlog: Backlog) -> int:
    """Put frames into the backlog until the client disconnects; the code of its close frame."""
    track = ""
    begun = ended = False
    while True:
        async with asyncio.timeout(None if ended else TIMEOUT):
            message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or 1005)
        if ended:
            continue
        data, text = message.get("bytes"), message.get("text") or ""
        event = event_of(text) if data is None and text != "end" else None
        match event:
            case Media():  # of several tracks, the first is recognised
                track = track or event.media.track
                data = event.audio if event.media.track == track else None
            case Start():
                if begun:
                    raise ValueError("the event start comes after the first frame")
                form = event.start.format
                await run_in_threadpool(session.use, form.samples, form.rate)
        if data is not None:
            begun = True
            backlog.put(data)
        elif text == "end" or isinstance(event, Stop):
            ended = True
            backlog.end()


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    async with asyncio.timeout(TIMEOUT):
        await socket.send_json(message)
