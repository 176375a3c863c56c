"""Route ``POST /v1/jobs``: queues recordings of up to 12 hours."""

import hashlib
import shutil
import uuid
from pathlib import Path
from threading import Semaphore
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from ..inference.classifier import LONG
from .access import BEARER
from .errors import error_responses, refusal
from .job import LONGEST, Job, NewJob
from .jobs import CurrentClient, state_of
from .parameters import JobParameters
from .schema import Failure, JobState
from .service import CurrentService, Service
from .store import StoreFullError
from .upload import UploadedFile, body, received
from .webhooks import is_allowed

router = APIRouter(prefix="/v1/jobs", dependencies=[BEARER])
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        description="Your name of the request: if it is sent again, it gives the same job.",
    ),
]


@router.post(
    "",
    status_code=202,
    response_model=JobState | list[JobState | Failure],
    responses=error_responses(403, 404, 408, 413, 415, 422, 429, 507),
    openapi_extra=body(JobParameters),
)
async def submit(
    request: Request,
    response: Response,
    service: CurrentService,
    client: CurrentClient,
    query: Annotated[JobParameters, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Queue a recording of up to 12 hours, or several.

    The recording is the field ``file`` of a form, or the request body with a content type of
    ``audio/*``. Parameters are query parameters or further fields of the form. The recording is
    deleted when the job ends; the result is stored for a limited time, by default a day.

    Several fields ``file`` are as many jobs. The response is a list in their order; the item of a
    recording that was not queued has the error.
    """
    settings, store = service.settings, service.store
    service.model(query.model)  # refuse an unknown one before the upload
    is_known = await run_in_threadpool(store.knows, client.name, idempotency_key)
    if not is_known and not await run_in_threadpool(store.has_room):
        raise StoreFullError
    seconds = 10 * settings.upload_seconds
    async with (
        service.slot("requests"),
        received(request, settings.job_megabytes, seconds, store.uploads) as upload,
    ):
        given = query.with_fields(upload.fields)
        _check_webhook(service, given)
        answers: list[JobState | Failure] = []
        replayed = 0
        for number, uploaded in enumerate(upload.recordings):
            key = _key_of(idempotency_key, number)
            try:
                job, is_new = await run_in_threadpool(
                    _queue, service, uploaded, given, client.name, key
                )
            except Exception as error:
                if len(upload.recordings) == 1:
                    raise
                code, detail = refusal(error)
                answers.append(Failure(file=uploaded.name, code=code, detail=detail))
            else:
                answers.append(state_of(service, job))
                replayed += not is_new
    if replayed == len(answers):
        response.headers["Idempotent-Replayed"] = "true"
    service.workers.wake()
    if len(answers) > 1:
        return answers
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return answers[0]


def _key_of(key: str | None, number: int) -> str | None:
    """The idempotency key of one of several recordings; no header has a line break."""
    return f"{key}\n{number}" if key and number else key


def _queue(
    service: Service, uploaded: UploadedFile, given: JobParameters, owner: str, key: str | None
) -> tuple[Job, bool]:
    """Queue a recording.

    Args:
        service: Has the store.
        uploaded: The recording.
        given: Parameters.
        owner: Name of the client's key, or "".
        key: Idempotency key, if any.

    Returns:
        Its job, and whether it is new.
    """
    model = service.model(given.model).name
    path = service.store.uploads / uuid.uuid4().hex
    is_new = False
    try:
        with path.open("xb") as file:
            shutil.copyfileobj(uploaded.file, file)
        job = service.store.add(
            NewJob(
                uploaded.name,
                model,
                path,
                _seconds(path, uploaded.name, given.track, service.decoding),
                given.track,
                given.speakers,
                given.channels,
                given.hop,
                given.tag,
                owner,
                given.keep_hours * 3600 if given.keep_hours else None,
                str(given.webhook or ""),
                key,
                _fingerprint(path, uploaded.name, given),
            )
        )
        is_new = job.path == path
        return job, is_new
    finally:
        if not is_new:  # it failed, or the request was sent before
            path.unlink(missing_ok=True)


def _seconds(path: Path, name: str, track: int | None, decoding: Semaphore) -> float:
    """The duration of an upload, exactly if it is short.

    Args:
        path: The upload.
        name: The client's name of the file.
        track: The audio track, as of `Decoder`.
        decoding: Limits the number of recordings that are decoded at the same time.

    Raises:
        AudioError: It cannot be decoded.
    """
    with decoding:
        decoder = Decoder(path, name=name, track=track)
        recording = decoder.read(LONG)
    if recording:
        return recording.seconds
    return max(decoder.promised, LONG + 1) if decoder.promised else LONGEST


def _fingerprint(path: Path, name: str, given: JobParameters) -> str:
    """Hash of a request, by which it is recognised when it is sent again."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(repr((name, given)).encode())
    return digest.hexdigest()


def _check_webhook(service: Service, given: JobParameters) -> None:
    """Raise `HTTPException` if the server sends no webhooks to an address."""
    if given.webhook and not is_allowed(str(given.webhook), service.settings.webhook_hosts):
        raise HTTPException(
            422, "webhook: this server sends none to this host (see --webhook-host)"
        )
