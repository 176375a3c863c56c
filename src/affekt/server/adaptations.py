"""Routes ``/v1/adaptations``: labelled clips become a new model of the server."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from . import schema
from .access import ADAPT, BEARER, Client
from .adaptation import Adaptation, Adaptations, NameTakenError, TooManyError
from .errors import error_responses
from .labelled_clips import ClipsError, unpack
from .parameters import AdaptationParameters, no_parameters
from .service import CurrentService
from .upload import body, received

CurrentClient = Annotated[Client, Depends(ADAPT)]
OFF = "this server adapts no models; its operator can start it with affekt serve --adapt FOLDER"


def current_adaptations(service: CurrentService, _: CurrentClient) -> Adaptations:
    """The adaptations of the server.

    Raises:
        HTTPException: 404 if it was started without ``--adapt``.
    """
    if service.adaptations is None:
        raise HTTPException(404, OFF)
    return service.adaptations


CurrentAdaptations = Annotated[Adaptations, Depends(current_adaptations)]
router = APIRouter(prefix="/v1/adaptations", dependencies=[BEARER])


def _body() -> dict[str, Any]:
    """OpenAPI description of an upload: a form only."""
    described = body(AdaptationParameters)
    content = described["requestBody"]["content"]
    content.pop("audio/*")
    properties = content["multipart/form-data"]["schema"]["properties"]
    description = "A ZIP archive of labelled clips, as the page exports it."
    properties["file"] = {"type": "string", "format": "binary", "description": description}
    return described


@router.post(
    "",
    status_code=202,
    responses=error_responses(403, 404, 408, 409, 413, 415, 422, 429, 507),
    openapi_extra=_body(),
)
async def adapt(
    request: Request,
    service: CurrentService,
    client: CurrentClient,
    adaptations: CurrentAdaptations,
    query: Annotated[AdaptationParameters, Query()],
) -> schema.Adaptation:
    """Adapt a model to labelled clips, in the background.

    The field ``file`` of the form is a ZIP archive with ``manifest.csv`` (path, label, speaker) and
    the clips that it names. The new model is served as soon as the adaptation is done. The clips
    are deleted then.
    """
    settings = service.settings
    service.model(query.model)  # refuse an unknown one before the upload
    async with service.slot("requests"):
        seconds = 10 * settings.upload_seconds
        async with received(request, settings.job_megabytes, seconds) as upload:
            if len(upload.recordings) > 1:
                raise HTTPException(422, "form file: given several times; send one archive")
            archive = upload.recordings[0].file
            given = query.with_fields(upload.fields)
            model = service.model(given.model).name
            try:
                adaptation = await run_in_threadpool(
                    adaptations.add,
                    given.name or f"{model}-adapted",
                    model,
                    client.name,
                    lambda folder: unpack(archive, folder, settings.job_megabytes),
                )
            except ClipsError as error:
                raise HTTPException(422, str(error)) from error
            except NameTakenError as error:
                raise HTTPException(409, str(error)) from error
            except TooManyError as error:
                raise HTTPException(429, str(error), {"Retry-After": "30"}) from error
    return _state(adaptation)


@router.get(
    "", dependencies=[Depends(no_parameters)], responses=error_responses(403, 404, 422, 429)
)
def adaptations(client: CurrentClient, adaptations: CurrentAdaptations) -> list[schema.Adaptation]:
    """Adaptations, the latest first."""
    return [_state(one) for one in adaptations.find(client.owner)]


def current_adaptation(
    adaptation: str, client: CurrentClient, adaptations: CurrentAdaptations
) -> Adaptation:
    """The adaptation of a path.

    Raises:
        HTTPException: 404 if there is none, or it is another client's.
    """
    for one in adaptations.find(client.owner):
        if one.id == adaptation:
            return one
    raise HTTPException(404, "no adaptation with this id; they are stored for a limited time")


CurrentAdaptation = Annotated[Adaptation, Depends(current_adaptation)]


@router.get(
    "/{adaptation}",
    dependencies=[Depends(no_parameters)],
    responses=error_responses(403, 404, 422, 429),
)
def state(adaptation: CurrentAdaptation) -> schema.Adaptation:
    """The state of an adaptation, and its result."""
    return _state(adaptation)


@router.delete(
    "/{adaptation}",
    dependencies=[Depends(no_parameters)],
    status_code=204,
    responses=error_responses(403, 404, 422, 429),
)
def delete(adaptation: CurrentAdaptation, adaptations: CurrentAdaptations) -> None:
    """Cancel an adaptation, and delete its clips; of one that is done, the model stays."""
    adaptations.cancel(adaptation)


def _state(adaptation: Adaptation) -> schema.Adaptation:
    return schema.Adaptation.model_validate(adaptation, from_attributes=True)
