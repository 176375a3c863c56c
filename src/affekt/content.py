"""Hashes of files by their content."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DIGITS = 16  # hexadecimal digits of a hash


def hash_files(paths: Iterable[str | Path]) -> dict[str, str]:
    """Hash the content of each file; 500 MB take about a second.

    Returns:
        16 hexadecimal digits of SHA-256 by path; "" for a file that cannot be read.
    """
    names = list(dict.fromkeys(map(str, paths)))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return dict(zip(names, pool.map(_hash_file, names), strict=True))


def hash_tree(path: Path, pattern: str = "*") -> str:
    """Hash a file, or the files below a folder that match a pattern, with their names.

    Returns:
        16 hexadecimal digits; "" if there is no such file.
    """
    if not path.is_dir():
        return _hash_file(path)
    files = sorted(p for p in path.rglob(pattern) if p.is_file())
    hashes = hash_files(files)
    return hash_value([(p.relative_to(path).as_posix(), hashes[str(p)]) for p in files])


def hash_value(value: object) -> str:
    """Hash a value by its representation, which must not depend on the process."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:DIGITS]


def _hash_file(path: str | Path) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
    except OSError:
        return ""
