"""Recordings at URLs and inside Parquet tables, stored as files in the cache folder ``audio``.

A training reads each recording several times, which a local file serves best. Files are named by
their content or, of a URL, by what its file system says of the version, so that no stale one is
used.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..atomic import write
from ..errors import CorpusError
from ..extras import optional_import
from ..nn.encoders.weights import cache_folder
from ..plural import counted

CONNECTIONS = 8  # files that are fetched at a time


class Stored(NamedTuple):
    """A recording of a table.

    Attributes:
        name: Its name in the table.
        path: The file.
    """

    name: str
    path: Path


def store(name: str, content: bytes) -> Stored:
    """Store a recording, once for the same content.

    Args:
        name: Its name.
        content: Bytes of the file.
    """
    path = _place(content)
    if not path.exists():
        write(path, content)
    return Stored(name, path)


def is_url(path: str) -> bool:
    """Whether a path of a table is a URL of fsspec, such as ``s3://bucket/a.wav``."""
    return "://" in path


def fetch(urls: Iterable[str]) -> dict[str, Path]:
    """Store the recordings at URLs; one that is there already is not fetched again.

    Returns:
        The file of each URL.

    Raises:
        CorpusError: Some cannot be fetched; the message has their number and the first reason.
        MissingExtraError: fsspec is not installed.
    """
    each = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        found = dict(zip(each, pool.map(_fetched, each), strict=True))
    failed = [f"{url}: {reason}" for url, reason in found.items() if isinstance(reason, str)]
    if failed:
        raise CorpusError(
            f"cannot fetch {len(failed)} of {counted(len(each), 'recording')}, the first: "
            f"{failed[0]}"
        )
    return {url: path for url, path in found.items() if isinstance(path, Path)}


def _fetched(url: str) -> Path | str:
    """The file of a URL, or why there is none."""
    with optional_import(f"{url}: a URL"):
        import fsspec
    try:
        system, name = fsspec.core.url_to_fs(url)
        path = _place(f"{url} {system.ukey(name)}".encode())
        if not path.exists():
            write(path, lambda part: system.get_file(name, str(part)))
    except Exception as error:  # each file system has its own
        return str(error) or type(error).__name__
    return path


def _place(key: bytes) -> Path:
    digest = hashlib.sha256(key).hexdigest()
    return cache_folder() / "audio" / digest[:2] / digest
