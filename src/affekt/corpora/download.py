"""Download a corpus: interrupted downloads are resumed, checksums verified, files kept."""

import hashlib
import os
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import CorpusError
from ..plural import counted
from ..progress import Event, Report, silent
from .published import Download

BLOCK = 1 << 20  # bytes
TIMEOUT = 60.0  # s without a byte


def get(download: Download, folder: Path, report: Report = silent) -> Path:
    """Download one file; an interrupted download is resumed from ``NAME.part``.

    Args:
        download: The file.
        folder: Where to write it.
        report: Progress.

    Returns:
        The path of the file, whose checksum was verified if the owner states one.

    Raises:
        CorpusError: The file exists, cannot be downloaded, or has another checksum.
    """
    target = folder / Path(urlsplit(download.url).path).name
    if target.exists():
        raise CorpusError(f"{target}: exists already; move it away to download it again")
    part = target.with_name(target.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(download.url, part, report)
    except OSError as error:
        raise CorpusError(
            f"{download.url}: {error}; {counted(_size(part), 'byte')} saved; run the command again "
            "to resume"
        ) from error
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if download.md5 and digest != download.md5:
        part.unlink()
        raise CorpusError(
            f"{download.url}: the MD5 is {digest}, the owner states {download.md5}; the file was "
            "deleted"
        )
    part.rename(target)
    return target


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(url: str, part: Path, report: Report) -> None:
    done = _size(part)
    request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310
    try:
        response = urlopen(request, timeout=TIMEOUT)  # noqa: S310, URLs are constants
    except HTTPError as error:
        if error.code == 416:  # the range begins at the end of the file: it is complete
            return
        raise
    with response, part.open("ab") as file:
        if done and response.status != 206:  # the server starts from the beginning
            file.truncate(0)
            done = 0
        total = done + int(response.headers.get("Content-Length") or 0)
        while block := response.read(BLOCK):
            file.write(block)
            done += len(block)
            report(Event(f"download {part.stem}", done // BLOCK, total // BLOCK, "MB"))
        file.flush()
        os.fsync(file.fileno())
    if done < total:
        raise OSError(f"the connection ended at {done} of {counted(total, 'byte')}")
