"""Responses to errors: a status code and one sentence, ``{"detail": ...}``."""

import errno
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..errors import AudioError, TooLongError
from ..requirement import requirement
from .model_loader import ReloadError
from .schema import Problem
from .sockets import REFUSED, accept, close
from .store import KeyReusedError, StoreFullError

RETRY = {"Retry-After": "5"}
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, quota, size limit of a file
DESCRIPTIONS = {
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site, or the key does not allow it.",
    404: "No such model, job or adaptation.",
    408: "The upload took too long.",
    409: "The job is not done, the name is taken, or a model cannot be loaded.",
    413: "The recording is too large or too long.",
    415: "The body is neither a form with a field `file` nor audio.",
    422: "Not a recording, a damaged recording, or an invalid parameter.",
    429: "Too many requests or jobs; try again after `Retry-After` seconds.",
    507: "The disk is full.",
}


def error_responses(*codes: int, guarded: bool = True) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of the errors of a route.

    Args:
        codes: The status codes.
        guarded: Whether 401 is one more.
    """
    all_codes = (401, *codes) if guarded else codes
    # Not as "model", which would have the content type of the route's other responses.
    content = {"application/json": {"schema": Problem.model_json_schema()}}
    return {code: {"description": DESCRIPTIONS[code], "content": content} for code in all_codes}


def too_many(what: str) -> HTTPException:
    """Error 429 for a limit.

    Args:
        what: Plural noun of what is limited.
    """
    return HTTPException(429, f"too many {what} at the same time; try again", headers=RETRY)


def refusal(error: Exception) -> tuple[int, str]:
    """The status code and the sentence of an error that one recording has, of several.

    Raises:
        Exception: The error itself, if it is none of the recording or of its parameters.
    """
    match error:
        case HTTPException():
            return error.status_code, error.detail
        case TooLongError():
            return 413, str(error)
        case AudioError():
            return 422, str(error)
        case StoreFullError():
            return 429, "too many jobs are waiting; try again"
        case KeyReusedError():
            return 422, "another request had this Idempotency-Key; use a new one"
    raise error


def _disk_full(error: OSError | sqlite3.Error) -> bool:
    """Whether the disk is full, as opposed to any other error of a file or database."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return error.errno in DISK_FULL


def _answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Problem(detail=detail).model_dump(), status, headers)


def _sentence(error: RequestValidationError | WebSocketRequestValidationError) -> str:
    """The error of the first wrong parameter."""
    errors = error.errors()
    parameter = errors[0]["loc"][:2]
    own = [e for e in errors if e["loc"][:2] == parameter]
    return " ".join(map(str, parameter)) + requirement(own)


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    return _answer(error.status_code, error.detail, error.headers)


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    return _answer(422, _sentence(error))


async def _invalid_stream(socket: WebSocket, error: WebSocketRequestValidationError) -> None:
    await accept(socket)
    await close(socket, REFUSED, _sentence(error))


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status, detail = refusal(error)
    return _answer(status, detail, RETRY if status == 429 else None)


async def _disconnected(_: Request, __: ClientDisconnect) -> JSONResponse:
    return _answer(400, "the client disconnected during the upload")


async def _not_reloaded(_: Request, error: ReloadError) -> JSONResponse:
    return _answer(409, str(error))


async def _storage(_: Request, error: OSError | sqlite3.Error) -> JSONResponse:
    """Respond with 507 if the disk is full; any other error is internal."""
    if not _disk_full(error):
        raise error
    return _answer(507, "the recording cannot be stored: the disk of the server is full")


async def _internal(_: Request, __: Exception) -> JSONResponse:
    """Respond with 500 without details; the server then logs the error with its traceback."""
    return _answer(500, "internal error; its cause is in the log of the server")


ERROR_HANDLERS: dict[int | type[Exception], Callable[[Any, Any], Coroutine[Any, Any, Any]]] = {
    HTTPException: _http,
    RequestValidationError: _invalid,
    WebSocketRequestValidationError: _invalid_stream,
    AudioError: _refused,
    ClientDisconnect: _disconnected,
    StoreFullError: _refused,
    KeyReusedError: _refused,
    ReloadError: _not_reloaded,
    OSError: _storage,
    sqlite3.Error: _storage,
    Exception: _internal,
}
