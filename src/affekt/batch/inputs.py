"""What is to be scored: a folder, a glob, a manifest, tar shards, or any URL of fsspec.

The list is written down once, as a Parquet file whose row groups are the parts of the job: however
long it is, nobody holds it in memory, and a job that goes on finds the very same inputs.
"""

import csv
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import write
from ..audio.decoding import SUFFIXES, shown
from ..corpora.manifest import COLUMNS
from ..errors import AffektError

PART = 64  # inputs in a part
SCHEMA = pa.schema([
    ("index", pa.int64()), ("file", pa.string()), ("location", pa.string()),
    ("offset", pa.int64()), ("size", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True)
class Input:
    """One recording.

    Attributes:
        index: Its number in the job.
        file: What results call it.
        location: Path or URL of the file, or of the tar shard that holds it.
        offset: Where it begins in its shard; -1 if the file is the recording.
        size: Bytes in the shard.
    """

    index: int
    file: str
    location: str
    offset: int
    size: int

    def open(self) -> str | bytes:
        """As `affekt.audio.decoding.Decoder` takes it: a local path, or the bytes.

        Raises:
            OSError: It cannot be read.
        """
        if self.offset < 0 and "://" not in self.location:
            if Path(self.location).exists() and not Path(self.location).is_file():
                raise OSError(f"{self.location}: not a regular file")  # a pipe never ends
            return self.location
        with fsspec.open(self.location, "rb") as file:
            if self.offset >= 0:
                file.seek(self.offset)
                return bytes(file.read(self.size))
            return bytes(file.read())


LoadedExamples = tuple[str, str, int, int]  # file, location, offset, size


def find(source: str) -> Iterator[LoadedExamples]:
    """The recordings of a source, in a fixed order.

    Raises:
        AffektError: There is nothing of that name, or it cannot be read.
    """
    path = Path(source)
    try:
        if source.endswith(".tar"):
            yield from _shard(source)
        elif path.suffix in (".csv", ".tsv", ".parquet") and "*" not in source:
            yield from _manifest(path)
        else:
            yield from _files(source)
    except (OSError, ValueError, tarfile.TarError, pa.ArrowException) as error:
        raise AffektError(f"{source}: cannot be read: {error}") from None


def _files(source: str) -> Iterator[LoadedExamples]:
    system, path = fsspec.core.url_to_fs(source)
    pattern = any(c in path for c in "*?[") and not system.exists(path)
    names = sorted(system.glob(path) if pattern else system.find(path))
    for name in names:
        suffix = Path(name).suffix.lower()
        name = shown(name)
        location = name if "file" in system.protocol else system.unstrip_protocol(name)
        if suffix == ".tar":
            yield from _shard(location)
        elif suffix in SUFFIXES:
            yield location, location, -1, 0


def _shard(location: str) -> Iterator[LoadedExamples]:
    """The recordings in an uncompressed tar, as webdataset lays them out."""
    with fsspec.open(location, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                yield f"{location}::{member.name}", location, member.offset_data, member.size


def _manifest(path: Path) -> Iterator[LoadedExamples]:
    """The column of paths, relative to the table."""
    for name in _column(path):
        location = name if "://" in name else str(path.parent / name)
        yield name, location, -1, 0


def _column(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path)
        column = _named(path, table.schema_arrow.names)
        for batch in table.iter_batches(columns=[column]):
            yield from map(str, batch.column(0).to_pylist())
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        column = _named(path, rows.fieldnames or [])
        for row in rows:
            yield row[column]


def _named(path: Path, columns: Iterable[str]) -> str:
    for name in COLUMNS["path"]:
        if name in columns:
            return name
    raise AffektError(f"{path}: no column {' or '.join(COLUMNS['path'])}")


def write_list(source: str, target: Path) -> int:
    """Write down the recordings of a source; how many there are.

    Raises:
        AffektError: There are none, or it cannot be written.
    """
    found, number = find(source), 0

    def fill(part: Path) -> None:
        nonlocal number
        with pq.ParquetWriter(part, SCHEMA) as writer:
            while rows := list(islice(found, PART)):
                columns = [range(number, number + len(rows)), *zip(*rows, strict=True)]
                writer.write_table(pa.table([list(c) for c in columns], schema=SCHEMA))
                number += len(rows)
        if not number:
            raise AffektError(f"{source}: no recordings there ({', '.join(sorted(SUFFIXES))})")

    write(target, fill)
    return number


def parts(target: Path) -> int:
    """How many parts a list has."""
    return int(pq.ParquetFile(target).num_row_groups)


def read_part(target: Path, part: int) -> list[Input]:
    """The recordings of one part."""
    rows = pq.ParquetFile(target).read_row_group(part).to_pylist()
    return [Input(**row) for row in rows]
