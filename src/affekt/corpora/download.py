"""Fetch what an owner offers without asking: resumed if broken off, checked, never replaced."""

import hashlib
import os
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import CorpusError
from ..progress import Event, Report, silent
from .published import Download

BLOCK = 1 << 20  # bytes
TIMEOUT = 60.0  # s without a byte


def get(download: Download, folder: Path, report: Report = silent) -> Path:
    """Fetch one file into `folder`; what an earlier attempt left in ``NAME.part`` is kept.

    Returns:
        The file, with the checksum that its owner states, where one is stated.

    Raises:
        CorpusError: It exists, cannot be fetched, or has another checksum.
    """
    target = folder / Path(urlsplit(download.url).path).name
    if target.exists():
        raise CorpusError(f"{target}: exists already; move it away to fetch it again")
    part = target.with_name(target.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(download.url, part, report)
    except OSError as error:
        held = part.stat().st_size if part.exists() else 0
        raise CorpusError(
            f"{download.url}: {error}; {held} bytes are kept, run the command again to go on"
        ) from error
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if download.md5 and digest != download.md5:
        part.unlink()
        raise CorpusError(
            f"{download.url}: md5 is {digest}, its owner states {download.md5}; nothing is kept"
        )
    part.rename(target)
    return target


def _fetch(url: str, part: Path, report: Report) -> None:
    held = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={held}-"} if held else {})  # noqa: S310
    try:
        response = urlopen(request, timeout=TIMEOUT)  # noqa: S310, the URLs are our own
    except HTTPError as error:
        if error.code == 416:  # nothing beyond what is held
            return
        raise
    with response, part.open("ab") as file:
        if held and response.status != 206:  # the server starts from the beginning
            file.truncate(0)
            held = 0
        total = held + int(response.headers.get("Content-Length") or 0)
        while block := response.read(BLOCK):
            file.write(block)
            held += len(block)
            report(Event(f"fetch {part.stem}", held // BLOCK, total // BLOCK, "MB"))
        file.flush()
        os.fsync(file.fileno())
    if held < total:
        raise OSError(f"the connection ended at {held} of {total} bytes")
