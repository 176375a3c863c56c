"""Routes ``/v1/jobs``: the state, results and events of jobs, and their deletion."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from .access import BEARER, JOBS, Client
from .errors import error_responses
from .job import Job
from .parameters import (
    EventsQuery,
    JobQuery,
    JobsQuery,
    TagQuery,
    no_parameters,
)
from .recognise import FILES, as_file
from .schema import Deleted, JobEvent, JobList, JobState, Prediction
from .service import CurrentService, Service

router = APIRouter(prefix="/v1/jobs", dependencies=[BEARER])
CurrentClient = Annotated[Client, Depends(JOBS)]
POLL = 0.25  # s between two looks at a job whose events are sent


@router.get("", responses=error_responses(403, 422, 429))
def jobs(
    service: CurrentService, client: CurrentClient, query: Annotated[JobsQuery, Query()]
) -> JobList:
    """Jobs, the latest first, without their results."""
    found = service.store.find(
        client.owner, query.tag, query.status, query.after, query.limit + 1, query.id
    )
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
        return state_of(service, job, query.after)
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


def state_of(service: Service, job: Job, after: int | None = None) -> JobState:
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
