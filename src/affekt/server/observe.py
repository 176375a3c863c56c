"""Metrics and logs; neither holds a name of a file nor anything that was said."""

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

log = logging.getLogger("affekt.server")

REQUESTS = Counter("affekt_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("affekt_request_seconds", "Time to answer.", ["route"])
RECOGNISED = Counter("affekt_recognised_seconds", "Speech recognised, in seconds.", ["model"])
STREAMS = Gauge("affekt_streams", "Live streams.", multiprocess_mode="livesum")
JOBS = Gauge("affekt_jobs", "Jobs by status.", ["status"], multiprocess_mode="mostrecent")


def exposition(jobs: dict[str, int]) -> bytes:
    """All metrics in Prometheus' text format, of all workers together."""
    for status in ("queued", "running", "done", "failed"):
        JOBS.labels(status).set(jobs.get(status, 0))
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class Observe:
    """Counts, times and logs every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "other")  # never what the client wrote
            seconds = time.perf_counter() - begun
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(route).observe(seconds)
            event = {"method": scope["method"], "route": route, "status": status}
            log.info(json.dumps({"time": time.time(), **event, "seconds": round(seconds, 4)}))
