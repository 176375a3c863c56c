"""What a recording is read from: a path, the bytes of a file, or an open binary file."""

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import AudioError

Source = str | os.PathLike[str] | bytes | BinaryIO

# Suffixes of recordings that libsndfile or PyAV opens.
SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"}
SUFFIXES |= {".m4a", ".mp4", ".avi", ".webm", ".mkv", ".mov"}
MAX_PIPE = 1 << 32  # bytes of a pipe or an open file, which are held in memory
BLOCK = 1 << 20  # bytes read from it at a time


class _Bytes(io.BytesIO):
    """Bytes for libsndfile, which seeks before the start where a header is damaged."""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return -1


def open_source(source: Source) -> tuple[str, str | io.BytesIO]:
    """Name of a source, and its path or an open file of its bytes.

    Raises:
        AudioError: As `read_source`.
        ValueError: As `read_source`.
    """
    name, content = read_source(source)
    return name, _Bytes(content) if isinstance(content, bytes) else content


def read_source(source: Source) -> tuple[str, str | bytes]:
    """Name of a source, and its path, or its bytes where it can be read only once.

    Raises:
        AudioError: It cannot be opened, or is empty.
        ValueError: A file opened as text.
    """
    if isinstance(source, bytes):
        return "<bytes>", source
    if isinstance(source, str | os.PathLike):
        return _read_path(os.fspath(source))
    name = str(getattr(source, "name", "<stream>"))
    return name, _all(source, name)


def _read_path(path: str) -> tuple[str, str | bytes]:
    name = shown(path)
    try:
        with Path(path).open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return name, _all(file, name)
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{name}: cannot be opened: {reason}") from error
    if empty:
        raise AudioError(f"{name}: the file is empty")
    return name, path


def _all(file: BinaryIO, name: str) -> bytes:
    """All bytes of a pipe or an open file.

    Raises:
        AudioError: There are none, or more than `MAX_PIPE`.
        ValueError: A file opened as text.
    """
    if isinstance(file, io.TextIOBase):
        raise ValueError(f"{name}: a file opened as text; open it with mode 'rb'")
    parts, size = list[bytes](), 0
    while part := file.read(BLOCK):
        if not isinstance(part, bytes):
            raise ValueError(f"{name}: a file opened as text; open it with mode 'rb'")
        parts.append(part)
        size += len(part)
        if size > MAX_PIPE:
            raise AudioError(f"{name}: more than {MAX_PIPE >> 30} GB; write it to a file first")
    return b"".join(parts)


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text; bytes that are not Unicode are escaped."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()
