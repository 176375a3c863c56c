"""How a WebSocket is accepted and closed."""

from fastapi import WebSocket

PROTOCOL = "affekt"  # browsers can send a token only as a further WebSocket protocol
REASON = 123  # bytes that a close frame holds
REFUSED, TRY_AGAIN, BAD_DATA = 1008, 1013, 1007  # close codes of RFC 6455


async def accept(socket: WebSocket) -> None:
    """Accept a connection, even one to be refused: the client can read no reason before that."""
    offered = socket.headers.get("sec-websocket-protocol", "")
    await socket.accept(PROTOCOL if offered else None)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close with a reason, cut to what a close frame holds."""
    await socket.close(code, reason.encode()[:REASON].decode(errors="ignore"))
