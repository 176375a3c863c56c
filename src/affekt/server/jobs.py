"""Routes ``/v1/jobs``: recordings of up to 12 hours, recognised in the background."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Semaphore
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from ..inference.classifier import LONG
from .access import BEARER, JOBS, Client
from .errors import error_responses
from .job import LONGEST, Job, NewJob
from .parameters import (
    EventsQuery,
    JobParameters,
    JobQuery,
    JobsQuery,
    TagQuery,
    no_parameters,
)
from .recognise import FILES, as_file
from .schema import Deleted, JobEvent, JobList, JobState, Prediction
from .service import CurrentService, Service
from .store import StoreFullError
from .upload import body, receive
from .webhooks import is_allowed

router = APIRouter(prefix="/v1/jobs", dependencies=[BEARER])
CurrentClient = Annotated[Client, Depends(JOBS)]
POLL = 0.25  # s between two looks at a job whose events are sent
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
) -> JobState:
    """Queue a recording of up to 12 hours.

    The recording is the field ``file`` of a form, or the request body with a content type of
    ``audio/*``. Parameters are query parameters or further fields of the form. The recording is
    deleted when the job ends; the result is stored for a limited time, by default a day.
    """
    settings, store = service.settings, service.store
    service.model(query.model)  # refuse an unknown one before the upload
    is_known = await run_in_threadpool(store.knows, client.name, idempotency_key)
    if not is_known and not await run_in_threadpool(store.has_room):
        raise StoreFullError
    path = store.uploads / uuid.uuid4().hex
    try:
        async with service.slot("requests"):
            with path.open("xb") as file:
                name, fields = await receive(
                    request, file, settings.job_megabytes, 10 * settings.upload_seconds
                )
            given = query.with_fields(fields)
            _check_webhook(service, given)
            new = NewJob(
                name,
                service.model(given.model).name,
                path,
                await run_in_threadpool(_seconds, path, name, given.track, service.decoding),
                given.track,
                given.speakers,
                given.channels,
                given.hop,
                given.tag,
                client.name,
                given.keep_hours * 3600 if given.keep_hours else None,
                str(given.webhook or ""),
                idempotency_key,
                await run_in_threadpool(_fingerprint, path, name, given),
            )
        job = await run_in_threadpool(store.add, new)
    except BaseException:  # also if the client disconnects, which cancels this task
        path.unlink(missing_ok=True)
        raise
    if job.path != path:  # the request was sent before
        path.unlink(missing_ok=True)
        response.headers["Idempotent-Replayed"] = "true"
    service.workers.wake()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return _state(service, job)


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


@router.get("", responses=error_responses(403, 422, 429))
def jobs(
    service: CurrentService, client: CurrentClient, query: Annotated[JobsQuery, Query()]
) -> JobList:
    """Jobs, the latest first, without their results."""
    found = service.store.find(client.owner, query.tag, query.status, query.after, query.limit + 1)
    states = [_without_result(service, job) for job in found[: query.limit]]
    return JobList(jobs=states, next=states[-1].id if len(found) > query.limit else None)


@router.delete("", responses=error_responses(403, 422, 429))
def delete_tagged(
    service: CurrentService, client: CurrentClient, query: Annotated[TagQuery, Query()]
) -> Deleted:
    """Delete all jobs with a tag, their results and their recordings."""
    found = service.store.find(client.owner, query.tag, limit=-1)
    service.store.delete(*found)
    return Deleted(deleted=len(found))


def current_job(job: str, service: CurrentService, client: CurrentClient) -> Job:
    """The job of a path.

    Raises:
        HTTPException: 404 if there is none, or it is another client's.
    """
    found = service.store.get(job)
    if found and client.owner in (None, found.owner):
        return found
    raise HTTPException(404, "no job with this id; results are stored for a limited time")


CurrentJob = Annotated[Job, Depends(current_job)]


@router.get(
    "/{job}",
    response_model=JobState,
    responses=FILES | error_responses(403, 404, 409, 422, 429),
)
def state(
    job: CurrentJob, service: CurrentService, query: Annotated[JobQuery, Query()]
) -> JobState | Response:
    """The state of a job, and its result.

    The result comes when the job is done, or with ``after`` as far as it is known.
    """
    if query.format == "json":
        return _state(service, job, query.after)
    if job.status != "done":
        raise HTTPException(
            409, f"the job is {job.status}; the result is available when it is done"
        )
    return as_file(service.store.result(job.id, query.after or 0), query.format)


@router.get(
    "/{job}/events",
    response_class=EventSourceResponse,
    responses=error_responses(403, 404, 422, 429),
)
async def events(
    job: CurrentJob,
    service: CurrentService,
    query: Annotated[EventsQuery, Query()],
    last_event_id: Annotated[int, Header(ge=0, le=10**9)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """The predictions of a job as they come: server-sent events until the job has ended.

    Events are ``utterance`` with a prediction, whose ``id`` is the number of predictions so far,
    ``progress``, and at the end ``done``, ``failed`` or ``deleted``. A client that connects again
    goes on from ``Last-Event-ID``.
    """
    number = max(query.after, last_event_id)
    progress = -1.0
    while True:
        current = await run_in_threadpool(service.store.get, job.id)
        for prediction in await run_in_threadpool(service.store.result, job.id, number):
            number += 1
            yield ServerSentEvent(data=prediction.to_dict(), event="utterance", id=str(number))
        if not current:
            data = JobEvent(status="deleted", progress=job.progress)
            yield ServerSentEvent(data=data, event="deleted")
            return
        if current.has_ended or current.progress != progress:
            progress = current.progress
            data = JobEvent.model_validate(current, from_attributes=True)
            yield ServerSentEvent(
                data=data, event=current.status if current.has_ended else "progress"
            )
        if current.has_ended:
            return
        await asyncio.sleep(POLL)


@router.delete(
    "/{job}",
    dependencies=[Depends(no_parameters)],
    status_code=204,
    responses=error_responses(403, 404, 422, 429),
)
def delete(job: CurrentJob, service: CurrentService) -> None:
    """Delete a job, its result and its recording."""
    service.store.delete(job)


def _state(service: Service, job: Job, after: int | None = None) -> JobState:
    """The response about a job.

    Args:
        service: Has the store.
        job: The job.
        after: Number of predictions to leave out; None for a result only if the job is done.
    """
    state, store = _without_result(service, job), service.store
    if after is not None or job.status == "done":
        state.result = [Prediction(**p.to_dict()) for p in store.result(job.id, after or 0)]
    return state


def _without_result(service: Service, job: Job) -> JobState:
    store = service.store
    further = {
        "expires": job.expires(store.keep_seconds),
        "available": store.available(job.id),
    }
    return JobState.model_validate(vars(job) | further)
