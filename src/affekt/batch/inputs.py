"""Inputs of a job: a folder, a glob, a manifest, tar shards, or any URL of fsspec.

Their list is written once, as a Parquet file whose row groups are the parts of the job. It is never
held in memory, and a resumed job has the same inputs.
"""

import csv
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import write
from ..audio.kind import MAGIC
from ..audio.listing import LeftOut, below_pattern, is_hidden, is_taken, read_head
from ..audio.source import shown
from ..corpora.manifest import COLUMNS, MISSING
from ..errors import AffektError

PART = 64  # recordings in a part
SCHEMA = pa.schema([
    ("index", pa.int64()), ("file", pa.string()), ("location", pa.binary()),
    ("offset", pa.int64()), ("size", pa.int64()), ("speaker", pa.string()),
])  # fmt: skip

FileState = tuple[int, int]  # size in bytes, time of the last change in ns


@dataclass(frozen=True)
class Input:
    """One recording.

    Attributes:
        index: Its number in the job.
        file: Its name in results.
        location: Path or URL of the file, or of the tar shard that contains it.
        offset: Byte at which it begins in its shard; -1 if it is a file of its own.
        size: Number of bytes in the shard.
        speaker: Name of the speaker, from a table; "" if not known.
    """

    index: int
    file: str
    location: str
    offset: int
    size: int
    speaker: str = ""

    def state(self) -> FileState | None:
        """Of its local file or shard; None if it is remote or no regular file."""
        if "://" in self.location or not Path(self.location).is_file():
            return None
        found = Path(self.location).stat()
        return found.st_size, found.st_mtime_ns

    def open(self) -> str | bytes:
        """The local path of the recording, or its bytes, for `affekt.audio.decoding.Decoder`.

        Raises:
            OSError: The recording cannot be read.
        """
        if self.offset < 0 and "://" not in self.location:
            if Path(self.location).exists() and not Path(self.location).is_file():
                raise OSError(f"{self.file}: not a regular file")  # a pipe would block
            return self.location
        with fsspec.open(self.location, "rb") as file:
            if self.offset >= 0:
                file.seek(self.offset)
                return bytes(file.read(self.size))
            return bytes(file.read())


Found = tuple[str, str, int, int, str]  # file, location, offset, size, speaker, as in `Input`


def find_recordings(source: str, left_out: LeftOut) -> Iterator[Found]:
    """Find the recordings of a source, in a fixed order.

    Args:
        source: Folder, glob, table, tar or URL.
        left_out: Where files that are not recordings are counted.

    Raises:
        AffektError: The source does not exist or cannot be read.
    """
    path = Path(source)
    try:
        if source.endswith(".tar"):
            yield from _shard(source, left_out)
        elif path.suffix in (".csv", ".tsv", ".parquet") and "*" not in source:
            yield from _manifest(path)
        else:
            yield from _files(source, left_out)
    except (OSError, ValueError, tarfile.TarError, pa.ArrowException) as error:
        raise AffektError(f"{shown(source)}: cannot be read: {error}") from error


def _files(source: str, left_out: LeftOut) -> Iterator[Found]:
    """Recordings and tar shards of a folder or glob."""
    system, root = fsspec.core.url_to_fs(source)
    local = "file" in system.protocol
    matches = [root]
    if re.search(r"[*?[]", root) and not system.exists(root):
        matches = sorted(system.glob(root))
    for name in (name for match in matches for name in sorted(system.find(match))):
        relative = below_pattern(name, root)
        location = name if local else system.unstrip_protocol(name)
        head = partial(read_head, Path(name)) if local else partial(_remote_head, system, name)
        if name.lower().endswith(".tar") and not is_hidden(relative):
            yield from _shard(location, left_out)
        elif is_taken(relative, head, left_out):
            yield shown(location), location, -1, 0, ""


def _remote_head(system: fsspec.AbstractFileSystem, name: str) -> bytes:
    """The first bytes of a remote file; none if it cannot be read or parts of it cannot."""
    try:
        return bytes(system.cat_file(name, 0, MAGIC))
    except (OSError, ValueError, NotImplementedError):
        return b""


