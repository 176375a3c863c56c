"""The application: routes, page, health, metrics."""

import logging
import secrets
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
from .access import admitted
from .observe import Observe, exposition, log
from .problems import handle, responses
from .schema import Problem
from .service import Served, Service
from .settings import LOOPBACK, Settings, from_environment

ABOUT = "Recognises emotion in speech. It errs; it must not decide about people."
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PAGE = Path(str(resources.files("affekt") / "server" / "page"))
SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
NONCE = "__NONCE__"  # stands in the page for what lets wavesurfer.js add its style


def create(settings: Settings | None = None) -> FastAPI:
    """The application; each worker process makes its own."""
    settings = settings or from_environment()
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    log.setLevel(logging.INFO)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = app.state.service = Service(settings)
        # Threads that wait for the model need no processor.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.waiting + 40
        service.worker.start()
        yield
        service.worker.stop(settings.drain_seconds)

    app = FastAPI(
        title="affekt", version=__version__, description=ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.add_middleware(Observe)
    if not settings.token:  # which guards against other sites' names for us
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    handle(app)
    app.include_router(recognise.router)
    app.include_router(jobs.router)
    _health(app)
    _page(app)
    return app


def _health(app: FastAPI) -> None:
    @app.get("/healthz", response_class=PlainTextResponse)
    def healthz() -> str:
        """Whether the process answers."""
        return "ok"

    @app.get("/readyz", responses={503: {"model": Problem, "description": "Not able to work."}})
    def readyz(service: Served, response: Response) -> Problem:
        """Whether models are loaded and jobs are worked off."""
        ready = service.worker.is_alive()
        response.status_code = 200 if ready else 503
        return Problem(detail="ready" if ready else "jobs are not worked off")

    @app.get(
        "/metrics",
        dependencies=[Depends(admitted)],
        responses=responses(403),
        response_class=PlainTextResponse,
    )
    def metrics(service: Served) -> PlainTextResponse:
        """For Prometheus."""
        return PlainTextResponse(exposition(service.store.counts()))


def _page(app: FastAPI) -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        policy = POLICY.format(nonce=f" 'nonce-{nonce}'")
        headers = SAFE | {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return HTMLResponse(index.replace(NONCE, nonce), headers=headers)

    app.mount("/page", _Files(directory=PAGE))


class _Files(StaticFiles):
    """The page's files, under the page's policy."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(SAFE | {"Content-Security-Policy": POLICY.format(nonce="")})
        return response
