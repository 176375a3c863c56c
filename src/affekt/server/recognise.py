"""Routes ``/v1/recognise``, ``/v1/models`` and ``/v1/stream``."""

import tempfile
from threading import Semaphore
from typing import Annotated, Any, BinaryIO, Literal, cast

from fastapi import APIRouter, Depends, Query, Request, Response, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from ..formats import writers
from ..inference.classifier import LONG
from ..inference.pipeline import combine, recognise_file
from ..inference.recognizer import HOP, Recognizer
from ..inference.speakers import SpeakerCount
from ..inference.utterances import Options
from ..types import Prediction
from . import schema
from .access import check_access
from .errors import error_responses
from .live import Samples, serve_stream
from .monitoring import RECOGNISED, STREAMS
from .service import CurrentService
from .sockets import REFUSED, TRY_AGAIN, accept, close
from .upload import BODY, receive

router = APIRouter(prefix="/v1")
Format = Literal["json", "csv", "rttm", "srt", "vtt", "textgrid", "eaf"]
TYPES = {"csv": "text/csv", "srt": "application/x-subrip", "vtt": "text/vtt", "eaf": "text/xml"}
ModelName = Annotated[
    str | None, Query(max_length=200, description="Name of a model; by default the first one.")
]
AudioTrack = Annotated[
    int | None,
    Query(
        ge=1,
        le=1000,
        description="Audio track of a file that has several, from 1 on; by default the default "
        "track of the file, else the first.",
    ),
]
NumberOfSpeakers = Annotated[
    Literal["auto"] | Annotated[int, Query(ge=1, le=20)],
    Query(description='Number of speakers, or "auto" to estimate it (diarisation).'),
]
SPOOLED = 1 << 20  # bytes; a larger recording is written to disk
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            kind: {"schema": {"type": "string"}} for kind in sorted({*TYPES.values(), "text/plain"})
        }
    }
}


@router.get("/models", dependencies=[Depends(check_access)], responses=error_responses(403))
def models(service: CurrentService) -> list[schema.Model]:
    """The models, their classes, intended use and license."""
    default = service.model(None)
    return [
        schema.Model(
            name=m.name,
            labels=m.labels,
            intended_use=m.intended_use,
            license=m.license,
            default=m is default,
            note=m.intended_use,
            terms=m.license,
        )
        for m in service.models.values()
    ]


@router.post(
    "/recognise",
    dependencies=[Depends(check_access)],
    response_model=schema.Recording,
    responses=FILES | error_responses(403, 404, 408, 413, 415, 422, 429),
    openapi_extra=BODY,
)
async def recognise(
    request: Request,
    service: CurrentService,
    model: ModelName = None,
    track: AudioTrack = None,
    speakers: NumberOfSpeakers = 1,
    format: Annotated[Format, Query(description="Format of the response.")] = "json",
) -> schema.Recording | Response:
    """Recognise a recording of up to 30 s.

    The recording is the field ``file`` of a form, or the request body with a content type of
    ``audio/*``. The response describes the recording, with the objects of its utterances that
    ``affekt predict --json`` prints; another format than json has the utterances only.
    """
    recognizer, settings = service.model(model), service.settings
    async with service.slot("requests"):
        with tempfile.SpooledTemporaryFile(SPOOLED) as file:
            target = cast(BinaryIO, file)
            name = await receive(request, target, settings.megabytes, settings.upload_seconds)
            predictions = await run_in_threadpool(
                _recognise, recognizer, target, name, track, speakers, service.decoding
            )
    whole = combine(predictions)
    RECOGNISED.labels(recognizer.name).inc(whole.duration)
    if format != "json":
        return as_file(predictions, format)
    utterances = [schema.Prediction(**p.to_dict()) for p in predictions]
    return schema.Recording(**whole.to_dict(), utterances=utterances)


def _recognise(
    recognizer: Recognizer,
    file: BinaryIO,
    name: str,
    track: int | None,
    speakers: SpeakerCount,
    decoding: Semaphore,
) -> list[Prediction]:
    """Recognise the utterances of a short recording.

    Args:
        recognizer: The model.
        file: The uploaded recording.
        name: The client's name of the file.
        track: The audio track, as of `Decoder`.
        speakers: Number of speakers, or "auto".
        decoding: Limits the number of recordings that are decoded at the same time.

    Raises:
        HTTPException: The recording is longer than 30 s.
        AudioError: The file cannot be read as a recording.
    """
    file.seek(0)
    with decoding:
        recording = Decoder(file.read(), name=name, track=track).read(LONG)
    if recording is None:
        raise HTTPException(413, f"longer than {LONG:.0f} s; send it to /v1/jobs")
    return list(recognise_file(recognizer, recording, Options(speakers=speakers)))


def as_file(predictions: list[Prediction], kind: Format) -> Response:
    """Response with predictions in a file format."""
    text = writers.TEXT_FORMATS[f".{kind}"](predictions)
    disposition = {"Content-Disposition": f'attachment; filename="emotions.{kind}"'}
    return Response(text, media_type=TYPES.get(kind, "text/plain"), headers=disposition)


@router.websocket("/stream")
async def stream(
    socket: WebSocket,
    service: CurrentService,
    model: ModelName = None,
    rate: Annotated[int, Query(ge=1)] = 16_000,
    samples: Samples = "int16",
    hop: float = HOP,
) -> None:
    """Recognise a live stream; ``docs/en/how-to/serve.md`` describes its messages.

    Args:
        socket: The connection.
        service: Models and limits.
        model: Name of a model; by default the first one.
        rate: See `serve_stream`.
        samples: See `serve_stream`.
        hop: See `serve_stream`.
    """
    await accept(socket)
    try:
        check_access(socket)
        recognizer = service.model(model)
    except HTTPException as error:
        return await close(socket, REFUSED, str(error.detail))
    try:
        async with service.slot("streams"):
            STREAMS.inc()
            try:
                await serve_stream(socket, recognizer, rate, samples, hop)
            finally:
                STREAMS.dec()
    except HTTPException as error:
        await close(socket, TRY_AGAIN, str(error.detail))
