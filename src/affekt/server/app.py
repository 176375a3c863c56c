"""The application: API, page, health checks and metrics."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI, Response
from fastapi.responses import PlainTextResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from .. import __version__
from . import adaptations, jobs, models, recognise, streams, submit
from .access import BEARER, METRICS
from .encoding_metrics import start_metrics, stop_metrics
from .errors import ERROR_HANDLERS, error_responses
from .head import HeadFromGet
from .monitoring import RequestMonitor, log_to_stderr, prometheus_text
from .page_routes import add_docs, add_page
from .parameters import no_parameters
from .schema import Problem
from .service import CurrentService, Service
from .settings import LOOPBACK, Settings, from_environment
from .tracing import flush, start_tracing

ABOUT = (
    "Emotion recognition in natural speech. Results contain errors and must not be used to make "
    "decisions about people."
)
UVICORN: dict[str, Any] = {  # settings of the server that runs the application
    "access_log": False,
    "log_level": "warning",
    "log_config": None,  # records go to the handler of `log_to_stderr`
    "server_header": False,
    "ws_max_size": 1 << 20,
    # A client that sends faster than it reads answers no ping. A stream without frames is closed.
    "ws_ping_interval": None,
}
NOTHING_ELSE = [Depends(no_parameters)]
OTHER_THREADS = 40  # for decoding and files, besides one for each waiting request and stream


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application of one worker process.

    Args:
        settings: By default those that ``affekt serve`` put into the environment.
    """
    settings = settings or from_environment()
    log_to_stderr()
    if settings.traces:
        start_tracing()
    if settings.metrics:
        start_metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = app.state.service = Service(settings)
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = settings.waiting + settings.streams + OTHER_THREADS
        service.start()
        _reload_on_hangup(service)
        yield
        service.stop()
        flush()
        stop_metrics()

    app = FastAPI(
        title="affekt", version=__version__, description=ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None, exception_handlers=ERROR_HANDLERS,
    )  # fmt: skip
    app.add_middleware(HeadFromGet)
    app.add_middleware(RequestMonitor)  # the outer one: it logs what a client sent
    if settings.is_open:  # against DNS rebinding, which a token already prevents
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    app.include_router(models.router)
    app.include_router(recognise.router)
    app.include_router(streams.router)
    app.include_router(submit.router)
    app.include_router(jobs.router)
    app.include_router(adaptations.router)
    _add_health_routes(app)
    add_page(app)
    add_docs(app)
    return app


def _reload_on_hangup(service: Service) -> None:
    """Load changed models anew at SIGHUP.

    A single process in a terminal ends by it, since the terminal sends it when it is closed.
    """
    ends = service.settings.workers == 1 and os.isatty(0)
    if threading.current_thread() is threading.main_thread() and not ends:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(
            signal.SIGHUP, loop.run_in_executor, None, service.loader.reload_and_log
        )


def _add_health_routes(app: FastAPI) -> None:
    @app.get(
        "/healthz",
        dependencies=NOTHING_ELSE,
        responses=error_responses(422, guarded=False),
        response_class=PlainTextResponse,
    )
    def healthz() -> str:
        """Liveness: the process answers."""
        return "ok"

    @app.get(
        "/readyz",
        dependencies=NOTHING_ELSE,
        responses=error_responses(422, guarded=False)
        | {503: {"model": Problem, "description": "Not ready."}},
    )
    def readyz(service: CurrentService, response: Response) -> Problem:
        """Readiness: the models are loaded and the job workers are running."""
        ready = service.workers.are_alive()
        response.status_code = 200 if ready else 503
        return Problem(detail="ready" if ready else "a job worker is not running")

    @app.get(
        "/metrics",
        dependencies=[BEARER, Depends(METRICS), *NOTHING_ELSE],
        responses=error_responses(403, 422, 429),
        response_class=PlainTextResponse,
    )
    def metrics(service: CurrentService) -> PlainTextResponse:
        """Metrics in the text format of Prometheus."""
        return PlainTextResponse(prometheus_text(service.store.counts()))
