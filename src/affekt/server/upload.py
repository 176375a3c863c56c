"""Recordings that clients send: a form's field ``file``, or the bare bytes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

AUDIO = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}
BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": FORM, "audio/*": AUDIO}}
}
TYPES = ("audio/", "video/", "application/octet-stream", "application/ogg")
COPY = 1 << 20


async def receive(request: Request, target: BinaryIO, megabytes: int, seconds: float) -> str:
    """Write the recording to a file.

    Returns:
        The client's name for it, without folders; never used to open anything.

    Raises:
        HTTPException: 408 too slow, 413 too large, 415 something else, 422 no recording in it.
    """
    size = int(length) if (length := request.headers.get("content-length", "")).isdigit() else 0
    if size > megabytes * 1_000_000 + 10_000:  # a form has some more
        raise _too_large(megabytes)
    kind = request.headers.get("content-type", "").lower()
    body = _limited(request, megabytes)
    try:
        async with asyncio.timeout(seconds):
            if kind.startswith("multipart/form-data"):
                return await _form(request, body, target)
            if kind.startswith(TYPES):
                async for chunk in body:
                    await run_in_threadpool(target.write, chunk)
                return "recording"
    except TimeoutError:
        raise HTTPException(408, f"the recording took longer than {seconds:.0f} s") from None
    raise HTTPException(
        415, "send a form (multipart/form-data) with the field file, or audio/* with the bytes"
    )


async def _form(request: Request, body: AsyncIterator[bytes], target: BinaryIO) -> str:
    try:
        parser = MultiPartParser(
            request.headers, cast(Any, body), max_files=1, max_fields=8
        )  # keeps files beyond 1 MB on disk
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise HTTPException(422, f"a damaged form: {getattr(error, 'message', error)}") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "the form has no file in its field file")
        while chunk := await file.read(COPY):
            await run_in_threadpool(target.write, chunk)
        return shown(file.filename or "")
    finally:
        await form.close()


def shown(name: str) -> str:
    """A client's file name as results repeat it: its last part, printable, not too long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c if c.isprintable() else "?" for c in last)[:200] or "recording"


async def _limited(request: Request, megabytes: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > megabytes * 1_000_000 + 10_000:
            raise _too_large(megabytes)
        yield chunk


def _too_large(megabytes: int) -> HTTPException:
    return HTTPException(413, f"larger than {megabytes} MB", headers={"Connection": "close"})
