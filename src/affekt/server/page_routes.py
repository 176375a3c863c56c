"""The web page at ``/``, and the description of the API for people at ``/docs``."""

import secrets
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

POLICY = (
    "default-src 'none'; script-src 'self'{script}; style-src 'self'{style}; img-src 'self' blob: "
    "data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PAGE = Path(str(resources.files("affekt") / "server" / "page"))
SWAGGER = Path(str(resources.files("fastapi_offline") / "static"))  # Swagger UI, without a CDN
SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def add_page(app: FastAPI) -> None:
    """Add the page and its files."""
    index = (PAGE / "index.html").read_text(encoding="utf-8")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page() -> HTMLResponse:
        return _html(index)

    app.mount("/page", _Files(directory=PAGE))


def add_docs(app: FastAPI) -> None:
    """Add Swagger UI, which loads nothing from other sites."""

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        response = get_swagger_ui_html(
            openapi_url="openapi.json",
            title="affekt: API",
            swagger_js_url="docs/files/swagger-ui-bundle.js",
            swagger_css_url="docs/files/swagger-ui.css",
            swagger_favicon_url="page/icon.svg",
        )
        html = bytes(response.body).decode().replace("<script>", f'<script nonce="{nonce}">')
        return _html(html, script=f" 'nonce-{nonce}'", style=" 'unsafe-inline'")

    app.mount("/docs/files", _Files(directory=SWAGGER))


def _html(content: str, script: str = "", style: str = "") -> HTMLResponse:
    """A page with its content security policy.

    Args:
        content: The page.
        script: Further sources of scripts.
        style: Further sources of styles.
    """
    policy = POLICY.format(script=script, style=style)
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(content, headers=SECURITY_HEADERS | headers)


class _Files(StaticFiles):
    """Scripts and styles of the pages, with security headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles`."""
        response = await super().get_response(path, scope)
        policy = {"Content-Security-Policy": POLICY.format(script="", style="")}
        # Without it browsers guess for how long: a new page would run with old scripts.
        caching = {"Cache-Control": "no-cache"}
        response.headers.update(SECURITY_HEADERS | policy | caching)
        return response
