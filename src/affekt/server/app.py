"""The application: API, page, health checks and metrics."""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import anyio.to_thread
from fastapi import Depends, FastAPI, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Scope

from .. import __version__
from . import jobs, recognise
from .access import check_access
from .errors import ERROR_HANDLERS, error_responses
from .monitoring import RequestMonitor, log, prometheus_text
from .schema import Problem
from .service import CurrentService, Service
from .settings import LOOPBACK, Settings, from_environment

ABOUT = (
    "Emotion recognition in natural speech. Results contain errors and must not be used to make "
    "decisions about people."
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PAGE = Path(str(resources.files("affekt") / "server" / "page"))
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": POLICY,
}
OTHER_THREADS = 40  # for decoding, storage and files, besides one for each waiting request


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application of one worker process.

    Args:
        settings: By default those that ``affekt serve`` put into the environment.
    """
    settings = settings or from_environment()
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    log.setLevel(logging.INFO)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = app.state.service = Service(settings)
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = settings.waiting + OTHER_THREADS
        service.worker.start()
        yield
        service.worker.stop(settings.drain_seconds)

    app = FastAPI(
        title="affekt", version=__version__, description=ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None, exception_handlers=ERROR_HANDLERS,
    )  # fmt: skip
    app.add_middleware(RequestMonitor)
    if not settings.token:  # against DNS rebinding, which a token already prevents
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    app.include_router(recognise.router)
    app.include_router(jobs.router)
    _add_health_routes(app)
    _add_page(app)
    return app


def _add_health_routes(app: FastAPI) -> None:
    @app.get("/healthz", response_class=PlainTextResponse)
    def healthz() -> str:
        """Liveness: the process answers."""
        return "ok"

    @app.get("/readyz", responses={503: {"model": Problem, "description": "Not ready."}})
    def readyz(service: CurrentService, response: Response) -> Problem:
        """Readiness: the models are loaded and the job worker is running."""
        ready = service.worker.is_alive()
        response.status_code = 200 if ready else 503
        return Problem(detail="ready" if ready else "the job worker is not running")

    @app.get(
        "/metrics",
        dependencies=[Depends(check_access)],
        responses=error_responses(403),
        response_class=PlainTextResponse,
    )
    def metrics(service: CurrentService) -> PlainTextResponse:
        """Metrics in the text format of Prometheus."""
        return PlainTextResponse(prometheus_text(service.store.counts()))


def _add_page(app: FastAPI) -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(index, headers=SECURITY_HEADERS | {"Cache-Control": "no-store"})

    app.mount("/page", _PageFiles(directory=PAGE))


class _PageFiles(StaticFiles):
    """Scripts and styles of the page, with its security headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles`."""
        response = await super().get_response(path, scope)
        response.headers.update(SECURITY_HEADERS)
        return response