def _shard(location: str, left_out: LeftOut) -> Iterator[Found]:
    """Recordings in an uncompressed tar, in the layout of webdataset."""
    with fsspec.open(location, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            if member.isfile() and is_taken(member.name, partial(_member, tar, member), left_out):
                name = shown(f"{location}::{member.name}")
                yield name, location, member.offset_data, member.size, ""


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The first bytes of a file in a tar."""
    file = tar.extractfile(member)
    return file.read(MAGIC) if file else b""


def _manifest(path: Path) -> Iterator[Found]:
    """Recordings of a table; relative paths are relative to the table."""
    for name, speaker in _rows(path):
        location = name if "://" in name else str(path.parent / name)
        yield shown(name), location, -1, 0, speaker


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Path and speaker of each row; a table with speakers is read whole and sorted by them."""
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path)
        columns = _columns(path, table.schema_arrow.names)
        batches = table.iter_batches(columns=columns)
        rows = (row for batch in batches for row in zip(*map(batch.column, columns), strict=True))
        yield from _by_speaker([str(cell) for cell in row] for row in rows)
        return
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        columns = _columns(path, lines.fieldnames or [])
        yield from _by_speaker([line[column] or "" for column in columns] for line in lines)


def _by_speaker(rows: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    """Rows of a path and perhaps a speaker; those of a speaker follow each other."""
    first = next(rows, None)
    if first is None:
        return
    rest = chain([first], rows)
    if len(first) == 1:
        yield from ((path, "") for [path] in rest)
    else:
        named = ((path, "" if speaker in MISSING else speaker) for path, speaker in rest)
        yield from sorted(named, key=itemgetter(1))


def _columns(path: Path, columns: Iterable[str]) -> list[str]:
    """The column of the path, and that of the speaker if there is one."""
    columns = list(columns)
    found = [next((n for n in COLUMNS[key] if n in columns), "") for key in ("path", "speaker")]
    if not found[0]:
        raise AffektError(f"{path}: no column {' or '.join(COLUMNS['path'])}")
    return [name for name in found if name]


def _parts(found: Iterator[Found]) -> Iterator[list[Found]]:
    """Parts of up to `PART` recordings; those of a speaker are in one part if they fit in it."""
    part: list[Found] = []
    for speaker, own in groupby(found, itemgetter(-1)):
        while rows := list(islice(own, PART if speaker else 1)):
            if len(part) + len(rows) > PART:
                yield part
                part = []
            part += rows
    if part:
        yield part


def write_inputs(source: str, target: Path, left_out: LeftOut, *, speakers: bool = True) -> int:
    """Write the list of the recordings of a source.

    Args:
        source: Folder, glob, table, tar or URL.
        target: The list.
        left_out: Where files that are not recordings are counted.
        speakers: Whether to take the speakers of a table that has them.

    Returns:
        Number of recordings.

    Raises:
        AffektError: There are none, or the list cannot be written.
    """
    found, number = find_recordings(source, left_out), 0
    if not speakers:
        found = ((*each[:-1], "") for each in found)

    def fill(part: Path) -> None:
        nonlocal number
        with pq.ParquetWriter(part, SCHEMA) as writer:
            for rows in _parts(found):
                files, locations, offsets, sizes, speakers = map(list, zip(*rows, strict=True))
                indices = list(range(number, number + len(rows)))
                # A path need not be Unicode; bytes are.
                encoded = [os.fsencode(location) for location in locations]
                columns = [indices, files, encoded, offsets, sizes, speakers]
                writer.write_table(pa.table(columns, schema=SCHEMA))
                number += len(rows)
        if not number:
            note = left_out.note()
            raise AffektError(f"{shown(source)}: no recordings found" + (note and f"; {note}"))

    write(target, fill)
    return number


def number_of_parts(target: Path) -> int:
    """Number of parts of a list."""
    return int(pq.ParquetFile(target).num_row_groups)


def read_part(target: Path, part: int) -> list[Input]:
    """Read the recordings of one part of a list."""
    rows = pq.ParquetFile(target).read_row_group(part).to_pylist()
    return [Input(**row | {"location": os.fsdecode(row["location"])}) for row in rows]
