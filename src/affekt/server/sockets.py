"""Accepting and closing WebSockets."""

from fastapi import WebSocket

PROTOCOL = "affekt"  # a browser can send its token only as a second subprotocol
MAX_REASON = 123  # bytes of a reason in a close frame
REFUSED, TRY_AGAIN, BAD_DATA = 1008, 1013, 1007  # close codes of RFC 6455


async def accept(socket: WebSocket) -> None:
    """Accept a connection, also before refusing it: only then can the client read the reason."""
    requested = socket.headers.get("sec-websocket-protocol", "")
    await socket.accept(PROTOCOL if requested else None)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close a connection with a reason, truncated to `MAX_REASON` bytes."""
    await socket.close(code, reason.encode()[:MAX_REASON].decode(errors="ignore"))
