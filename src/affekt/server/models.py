"""Routes ``/v1/models``: which models there are, and loading them anew."""

import multiprocessing
import os
import signal

from fastapi import APIRouter, Depends

from . import schema
from .access import ADMIN, ANY, BEARER
from .errors import error_responses
from .parameters import no_parameters
from .service import CurrentService

router = APIRouter(prefix="/v1/models", dependencies=[BEARER, Depends(no_parameters)])


@router.get("", dependencies=[Depends(ANY)], responses=error_responses(403, 422, 429))
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
    "/reload", dependencies=[Depends(ADMIN)], responses=error_responses(403, 409, 422, 429)
)
def reload(service: CurrentService) -> schema.Reloaded:
    """Load the models anew whose folders have changed on disk.

    Requests, jobs and streams that have begun end with the old ones. If one of the new models
    cannot be loaded, all stay as they were. With keys, the scope ``admin`` is needed. Of several
    worker processes, the others load the models soon afterwards.
    """
    reloaded = service.loader.reload()
    parent = multiprocessing.parent_process()
    if service.settings.workers > 1 and parent and parent.pid and parent.is_alive():
        os.kill(parent.pid, signal.SIGHUP)
    return reloaded
