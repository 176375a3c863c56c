"""What goes wrong for a client, as one sentence: ``{"detail": ...}``."""

import sqlite3
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..errors import AudioError, TooLongError
from .schema import Problem
from .sockets import REFUSED, accept, close
from .store import StoreFullError

RETRY = {"Retry-After": "5"}


MEANING = {
    401: "The token is missing or wrong.",
    403: "A page of another site asks.",
    404: "No such model or job.",
    408: "The recording was sent too slowly.",
    409: "The job has not been done.",
    413: "The recording is too large or too long.",
    415: "Neither a form with a field `file` nor the bytes of a recording.",
    422: "Not a recording, damaged, or a parameter that is not allowed.",
    429: "Too many at the same time; try again after `Retry-After` seconds.",
    507: "There is no room left to store the job.",
}


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its documentation."""
    return {code: {"model": Problem, "description": MEANING[code]} for code in (401, *codes)}


def too_many(what: str) -> HTTPException:
    """The 429 of a limit."""
    return HTTPException(429, f"too many {what} at the same time; try again", headers=RETRY)


def _first(error: RequestValidationError | WebSocketRequestValidationError) -> str:
    first = error.errors()[0]
    where = " ".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"


def handle(app: FastAPI) -> None:
    """Answer every error in the same form."""

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": _first(error)}, 422)

    @app.exception_handler(WebSocketRequestValidationError)
    async def _stream(socket: WebSocket, error: WebSocketRequestValidationError) -> None:
        await accept(socket)
        await close(socket, REFUSED, _first(error))

    @app.exception_handler(AudioError)
    def _audio(_: Request, error: AudioError) -> JSONResponse:
        code = 413 if isinstance(error, TooLongError) else 422
        return JSONResponse({"detail": str(error)}, code)

    @app.exception_handler(ClientDisconnect)
    def _gone(_: Request, __: ClientDisconnect) -> JSONResponse:
        return JSONResponse({"detail": "the client went in the middle of the upload"}, 400)

    @app.exception_handler(StoreFullError)
    def _store_full(_: Request, __: StoreFullError) -> JSONResponse:
        return JSONResponse({"detail": "too many jobs are waiting; try again"}, 429, RETRY)

    @app.exception_handler(OSError)
    def _no_room(_: Request, error: OSError) -> JSONResponse:
        return JSONResponse({"detail": f"cannot be stored: {error.strerror}"}, 507)

    @app.exception_handler(sqlite3.OperationalError)
    def _no_store(_: Request, error: sqlite3.OperationalError) -> JSONResponse:
        return JSONResponse({"detail": f"cannot be stored: {error}"}, 507)
