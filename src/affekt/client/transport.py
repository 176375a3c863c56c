"""HTTP with retries: what every method of the client sends its requests by."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

from ..errors import AffektError

BUSY = (429, 503)  # status codes of a server that may answer later
LONGEST_WAIT = 60.0  # s between two tries, whatever the server asks for


class ServerError(AffektError):
    """The server refused a request or a recording, or cannot be reached.

    Attributes:
        code: Status code of HTTP; 0 if there was no response.
        request_id: Id of the request in the log of the server, or "".
    """

    def __init__(self, detail: str, code: int = 0, request_id: str = "") -> None:
        super().__init__(detail)
        self.code, self.request_id = code, request_id


class Transport:
    """Sends requests, again if the server is busy or the connection breaks.

    Args:
        url: Address of the server.
        token: Token or key; "" for none.
        timeout: Seconds without a byte after which a request fails.
        retries: Number of times that a request is sent again.
    """

    def __init__(self, url: str, token: str, timeout: float, retries: int) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._retries = retries

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self, method: str, path: str, body: Callable[[], dict[str, Any]] = dict, **options: Any
    ) -> httpx.Response:
        """Send a request, and read its response.

        Args:
            method: Of HTTP.
            path: Below the address of the server.
            body: Options of httpx that are made anew for each try, such as open files.
            options: Further options of httpx.

        Raises:
            ServerError: The server refuses it, or cannot be reached.
        """
        return self.retried(lambda: self._http.request(method, path, **body(), **options))

    def stream(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Send a GET, and return its response before the body is read; it must be closed.

        Raises:
            ServerError: The server refuses it, or cannot be reached.
        """
        request = self._http.build_request("GET", path, headers=headers)
        return self.retried(lambda: self._http.send(request, stream=True))

    def retried(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send a request until it is answered by something else than a busy server.

        Raises:
            ServerError: The server refuses it, or cannot be reached.
        """
        for tries in range(self._retries + 1):
            is_last, wait = tries == self._retries, 0.5 * 2**tries
            try:
                response = send()
            except httpx.TransportError as error:
                if is_last or isinstance(error, httpx.TimeoutException):
                    text = str(error) or type(error).__name__
                    raise ServerError(f"{self._http.base_url}: {text}") from error
            else:
                if response.is_success:
                    return response
                if is_last or response.status_code not in BUSY:
                    raise _error(response)
                with suppress(KeyError, ValueError):  # none, or a date
                    wait = float(response.headers["Retry-After"])
                response.close()
            time.sleep(min(wait, LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")


def _error(response: httpx.Response) -> ServerError:
    """The error of a response, which is read to its end."""
    response.read()
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):  # of a proxy
        detail = f"{response.status_code} {response.reason_phrase}"
    return ServerError(detail, response.status_code, response.headers.get("X-Request-ID", ""))
