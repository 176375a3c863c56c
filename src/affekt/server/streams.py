"""Route ``/v1/stream``: the WebSocket, and its description."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, WebSocket
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from . import schema
from .access import BEARER, STREAM
from .errors import error_responses
from .live import Closed, serve_stream
from .monitoring import STREAMS
from .parameters import StreamParameters
from .service import CurrentService, Service
from .sockets import INTERNAL, REFUSED, TRY_AGAIN, accept, close

router = APIRouter(prefix="/v1")


class StreamMessage(BaseModel):
    """A message of the server on a stream: one of the two."""

    segment: schema.Segment | None = None
    utterance: schema.Prediction | None = None


UPGRADE: dict[int | str, dict[str, Any]] = {
    101: {
        "description": "The WebSocket is open. Each message of the server is a text frame.",
        "content": {"application/json": {"schema": StreamMessage.model_json_schema()}},
    },
    426: {"model": schema.Problem, "description": "The request does not open a WebSocket."},
}


@router.websocket("/stream")
async def stream(
    socket: WebSocket, service: CurrentService, given: Annotated[StreamParameters, Query()]
) -> None:
    """Recognise a live stream."""
    await accept(socket)
    closed = Closed(INTERNAL, "internal error; its cause is in the log of the server", 0.0)
    try:
        closed = await _served(socket, service, given)
    finally:
        socket.state.audio_seconds = round(closed.seconds, 2)  # for the log
        await close(socket, closed.code, closed.reason)


async def _served(socket: WebSocket, service: Service, given: StreamParameters) -> Closed:
    try:
        STREAM(socket)
        recognizer = service.model(given.model)
    except HTTPException as error:
        return Closed(REFUSED, str(error.detail), 0.0)
    try:
        async with service.slot("streams"):
            STREAMS.inc()
            try:
                limit = service.settings.job_megabytes * 1_000_000
                return await serve_stream(socket, recognizer, given, limit)
            finally:
                STREAMS.dec()
    except HTTPException as error:
        return Closed(TRY_AGAIN, str(error.detail), 0.0)


@router.get(
    "/stream",
    dependencies=[BEARER, Depends(STREAM)],
    status_code=426,
    responses=UPGRADE | error_responses(403, 422, 429),
)
def stream_description(_: Annotated[StreamParameters, Query()]) -> None:
    """Open a WebSocket for live speech.

    Send binary frames of what `samples` says, then the text frame `end`. In place of binary frames
    you can send JSON text frames as Twilio's Media Streams do: `{"event": "start", "start":
    {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}}`, then for each piece
    `{"event": "media", "media": {"payload": "<Base64>"}}`, and `{"event": "stop"}`.

    The server sends `{"segment": ...}` every `hop` seconds and `{"utterance": ...}` after each
    utterance, and closes with 1000. A browser sends its token as the subprotocol `token.TOKEN`,
    beside `affekt`.
    """
    raise HTTPException(426, "open a WebSocket here", {"Upgrade": "websocket"})
