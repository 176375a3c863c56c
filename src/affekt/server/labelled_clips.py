"""The export of the page (a ZIP archive of clips and their labels) as a folder to adapt to.

Nothing that an archive names is used as a path: clips are found in it by the names of its manifest,
and written under numbers.
"""

import csv
import shutil
import zlib
from collections import Counter
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from ..errors import AffektError

MANIFEST = "manifest.csv"  # in the archive, in whatever folder
LABELS = "labels.csv"  # in the folder that is written
MOST_CLIPS = 10_000
LONGEST = 200  # characters of a label or speaker
DAMAGED = (BadZipFile, zlib.error, csv.Error, EOFError, UnicodeDecodeError)
UNREADABLE = (NotImplementedError, RuntimeError)  # an unknown compression, a password


class ClipsError(AffektError):
    """An archive is no export of labels, or has too few or too many of them."""


def unpack(archive: BinaryIO, folder: Path, megabytes: int) -> Counter[str]:
    """Write the clips of an archive and a manifest of them, ``labels.csv``.

    Args:
        archive: As the page exports it.
        folder: Exists, and is empty.
        megabytes: Limit of its content.

    Returns:
        Number of clips of each label.

    Raises:
        ClipsError: It is damaged, too large, or has too few labels to adapt a model.
    """
    try:
        with ZipFile(archive) as file:
            files = {info.filename: info for info in file.infolist()}
            if any(info.header_offset < 0 for info in files.values()):
                raise BadZipFile("an entry before the beginning")
            if sum(info.file_size for info in files.values()) > megabytes * 1_000_000:
                raise ClipsError(f"the clips are larger than {megabytes} MB")
            rows = _rows(file, files)
            for number, (_, _, info) in enumerate(rows):
                with file.open(info) as source, (folder / _name(number)).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except (*DAMAGED, *UNREADABLE) as error:
        raise ClipsError("not a ZIP archive of labels, or a damaged one") from error
    counts = Counter(label for label, _, _ in rows)
    if len(counts) < 2 or min(counts.values()) < 2:
        found = ", ".join(f"{label} {number}" for label, number in sorted(counts.items()))
        raise ClipsError(
            "adapting needs at least two labels with two clips each; there are "
            f"{found or 'no labels'}"
        )
    with (folder / LABELS).open("x", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["path", "label", "speaker"])
        for number, (label, speaker, _) in enumerate(rows):
            writer.writerow([_name(number), label, speaker])
    return counts


def _rows(file: ZipFile, files: dict[str, ZipInfo]) -> list[tuple[str, str, ZipInfo]]:
    """Label, speaker and clip of each row of the manifest."""
    found = [name for name in files if name.rpartition("/")[2] == MANIFEST]
    if len(found) != 1:
        raise ClipsError(f"the archive has no {MANIFEST}, or several")
    root = found[0].removesuffix(MANIFEST)
    rows, seen = [], set()
    with TextIOWrapper(file.open(found[0]), "utf-8-sig", newline="") as text:
        for line, row in enumerate(csv.DictReader(text), 2):
            path, label, speaker = (row.get(name) or "" for name in ("path", "label", "speaker"))
            if line > MOST_CLIPS + 1:
                raise ClipsError(f"{MANIFEST}: more than {MOST_CLIPS} clips")
            if not (_is_name(label) and _is_name(speaker)):
                raise ClipsError(f"{MANIFEST}, line {line}: no label or speaker, or a wrong one")
            if path in seen or root + path not in files:
                raise ClipsError(f"{MANIFEST}, line {line}: its clip is missing or listed twice")
            seen.add(path)
            rows.append((label, speaker, files[root + path]))
    return rows


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= LONGEST and text.isprintable()


def _name(number: int) -> str:
    return f"{number:05}.wav"
