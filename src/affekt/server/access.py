"""Access control: tokens and keys, and requests from pages of other sites."""

import hmac
import logging
from math import ceil
from typing import NamedTuple
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from ..errors import AffektError
from .keys import KeyRing, Scope
from .monitoring import log_event
from .service import service_of

BEARER = Security(  # describes the scheme; `Access` does the work, for WebSockets too
    HTTPBearer(auto_error=False, description="A token or key, where the server has any.")
)


class Client(NamedTuple):
    """Who sends a request.

    Attributes:
        name: Name of its key; "" for the server's token, or without one.
        sees_all: Whether it sees the jobs and adaptations of all clients.
    """

    name: str = ""
    sees_all: bool = True

    @property
    def owner(self) -> str | None:
        """The owner of the jobs and adaptations that it sees; None for all."""
        return None if self.sees_all else self.name


class Access:
    """Dependency that checks the origin and the token of a request or WebSocket.

    Args:
        scope: What the key must allow; None for any key.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        self._scope = scope

    def __call__(self, connection: HTTPConnection) -> Client:
        """Check a request.

        Raises:
            HTTPException: 401 if the token is missing or wrong, 403 if its key does not allow the
                request, or the request comes from a page of another site, 429 if the key is used
                too often.
        """
        origin = connection.headers.get("origin")
        if origin and urlsplit(origin).netloc != connection.headers.get("host"):
            raise HTTPException(403, "requests from pages of other sites are refused")
        service = service_of(connection)
        token, settings = _sent_token(connection), service.settings
        if settings.is_open or (settings.token and _equal(token, settings.token)):
            return Client()
        if service.keys and (client := self._by_key(service.keys, token)):
            return client
        raise HTTPException(
            401, "send the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
        )

    def _by_key(self, keys: KeyRing, token: str) -> Client | None:
        try:
            found = keys.find(token)
        except AffektError as error:
            log_event("keys unavailable", logging.ERROR, error=str(error))
            raise HTTPException(503, "the keys of the server cannot be read") from error
        if not found:
            return None
        name, key = found
        if self._scope and self._scope not in key.scopes:
            raise HTTPException(403, f"this key does not have the scope {self._scope}")
        if seconds := keys.wait(name):
            text = f"this key allows {key.per_minute} requests a minute"
            raise HTTPException(429, text, {"Retry-After": str(ceil(seconds))})
        return Client(name, "admin" in key.scopes)


def _equal(token: str, expected: str) -> bool:
    return hmac.compare_digest(token.encode(), expected.encode())


def _sent_token(connection: HTTPConnection) -> str:
    """The token of the Authorization header, or of the subprotocol ``token.TOKEN``, or ""."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    protocols = connection.headers.get("sec-websocket-protocol", "").split(",")
    tokens = [p.strip().removeprefix("token.") for p in protocols if p.strip().startswith("token.")]
    return tokens[0] if tokens else ""


ANY, RECOGNISE, JOBS = Access(), Access("recognise"), Access("jobs")
STREAM, ADAPT = Access("stream"), Access("adapt")
METRICS, ADMIN = Access("metrics"), Access("admin")
