"""Atomic writes: a file or folder is complete or absent, and nothing is overwritten by accident."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import AffektError


def new_folder(folder: Path) -> Path:
    """Create a folder for results, or accept an empty one.

    Raises:
        AffektError: It is not empty, or cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise AffektError(f"{folder}: exists and is not empty; choose another folder")
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return folder


def check_writable(path: Path) -> None:
    """Check, before any work, that a file or folder can be created.

    Raises:
        AffektError: It cannot: the nearest folder that exists is a file or is write-protected.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise AffektError(f"{path}: cannot be written: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AffektError(f"{path}: cannot be written: no permission to write to {folder}")


def write_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a temporary folder next to the target, then rename it.

    Args:
        folder: The target; it must not exist.
        fill: Writes into the empty folder that it is given.

    Raises:
        AffektError: It cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
            part = Path(temporary) / folder.name
            part.mkdir()
            fill(part)
            part.rename(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write(path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    """Write a temporary file next to the target, then rename it.

    Args:
        path: The target; replaced if it exists.
        content: Bytes, text (UTF-8), or a function that writes to the path that it is given.

    Raises:
        AffektError: It cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, str):  # a path in it need not be Unicode; JSON reads the escape
                content = content.encode(errors="backslashreplace")
            if isinstance(content, bytes):
                file.write(content)
        if callable(content):
            content(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> AffektError:
    return AffektError(f"{path}: cannot be written: {error.strerror or error}")
