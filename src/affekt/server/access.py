"""Who is served: whoever has the token, and no page of another site."""

import hmac
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from .service import service_of


def admitted(connection: HTTPConnection) -> None:
    """Let a request or a WebSocket pass.

    Raises:
        HTTPException: 401 without the token, 403 from another site's page.
    """
    origin = connection.headers.get("origin")
    if origin and urlsplit(origin).netloc != connection.headers.get("host"):
        raise HTTPException(403, "pages of other sites are not served")
    token = service_of(connection).settings.token
    if token and not hmac.compare_digest(_shown(connection).encode(), token.encode()):
        raise HTTPException(
            401, "send the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
        )


def _shown(connection: HTTPConnection) -> str:
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    offered = connection.headers.get("sec-websocket-protocol", "").split(",")
    tokens = [p.strip().removeprefix("token.") for p in offered if p.strip().startswith("token.")]
    return tokens[0] if tokens else ""
