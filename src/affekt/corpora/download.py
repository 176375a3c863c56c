"""Download a corpus: interrupted downloads are resumed, checksums verified, files kept."""

import hashlib
import os
import warnings
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import CorpusError, DamagedFileWarning
from ..plural import counted
from ..progress import Event, Report, silent
from .published import Download

BLOCK = 1 << 20  # bytes
TIMEOUT = 60.0  # s without a byte


def get(download: Download, folder: Path, report: Report = silent) -> Path:
    """Download one file; an interrupted download is resumed from ``NAME.part``.

    A file that is damaged by its checksum is downloaded again and replaced, as a
    `DamagedFileWarning` says.

    Args:
        download: The file.
        folder: Where to write it.
        report: Progress.

    Returns:
        The path of the file, whose checksum was verified if the owner states one.

    Raises:
        CorpusError: The file exists and the owner states no checksum; or it cannot be downloaded,
            or has another checksum.
    """
    target = folder / Path(urlsplit(download.url).path).name
    if target.exists():
        if not download.md5:
            raise CorpusError(f"{target}: exists already; move it away to download it again")
        if _md5(target) == download.md5:
            return target
        _warn_damaged(target)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(download.url, part, report)
        if resumed and not _is_correct(part, download):
            _warn_damaged(part)
            part.unlink()
            _fetch(download.url, part, report)
    except (OSError, HTTPException) as error:
        raise CorpusError(
            f"{download.url}: {error}; {counted(_size(part), 'byte')} saved; run the command again "
            "to resume"
        ) from error
    if not _is_correct(part, download):
        digest = _md5(part)
        part.unlink()
        raise CorpusError(
            f"{download.url}: the MD5 is {digest}, the owner states {download.md5}; the file was "
            "deleted"
        )
    part.replace(target)
    return target


def _is_correct(path: Path, download: Download) -> bool:
    """Whether a file has the checksum that the owner states; True if there is none."""
    return not download.md5 or _md5(path) == download.md5


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _warn_damaged(path: Path) -> None:
    text = f"{path}: damaged (its MD5 is another one); it is downloaded again"
    warnings.warn(text, DamagedFileWarning, stacklevel=3)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(url: str, part: Path, report: Report) -> None:
    done = _size(part)
    request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310
    try:
        response = urlopen(request, timeout=TIMEOUT)  # noqa: S310, URLs are constants
    except HTTPError as error:
        if error.code != 416 or not done:
            raise
        if (error.headers["Content-Range"] or "").endswith(f"/{done}"):  # the file is complete
            return
        part.unlink()  # it is not the beginning of this file
        _fetch(url, part, report)
        return
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
