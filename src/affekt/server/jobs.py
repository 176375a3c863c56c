"""Routes ``/v1/jobs``: recordings of up to 12 hours, recognised in the background."""

import uuid
from pathlib import Path
from threading import Semaphore
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from .access import GUARD
from .errors import error_responses
from .parameters import Format, Recognition
from .recognise import FILES, as_file
from .schema import JobState
from .service import CurrentService, Service
from .store import Job, StoreFullError
from .upload import body, receive

router = APIRouter(prefix="/v1/jobs", dependencies=GUARD)


@router.post(
    "",
    status_code=202,
    responses=error_responses(403, 404, 408, 413, 415, 422, 429, 507),
    openapi_extra=body(Recognition),
)
async def submit(
    request: Request,
    response: Response,
    service: CurrentService,
    query: Annotated[Recognition, Query()],
) -> JobState:
    """Queue a recording of up to 12 hours.

    The recording is deleted when the job ends; the result is stored for a limited time, by default
    a day.
    """
    service.model(query.model)
    settings, store = service.settings, service.store
    if not await run_in_threadpool(store.has_room):
        raise StoreFullError
    path = store.uploads / uuid.uuid4().hex
    try:
        async with service.slot("requests"):
            with path.open("xb") as file:
                name, fields = await receive(
                    request, file, settings.job_megabytes, 10 * settings.upload_seconds
                )
            given = query.with_fields(fields)
            recognizer = service.model(given.model)
            await run_in_threadpool(_check_readable, path, name, given.track, service.decoding)
        job = await run_in_threadpool(
            store.add, name, recognizer.name, path, given.track, given.speakers
        )
    except BaseException:  # also if the client disconnects, which cancels this task
        path.unlink(missing_ok=True)
        raise
    service.worker.wake()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return _state(service, job)


def _check_readable(path: Path, name: str, track: int | None, decoding: Semaphore) -> None:
    """Decode the beginning of an upload.

    Args:
        path: The upload.
        name: The client's name of the file.
        track: The audio track, as of `Decoder`.
        decoding: Limits the number of recordings that are decoded at the same time.

    Raises:
        AudioError: It cannot be decoded.
    """
    with decoding:
        Decoder(path, name=name, track=track).read(0)


@router.get(
    "/{job}",
    response_model=JobState,
    responses=FILES | error_responses(403, 404, 409, 422),
)
def state(
    job: str,
    service: CurrentService,
    format: Annotated[Format, Query(description="Format of the result.")] = "json",
) -> JobState | Response:
    """The state of a job; once it is done, its result in the requested format."""
    current = _job(service, job)
    if format == "json":
        return _state(service, current)
    if current.status != "done":
        raise HTTPException(
            409, f"the job is {current.status}; the result is available when it is done"
        )
    return as_file(service.store.result(current.id), format)


@router.delete("/{job}", status_code=204, responses=error_responses(403, 404, 422))
def delete(job: str, service: CurrentService) -> None:
    """Delete a job, its result and its recording."""
    service.store.delete(_job(service, job))


def _job(service: Service, job_id: str) -> Job:
    if job := service.store.get(job_id):
        return job
    raise HTTPException(404, "no job with this id; results are stored for a limited time")


def _state(service: Service, job: Job) -> JobState:
    done = job.status == "done"
    result = [p.to_dict() for p in service.store.result(job.id)] if done else None
    values = {name: getattr(job, name) for name in JobState.model_fields if name != "result"}
    return JobState(**values, result=result)
