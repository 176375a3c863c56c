"""Routes ``/v1/recognise``, ``/v1/audio/emotions`` and ``/v1/models``: short recordings."""

import tempfile
from dataclasses import replace
from threading import Semaphore
from typing import Annotated, Any, BinaryIO, TypeVar, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from ..formats import writers
from ..inference.classifier import LONG
from ..inference.pipeline import combine, recognise_file
from ..types import Prediction
from . import schema
from .access import ANY, BEARER, RECOGNISE
from .errors import error_responses
from .monitoring import RECOGNISED
from .parameters import (
    EmotionParameters,
    Format,
    RecogniseParameters,
    Recognition,
    no_parameters,
)
from .service import CurrentService, Service
from .shared import SharedRecognizer
from .upload import body, receive

router = APIRouter(prefix="/v1", dependencies=[BEARER])
TYPES = {"csv": "text/csv", "srt": "application/x-subrip", "vtt": "text/vtt", "eaf": "text/xml"}
SPOOLED = 1 << 20  # bytes; a larger recording is written to disk
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            kind: {"schema": {"type": "string"}} for kind in sorted({*TYPES.values(), "text/plain"})
        }
    }
}
ERRORS = error_responses(403, 404, 408, 413, 415, 422, 429)
Given = TypeVar("Given", bound=Recognition)


@router.get(
    "/models",
    dependencies=[Depends(ANY), Depends(no_parameters)],
    responses=error_responses(403, 422, 429),
)
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
        for m in [*service.models.values()]  # one may be added meanwhile
    ]


@router.post(
    "/recognise",
    dependencies=[Depends(RECOGNISE)],
    response_model=schema.Recording,
    responses=FILES | ERRORS,
    openapi_extra=body(RecogniseParameters),
)
async def recognise(
    request: Request, service: CurrentService, query: Annotated[RecogniseParameters, Query()]
) -> schema.Recording | Response:
    """Recognise a recording of up to 30 s.

    The recording is the field ``file`` of a form, or the request body with a content type of
    ``audio/*``. Parameters are query parameters or further fields of the form. The response
    describes the recording, with the objects of its utterances that ``affekt predict --json``
    prints; another format than json has the utterances only.
    """
    given, predictions = await _recognised(request, service, query)
    if given.format != "json":
        return as_file(predictions, given.format)
    return _recording(predictions)


@router.post(
    "/audio/emotions",
    dependencies=[Depends(RECOGNISE)],
    response_model=schema.Emotion | schema.Recording,
    responses=FILES | ERRORS,
    openapi_extra=body(EmotionParameters),
)
async def emotions(
    request: Request, service: CurrentService, query: Annotated[EmotionParameters, Query()]
) -> schema.Emotion | schema.Recording | Response:
    """Recognise a recording of up to 30 s, for clients of OpenAI's ``/v1/audio`` routes.

    The same as ``/v1/recognise``, with ``response_format`` in place of ``format``, and a short
    response by default.
    """
    given, predictions = await _recognised(request, service, query)
    recording = _recording(predictions)
    match given.response_format:
        case "json":
            return schema.Emotion(**recording.model_dump(include={*schema.Emotion.model_fields}))
        case "verbose_json":
            return recording
        case "text":
            return PlainTextResponse(recording.label + "\n")
        case kind:
            return as_file(predictions, kind)


async def _recognised(
    request: Request, service: Service, query: Given
) -> tuple[Given, list[Prediction]]:
    """The parameters of a request and the predictions of the utterances of its recording."""
    service.model(query.model)  # refuse an unknown one before the upload
    settings = service.settings
    async with service.slot("requests"):
        with tempfile.SpooledTemporaryFile(SPOOLED) as file:
            target = cast(BinaryIO, file)
            upload = await receive(request, target, settings.megabytes, settings.upload_seconds)
            given = query.with_fields(upload.fields)
            recognizer = service.model(given.model)
            predictions = await run_in_threadpool(
                _recognise, recognizer, target, upload.name, given, service.decoding
            )
    RECOGNISED.labels(recognizer.name).inc(_whole(predictions).duration)
    return given, predictions


def _recognise(
    recognizer: SharedRecognizer,
    file: BinaryIO,
    name: str,
    given: Recognition,
    decoding: Semaphore,
) -> list[Prediction]:
    """Recognise the utterances of a short recording.

    Args:
        recognizer: The model.
        file: The uploaded recording.
        name: The client's name of the file.
        given: Parameters.
        decoding: Limits the number of recordings that are decoded at the same time.

    Raises:
        HTTPException: The recording is longer than 30 s.
        AudioError: The file cannot be read as a recording.
    """
    file.seek(0)
    data = file.read()
    with decoding:
        recording = Decoder(data, name=name, track=given.track).read(LONG)
    if recording is None:
        raise HTTPException(413, f"longer than {LONG:.0f} s; send it to /v1/jobs")
    source = data if given.channels == "split" else recording  # which has the mean of all
    return list(recognise_file(recognizer.at_hop(given.hop), source, given.options, name=name))


def _whole(predictions: list[Prediction]) -> Prediction:
    """The prediction of a recording, of all its channels."""
    channels = {p.channel for p in predictions}
    return replace(combine(predictions), channel=channels.pop() if len(channels) == 1 else 0)


def _recording(predictions: list[Prediction]) -> schema.Recording:
    utterances = [schema.Prediction(**p.to_dict()) for p in predictions]
    return schema.Recording(**_whole(predictions).to_dict(), utterances=utterances)


def as_file(predictions: list[Prediction], kind: Format) -> Response:
    """Response with predictions in a file format."""
    text = writers.TEXT_FORMATS[f".{kind}"](predictions)
    disposition = {"Content-Disposition": f'attachment; filename="emotions.{kind}"'}
    return Response(text, media_type=TYPES.get(kind, "text/plain"), headers=disposition)
