"""Access control: the token, and requests from pages of other sites."""

import hmac
from urllib.parse import urlsplit

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from .service import service_of

BEARER = HTTPBearer(  # describes the scheme; `check_access` does the work, for WebSockets too
    auto_error=False, description="The token of the server, where it has one ($AFFEKT_TOKEN)."
)


def check_access(connection: HTTPConnection) -> None:
    """Check the origin and the token of a request or WebSocket.

    Raises:
        HTTPException: 401 if the token is missing or wrong, 403 if the request comes from a page
            of another site.
    """
    origin = connection.headers.get("origin")
    if origin and urlsplit(origin).netloc != connection.headers.get("host"):
        raise HTTPException(403, "requests from pages of other sites are refused")
    token = service_of(connection).settings.token
    if token and not hmac.compare_digest(_sent_token(connection).encode(), token.encode()):
        raise HTTPException(
            401, "send the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
        )


def _sent_token(connection: HTTPConnection) -> str:
    """The token of the Authorization header, or of the subprotocol ``token.TOKEN``, or ""."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    protocols = connection.headers.get("sec-websocket-protocol", "").split(",")
    tokens = [p.strip().removeprefix("token.") for p in protocols if p.strip().startswith("token.")]
    return tokens[0] if tokens else ""


GUARD = [Depends(check_access), Security(BEARER)]  # dependencies of routes of the API
