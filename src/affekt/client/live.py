"""Live speech: blocks of a recording in, segments and utterances out, over a WebSocket."""

import json
from collections.abc import Iterable, Iterator
from threading import Thread
from typing import Literal, TypedDict
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from ..types import Prediction, Segment
from .transport import ServerError

DONE, BROKEN = 1000, 1006  # close codes of RFC 6455
FRAME = 1 << 16  # bytes; the server refuses frames of more than 1 MiB


class StreamParameters(TypedDict, total=False):
    """What the blocks of a stream are, and how they are recognised; see the server for each."""

    model: str
    samples: Literal["int16", "float32", "mulaw", "alaw", "opus", "webm", "ogg"]
    rate: int
    hop: float


class StreamError(ServerError):
    """The server closed a stream before its end, or the connection broke.

    Attributes:
        code: Close code of the WebSocket; 1006 if the connection broke.
        reason: The sentence that the server gave, or "".
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason or f"the stream was closed with code {code}", code)
        self.reason = reason


def recognise_live(
    blocks: Iterable[bytes],
    url: str,
    token: str,
    timeout: float,
    parameters: StreamParameters,
) -> Iterator[Segment | Prediction]:
    """Send blocks in a thread of their own, and give the results as they come.

    Args:
        blocks: As of `Client.stream`.
        url: Address of the server.
        token: Token or key; "" for none.
        timeout: Seconds in which the connection must be open.
        parameters: As of `Client.stream`.

    Raises:
        StreamError: As of `Client.stream`.
        ServerError: The server cannot be reached.
    """
    with _connect(url, token, timeout, parameters) as socket:
        errors: list[Exception] = []
        Thread(target=_send, args=(socket, blocks, errors), daemon=True, name="stream").start()
        while True:
            try:
                message = json.loads(socket.recv())
            except ConnectionClosed as closed:
                if errors:
                    raise errors[0] from None
                frame = closed.rcvd
                if frame is None or frame.code != DONE:
                    code, reason = (frame.code, frame.reason) if frame else (BROKEN, "")
                    raise StreamError(code, reason) from closed
                return
            if "segment" in message:
                yield Segment(**message["segment"])
            else:
                yield Prediction.from_dict(message["utterance"])


def _connect(
    url: str, token: str, timeout: float, parameters: StreamParameters
) -> ClientConnection:
    """Open a stream.

    Args:
        url: As of `recognise_live`.
        token: As of `recognise_live`.
        timeout: As of `recognise_live`.
        parameters: As of `recognise_live`.

    Raises:
        ServerError: The server cannot be reached.
    """
    address = f"{url.rstrip('/').replace('http', 'ws', 1)}/v1/stream?{urlencode(parameters)}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return connect(address, additional_headers=headers, open_timeout=timeout)
    except (OSError, WebSocketException) as error:
        code = error.response.status_code if isinstance(error, InvalidStatus) else 0
        raise ServerError(f"{url}: {error}", code) from error


def _send(socket: ClientConnection, blocks: Iterable[bytes], errors: list[Exception]) -> None:
    """Send blocks and the end of the stream.

    Args:
        socket: The connection; it is closed if the blocks raise an error.
        blocks: As of `recognise_live`.
        errors: Gets the error.
    """
    try:
        for block in blocks:
            for i in range(0, len(block), FRAME):
                socket.send(block[i : i + FRAME])
        socket.send("end")
    except ConnectionClosed:
        pass  # the thread that receives raises it, with the reason
    except Exception as error:  # raised where the results are taken
        errors.append(error)
        socket.close()
