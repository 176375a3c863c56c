"""Routes ``/v1/recognise`` and ``/v1/audio/emotions``: short recordings."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from ..audio.recording import Recording
from ..formats import writers
from ..inference.classifier import LONG
from ..inference.pipeline import combine, recognise_file
from ..types import Prediction
from . import schema
from .access import BEARER, RECOGNISE
from .errors import error_responses, refusal
from .monitoring import RECOGNISED
from .parameters import (
    EmotionParameters,
    Format,
    RecogniseParameters,
    Recognition,
)
from .service import CurrentService, Service
from .tracing import Attributes, span
from .upload import UploadedFile, body, received

router = APIRouter(prefix="/v1", dependencies=[BEARER])
TYPES = {"csv": "text/csv", "srt": "application/x-subrip", "vtt": "text/vtt", "eaf": "text/xml"}
AT_ONCE = 4  # recordings of one request; with more, those of other clients would wait
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            kind: {"schema": {"type": "string"}} for kind in sorted({*TYPES.values(), "text/plain"})
        }
    }
}
ERRORS = error_responses(403, 404, 408, 413, 415, 422, 429)
Given = TypeVar("Given", bound=Recognition)
Answer = TypeVar("Answer")
Emotions = schema.Emotion | schema.Recording


@router.post(
    "/recognise",
    dependencies=[Depends(RECOGNISE)],
    response_model=schema.Recording | list[schema.Recording | schema.Failure],
    responses=FILES | ERRORS,
    openapi_extra=body(RecogniseParameters),
)
async def recognise(
    request: Request, service: CurrentService, query: Annotated[RecogniseParameters, Query()]
) -> Any:
    """Recognise a recording of up to 30 s, or several.

    The recording is the field ``file`` of a form, or the request body with a content type of
    ``audio/*``. Parameters are query parameters or further fields of the form. The response
    describes the recording, with the objects of its utterances that ``affekt predict --json``
    prints; another format than json has the utterances only.

    Several fields ``file`` give a list in their order, as json only. The item of a recording that
    cannot be recognised has the error.
    """

    def answer(
        given: RecogniseParameters, predictions: list[Prediction]
    ) -> schema.Recording | Response:
        if given.format == "json":
            return _recording(predictions)
        return as_file(predictions, given.format)

    return await _recognised(request, service, query, answer)


@router.post(
    "/audio/emotions",
    dependencies=[Depends(RECOGNISE)],
    response_model=Emotions | list[Emotions | schema.Failure],
    responses=FILES | ERRORS,
    openapi_extra=body(EmotionParameters),
)
async def emotions(
    request: Request, service: CurrentService, query: Annotated[EmotionParameters, Query()]
) -> Any:
    """Recognise a recording of up to 30 s, or several, for clients of OpenAI's ``/v1/audio``.

    The same as ``/v1/recognise``, with ``response_format`` in place of ``format``, and a short
    response by default.
    """

    def answer(given: EmotionParameters, predictions: list[Prediction]) -> Emotions | Response:
        recording = _recording(predictions)
        match given.response_format:
            case "json":
                short = recording.model_dump(include={*schema.Emotion.model_fields})
                return schema.Emotion(**short)
            case "verbose_json":
                return recording
            case "text":
                return PlainTextResponse(recording.label + "\n")
            case kind:
                return as_file(predictions, kind)

    return await _recognised(request, service, query, answer)


async def _recognised(
    request: Request,
    service: Service,
    query: Given,
    answer: Callable[[Given, list[Prediction]], Answer],
) -> Answer | list[Answer | schema.Failure]:
    """The response to a request.

    Args:
        request: Has the recordings.
        service: Has the models.
        query: Parameters of the query.
        answer: The response about one recording, from all parameters and the predictions of its
            utterances.

    Returns:
        That response, or of several recordings a list.
    """
    service.model(query.model)  # refuse an unknown one before the upload
    settings = service.settings
    async with (
        service.slot("requests"),
        received(request, settings.megabytes, settings.upload_seconds) as upload,
    ):
        given = query.with_fields(upload.fields)
        if len(upload.recordings) == 1:
            return answer(given, await _recognise(service, given, upload.recordings[0]))
        given.require_list()
        at_once = asyncio.Semaphore(AT_ONCE)

        async def one(uploaded: UploadedFile) -> Answer | schema.Failure:
            async with at_once:
                try:
                    return answer(given, await _recognise(service, given, uploaded))
                except Exception as error:
                    code, detail = refusal(error)
                    return schema.Failure(file=uploaded.name, code=code, detail=detail)

        return [*await asyncio.gather(*map(one, upload.recordings))]


async def _recognise(
    service: Service, given: Recognition, uploaded: UploadedFile
) -> list[Prediction]:
    """Recognise the utterances of a short recording.

    Raises:
        HTTPException: The recording is longer than 30 s, or there is no such model.
        AudioError: The file cannot be read as a recording.
    """
    recognizer = service.model(given.model).at_hop(given.hop)

    def decoded() -> Recording:
        with service.decoding:
            recording = Decoder(uploaded.file, name=uploaded.name, track=given.track).read(LONG)
        if recording is None:
            raise HTTPException(413, f"longer than {LONG:.0f} s; send it to /v1/jobs")
        return recording

    def recognised_by_channel() -> list[Prediction]:
        uploaded.file.seek(0)
        return [*recognise_file(recognizer, uploaded.file, given.options, name=uploaded.name)]

    recording = await run_in_threadpool(decoded)
    about: Attributes = {
        "affekt.model": recognizer.name,
        "affekt.audio.seconds": round(recording.seconds, 3),
    }
    with span("recognise", about):
        if given.channels == "split":
            predictions = await run_in_threadpool(recognised_by_channel)
        else:
            submitted = recognizer.submit(recording, given.options)
            [predictions] = await asyncio.wrap_future(submitted)
    RECOGNISED.labels(recognizer.name).inc(recording.seconds)
    return predictions


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
