"""Accepting and closing WebSockets."""

from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

PROTOCOL = "affekt"  # a browser can send its token only as a second subprotocol
MAX_REASON = 123  # bytes of a reason in a close frame
# Close codes of RFC 6455, and its registry
DONE, BAD_DATA, REFUSED, TOO_BIG, INTERNAL, TRY_AGAIN = 1000, 1007, 1008, 1009, 1011, 1013


async def accept(socket: WebSocket) -> None:
    """Accept a connection, also before refusing it: only then can the client read the reason."""
    requested = socket.headers.get("sec-websocket-protocol", "")
    await socket.accept(PROTOCOL if requested else None)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close a connection with a reason, truncated to `MAX_REASON` bytes, unless it is closed."""
    if socket.client_state == WebSocketState.CONNECTED:
        with suppress(WebSocketDisconnect):
            await socket.close(code, reason.encode()[:MAX_REASON].decode(errors="ignore"))
