"""Writing without loss: whole or not at all, and never over something else."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import AffektError


def new_folder(folder: Path) -> Path:
    """Make an empty folder for results, or take one that is empty.

    Raises:
        AffektError: It holds something, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise AffektError(f"{folder}: exists and is not empty; choose another folder")
    except OSError as error:
        raise AffektError(f"{folder}: cannot be written: {error.strerror}") from error
    return folder


def write_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a folder under a temporary name beside it, then rename it.

    Args:
        folder: The folder; it must not be there yet.
        fill: Writes into the empty folder it is given.

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
        raise AffektError(f"{folder}: cannot be written: {error.strerror or error}") from error


def write(path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    """Write a file under a temporary name beside it, then rename it.

    Args:
        path: The file; replaced if it exists.
        content: Bytes, text (UTF-8), or a function that writes to the path it is given.

    Raises:
        AffektError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except OSError as error:
        raise AffektError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if not callable(content):
                file.write(content.encode() if isinstance(content, str) else content)
        if callable(content):
            content(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise AffektError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
