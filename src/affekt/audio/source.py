"""What a recording is read from: a path, the bytes of a file, or an open binary file."""

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import AudioError
from .kind import mistake

Source = str | os.PathLike[str] | bytes | BinaryIO

MAX_PIPE = 1 << 32  # bytes of a pipe or an open file, which are held in memory
BLOCK = 1 << 20  # bytes read from it at a time


class _Bytes(io.BytesIO):
    """Bytes for libsndfile, which seeks before the start where a header is damaged."""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return -1


def open_source(source: Source, name: str = "") -> tuple[str, str | io.BytesIO]:
    """Name of a source, and its path or an open file of its bytes.

    Args:
        source: A path, the bytes of a file, or an open binary file.
        name: What results and errors call it; by default the path, ``<bytes>`` or ``<stream>``.

    Raises:
        AudioError: It cannot be opened, or is not a recording but what is mistaken for one.
        ValueError: A file opened as text.
    """
    name, content = read_source(source, name)
    if isinstance(content, bytes):
        data = _Bytes(content)
        reason = mistake(data)
        data.seek(0)
    else:
        with Path(content).open("rb") as file:
            reason = mistake(file)
    if reason:
        raise AudioError(f"{name}: {reason}")
    return name, data if isinstance(content, bytes) else content


def read_source(source: Source, name: str = "") -> tuple[str, str | bytes]:
    """Name of a source, and its path, or its bytes where it can be read only once.

    Args:
        source: As of `open_source`.
        name: As of `open_source`.

    Raises:
        AudioError: It cannot be opened.
        ValueError: A file opened as text.
    """
    if isinstance(source, bytes):
        return name or "<bytes>", source
    if not isinstance(source, str | os.PathLike):
        name = name or str(getattr(source, "name", "<stream>"))
        return name, _all(source, name)
    path, name = os.fspath(source), name or shown(source)
    try:
        with Path(path).open("rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return name, path if regular else _all(file, name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{name}: cannot be opened: {reason}") from error


def _all(file: BinaryIO, name: str) -> bytes:
    """All bytes of a pipe or an open file.

    Raises:
        AudioError: There are more than `MAX_PIPE`, or it is a terminal.
        ValueError: A file opened as text.
    """
    parts, size = list[bytes](), 0
    if isinstance(file, io.TextIOBase):
        raise ValueError(f"{name}: a file opened as text; open it with mode 'rb'")
    if getattr(file, "isatty", bool)():
        raise AudioError(f"{name}: is a terminal; pipe a recording into it")
    while part := file.read(BLOCK):
        if not isinstance(part, bytes):
            raise ValueError(f"{name}: reads {type(part).__name__}; open it with mode 'rb'")
        parts.append(part)
        size += len(part)
        if size > MAX_PIPE:
            raise AudioError(f"{name}: more than {MAX_PIPE >> 30} GB; write it to a file first")
    return b"".join(parts)


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text; bytes that are not Unicode are escaped."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()
