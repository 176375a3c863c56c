"""Uploaded recordings: the field ``file`` of a form, or audio as the request body."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

from fastapi import Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from ..sanitise import printable

AUDIO = {"schema": {"type": "string", "format": "binary"}}
TYPES = ("audio/", "video/", "application/octet-stream", "application/ogg")
CHUNK = 1 << 20  # bytes copied at a time
OVERHEAD = 10_000  # bytes of a form besides the file
MAX_FIELDS = 16


class Upload(NamedTuple):
    """An uploaded recording.

    Attributes:
        name: The client's name of the file, without folders; it must not be used to open a file.
        fields: The other fields of the form.
    """

    name: str
    fields: dict[str, str]


def body(parameters: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI description of the body of an upload.

    Args:
        parameters: Parameters of the route, which are also fields of the form.
    """
    fields = parameters.model_json_schema()["properties"]
    file = {"type": "string", "format": "binary", "description": "The recording."}
    form = {"type": "object", "required": ["file"], "properties": {"file": file, **fields}}
    content = {"multipart/form-data": {"schema": form}, "audio/*": AUDIO}
    return {"requestBody": {"required": True, "content": content}}


async def receive(request: Request, target: BinaryIO, megabytes: int, seconds: float) -> Upload:
    """Write an uploaded recording to a file.

    Args:
        request: The upload.
        target: File to write to.
        megabytes: Size limit.
        seconds: Time limit.

    Raises:
        HTTPException: 408 if the upload takes too long, 413 if it is too large, 415 if it is
            neither a form nor audio, 422 if the form is damaged or has no file.
    """
    size = int(length) if (length := request.headers.get("content-length", "")).isdigit() else 0
    if size > megabytes * 1_000_000 + OVERHEAD:
        raise _too_large(megabytes)
    content_type = request.headers.get("content-type", "").lower()
    body = _limited(request, megabytes)
    try:
        async with asyncio.timeout(seconds):
            if content_type.startswith("multipart/form-data"):
                return await _form(request, body, target)
            if content_type.startswith(TYPES):
                async for chunk in body:
                    await run_in_threadpool(target.write, chunk)
                return Upload("recording", {})
    except TimeoutError as error:
        raise HTTPException(408, f"the upload took longer than {seconds:.0f} s") from error
    raise HTTPException(
        415,
        "send a form (multipart/form-data) with the field file, or the recording as the body "
        "with a Content-Type of audio/*",
    )


async def _form(request: Request, body: AsyncIterator[bytes], target: BinaryIO) -> Upload:
    try:
        parser = MultiPartParser(
            request.headers, cast(Any, body), max_files=1, max_fields=MAX_FIELDS
        )  # spools files above 1 MB to disk
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        message = getattr(error, "message", error)
        raise HTTPException(422, f"a damaged form: {message}") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "the field file of the form contains no file")
        while chunk := await file.read(CHUNK):
            await run_in_threadpool(target.write, chunk)
        fields: dict[str, str] = {}
        for name, value in form.multi_items():
            if name in fields:
                raise HTTPException(422, f"form {printable(name, '?')[:100]}: given twice")
            if isinstance(value, str):
                fields[name] = value
        if "file" in fields:
            raise HTTPException(422, "form file: given twice")
        return Upload(clean_name(file.filename or ""), fields)
    finally:
        await form.close()


def clean_name(name: str) -> str:
    """The last part of a client's file name, printable and at most 200 characters long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return printable(last, "?")[:200] or "recording"


async def _limited(request: Request, megabytes: int) -> AsyncIterator[bytes]:
    """Read the body, up to the size limit."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > megabytes * 1_000_000 + OVERHEAD:
            raise _too_large(megabytes)
        yield chunk


def _too_large(megabytes: int) -> HTTPException:
    return HTTPException(
        413, f"the recording is larger than {megabytes} MB", headers={"Connection": "close"}
    )
