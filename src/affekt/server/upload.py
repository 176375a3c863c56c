"""Uploaded recordings: the fields ``file`` of a form, or audio as the request body."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path, PurePosixPath
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
SPOOLED = 1 << 20  # bytes; a larger recording is written to disk
OVERHEAD = 10_000  # bytes of a form besides the files
MAX_FIELDS = 16
MAX_FILES = 32


class UploadedFile(NamedTuple):
    """A recording of an upload.

    Attributes:
        name: The client's name of the file, without folders; it must not be used to open a file.
        file: Its content, from the beginning on; deleted with the request.
    """

    name: str
    file: BinaryIO


class Upload(NamedTuple):
    """What a client has sent.

    Attributes:
        recordings: One at least.
        fields: The other fields of the form.
    """

    recordings: list[UploadedFile]
    fields: dict[str, str]


def body(parameters: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI description of the body of an upload.

    Args:
        parameters: Parameters of the route, which are also fields of the form.
    """
    fields = parameters.model_json_schema()["properties"]
    file = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "minItems": 1,
        "maxItems": MAX_FILES,
        "description": "The recording. If the field is there several times, the response is a "
        "list with one item for each recording.",
    }
    form = {"type": "object", "required": ["file"], "properties": {"file": file, **fields}}
    content = {"multipart/form-data": {"schema": form}, "audio/*": AUDIO}
    return {"requestBody": {"required": True, "content": content}}


@asynccontextmanager
async def received(
    request: Request, megabytes: int, seconds: float, folder: Path | None = None
) -> AsyncIterator[Upload]:
    """Receive an upload; its recordings are deleted at the end of the block.

    Args:
        request: The upload.
        megabytes: Size limit of all recordings together.
        seconds: Time limit.
        folder: Of the file into which a large request body is written.

    Raises:
        HTTPException: 408 if the upload takes too long, 413 if it is too large, 415 if it is
            neither a form nor audio, 422 if the form is damaged, or has no file or too many.
    """
    size = int(length) if (length := request.headers.get("content-length", "")).isdigit() else 0
    if size > megabytes * 1_000_000 + OVERHEAD:
        raise _too_large(megabytes)
    content_type = request.headers.get("content-type", "").lower()
    body = _limited(request, megabytes)
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(seconds):
                if content_type.startswith("multipart/form-data"):
                    upload = await _form(request, body, stack)
                elif content_type.startswith(TYPES):
                    where = str(folder) if folder else None
                    spooled = tempfile.SpooledTemporaryFile(SPOOLED, dir=where)  # noqa: SIM115
                    file = cast(BinaryIO, stack.enter_context(spooled))
                    written = 0
                    async for chunk in body:
                        written += len(chunk)
                        if written <= SPOOLED:  # it stays in memory
                            file.write(chunk)
                        else:
                            await run_in_threadpool(file.write, chunk)
                    file.seek(0)
                    upload = Upload([UploadedFile("recording", file)], {})
                else:
                    raise HTTPException(
                        415,
                        "send a form (multipart/form-data) with the field file, or the recording "
                        "as the body with a Content-Type of audio/*",
                    )
        except TimeoutError as error:
            raise HTTPException(408, f"the upload took longer than {seconds:.0f} s") from error
        yield upload


async def _form(request: Request, body: AsyncIterator[bytes], stack: AsyncExitStack) -> Upload:
    """The recordings and fields of a form.

    Args:
        request: The upload.
        body: Its body.
        stack: Closes the files at its end.
    """
    try:
        parser = MultiPartParser(
            request.headers, cast(Any, body), max_files=MAX_FILES, max_fields=MAX_FIELDS
        )  # spools files above 1 MB to disk
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        message = getattr(error, "message", error)
        raise HTTPException(422, f"a damaged form: {message}") from error
    stack.push_async_callback(form.close)
    recordings, fields = [], dict[str, str]()
    for name, value in form.multi_items():
        if name == "file" and isinstance(value, UploadFile):
            recordings.append(UploadedFile(clean_name(value.filename or ""), value.file))
        elif name in fields:
            raise HTTPException(422, f"form {_shown(name)}: given twice")
        elif isinstance(value, str):
            fields[name] = value
        else:
            raise HTTPException(422, f"form {_shown(name)}: only the field file may be a file")
    if not recordings:
        raise HTTPException(422, "the field file of the form contains no file")
    if "file" in fields:
        raise HTTPException(422, "form file: given twice, as a file and as text")
    return Upload(recordings, fields)


def _shown(name: str) -> str:
    return printable(name, "?")[:100]


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
        413, f"the upload is larger than {megabytes} MB", headers={"Connection": "close"}
    )
