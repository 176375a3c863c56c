"""Metrics and logs, without file names or recognised emotions."""

import json
import logging
import os
import time

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .schema import STATUSES

log = logging.getLogger("affekt.server")

REQUESTS = Counter("affekt_requests", "HTTP requests.", ["method", "route", "status"])
SECONDS = Histogram("affekt_request_seconds", "Duration of HTTP requests, in seconds.", ["route"])
RECOGNISED = Counter("affekt_recognised_seconds", "Recognised speech, in seconds.", ["model"])
STREAMS = Gauge("affekt_streams", "Open live streams.", multiprocess_mode="livesum")
JOBS = Gauge("affekt_jobs", "Jobs by status.", ["status"], multiprocess_mode="mostrecent")


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
    """ASGI middleware that counts, times and logs every HTTP request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start, status = time.perf_counter(), 500

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_record_status)
        finally:
            # The pattern of the route, since a path may contain text of the client.
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - start
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(route).observe(seconds)
            event = {"method": scope["method"], "route": route, "status": status}
            log.info(json.dumps({"time": time.time(), **event, "seconds": round(seconds, 4)}))
