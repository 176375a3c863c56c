"""Metrics and logs, without file names or recognised emotions."""

import json
import logging
import os
import re
import sys
import time
import uuid
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .schema import STATUSES
from .tracing import span

log = logging.getLogger("affekt.server")

REQUESTS = Counter("affekt_requests", "HTTP requests.", ["method", "route", "status"])
SECONDS = Histogram("affekt_request_seconds", "Duration of HTTP requests, in seconds.", ["route"])
RECOGNISED = Counter("affekt_recognised_seconds", "Recognised speech, in seconds.", ["model"])
STREAMS = Gauge("affekt_streams", "Open live streams.", multiprocess_mode="livesum")
JOBS = Gauge("affekt_jobs", "Jobs by status.", ["status"], multiprocess_mode="mostrecent")
REQUEST_ID = "X-Request-ID"


class JsonLines(logging.Formatter):
    """Formats every record as one JSON object on one line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        content: dict[str, Any] = {"time": record.created, "level": record.levelname.lower()}
        fields = getattr(record, "fields", None)
        content |= fields or {"message": record.getMessage(), "logger": record.name}
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content)


def log_to_stderr() -> None:
    """Write the log of this process, and Python's warnings, to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [*(h for h in root.handlers if not _is_of_server(h)), handler]
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _is_of_server(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, JsonLines)


def log_event(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event.

    Args:
        event: What happened.
        level: Of `logging`; within an ``except`` clause, errors are logged with the traceback.
        fields: JSON values.
    """
    content = {"event": event, **fields}
    exc_info = level >= logging.ERROR
    log.log(level, json.dumps(content), extra={"fields": content}, exc_info=exc_info)


def prometheus_text(jobs: dict[str, int]) -> bytes:
    """The metrics of all worker processes together, in the text format of Prometheus.

    Args:
        jobs: Number of jobs by status.
    """
    for status in STATUSES:
        JOBS.labels(status).set(jobs.get(status, 0))
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class RequestMonitor:
    """ASGI middleware that counts, times and logs every request and stream, and gives it an id.

    A client may send an id of its own; the response has it too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        match scope["type"]:
            case "http":
                await self._request(scope, receive, send)
            case "websocket":
                await self._stream(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.perf_counter(), 500
        request_id = _request_id(scope)

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            method = {"http.request.method": scope["method"]}
            with span(scope["method"], method, Headers(scope=scope)) as traced:
                try:
                    await self._app(scope, receive, send_and_record_status)
                finally:
                    _describe(traced, scope, status)
        finally:
            seconds, route = time.perf_counter() - start, _route(scope)
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(route).observe(seconds)
            log_event(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                seconds=round(seconds, 4),
                request_id=request_id,
            )

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, code, reason = time.perf_counter(), 1006, ""

        def record(message: Message, kind: str) -> Message:
            nonlocal code, reason
            if message["type"] == kind and code == 1006:
                code, reason = message.get("code", 1005), message.get("reason") or ""
            return message

        async def receive_and_record() -> Message:
            return record(await receive(), "websocket.disconnect")

        async def send_and_record(message: Message) -> None:
            await send(record(message, "websocket.close"))

        try:
            await self._app(scope, receive_and_record, send_and_record)
        finally:
            log_event(
                "stream",
                route=_route(scope),
                code=code,
                reason=reason,
                seconds=round(time.perf_counter() - start, 4),
                audio_seconds=scope.get("state", {}).get("audio_seconds", 0.0),
                request_id=_request_id(scope),
            )


def _describe(traced: Any, scope: Scope, status: int) -> None:
    """Give the span of a request, if there is one, what is known at its end."""
    if traced:
        traced.update_name(f"{scope['method']} {_route(scope)}")
        traced.set_attribute("http.route", _route(scope))
        traced.set_attribute("http.response.status_code", status)


def _route(scope: Scope) -> str:
    """The pattern of the route, since a path may contain text of the client."""
    return getattr(scope.get("route"), "path", "other")


def _request_id(scope: Scope) -> str:
    """The client's id of a request, if it is short and harmless, or a new one."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if re.fullmatch(r"[\w.:-]{1,100}", given, re.ASCII) else uuid.uuid4().hex
