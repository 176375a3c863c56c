"""``/v1/jobs``: recordings of any length, recognised one after the other."""

import uuid
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audio.decoding import Decoder
from ..errors import AudioError
from .access import admitted
from .problems import responses
from .recognise import FILES, Format, as_file
from .schema import JobState
from .service import Served, Service
from .store import Job, StoreFullError
from .upload import BODY, receive

router = APIRouter(prefix="/v1/jobs", dependencies=[Depends(admitted)])


@router.post(
    "",
    status_code=202,
    responses=responses(403, 404, 408, 413, 415, 422, 429, 507),
    openapi_extra=BODY,
)
async def submit(
    request: Request,
    response: Response,
    service: Served,
    model: Annotated[str | None, Query(max_length=200)] = None,
) -> JobState:
    """Queue a recording. Its result stays for a day, the recording until it has been recognised."""
    recognizer, settings, store = service.model(model), service.settings, service.store
    if not await run_in_threadpool(store.room):
        raise StoreFullError
    path = store.uploads / uuid.uuid4().hex
    try:
        async with service.slot("requests"):
            with path.open("xb") as file:
                name = await receive(
                    request, file, settings.job_megabytes, 10 * settings.upload_seconds
                )
            async with service.decoding:
                await run_in_threadpool(_begins, path, name)
        job = await run_in_threadpool(store.add, name, recognizer.name, path)
    except BaseException:  # the client may also be gone
        path.unlink(missing_ok=True)
        raise
    service.worker.wake()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return _state(service, job)


def _begins(path: Path, name: str) -> None:
    """Refuse at once what is no recording."""
    if not path.stat().st_size:
        raise AudioError(f"{name}: the file is empty")
    decoder = Decoder(path)
    decoder.name = name
    decoder.whole(0)


@router.get(
    "/{job}",
    response_model=JobState,
    responses=FILES | responses(403, 404, 409, 422),
)
def state(job: str, service: Served, format: Format = "json") -> JobState | Response:
    """How far a job is; its result once it is done, in the format that is asked for."""
    found = _found(service, job)
    if format == "json":
        return _state(service, found)
    if found.status != "done":
        raise HTTPException(409, f"the job is {found.status}; its result comes when it is done")
    return as_file(service.store.result(found.id), format)


@router.delete("/{job}", status_code=204, responses=responses(403, 404, 422))
def delete(job: str, service: Served) -> None:
    """Forget a job, its result and its recording."""
    service.store.delete(_found(service, job))


def _found(service: Service, job: str) -> Job:
    if found := service.store.get(job):
        return found
    raise HTTPException(404, "no such job; results are kept for a limited time")


def _state(service: Service, job: Job) -> JobState:
    done = job.status == "done"
    result = [p.to_dict() for p in service.store.result(job.id)] if done else None
    values = {name: getattr(job, name) for name in JobState.model_fields if name != "result"}
    return JobState(**values, result=result)
