"""Read tables: CSV and TSV, also as spreadsheets export them, JSON lines, Parquet.

Parquet may be as Hugging Face's datasets write it, with recordings inside and numbered classes.
"""

import codecs
import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CorpusError
from ..extras import optional_import
from .stored import store

if TYPE_CHECKING:
    import pyarrow

SUFFIXES = {".csv", ".tsv", ".jsonl", ".parquet"}
SPREADSHEETS = {".xlsx", ".xls", ".xlsm", ".ods"}
ZIP = b"PK\x03\x04"  # the first bytes of .xlsx and .ods
DELIMITERS = {".csv": ",;\t", ".tsv": "\t,;"}  # the usual one first
AS_CSV = "a spreadsheet; save it as CSV (in Excel: Save As, CSV UTF-8) and give that file"
Row = Mapping[str, Any]
ROWS = 64  # of a Parquet file that are in memory together, with their recordings
Table = tuple[list[str], list[tuple[int, Row]]]  # names of columns, rows with line numbers


def read_table(path: Path) -> Table:
    """Read a table.

    The delimiter of a CSV or TSV file is found by its first line: comma, semicolon or tab. It is
    UTF-8, or UTF-16 with a byte order mark.

    Returns:
        The names of its columns, and its rows with their line numbers.

    Raises:
        CorpusError: It cannot be read.
    """
    kind = path.suffix.lower()
    if kind in SPREADSHEETS:
        raise CorpusError(f"{path}: is {AS_CSV}")
    try:
        if kind == ".parquet":
            return _parquet(path)
        text = _text(path.read_bytes())
        return _json_lines(text) if kind == ".jsonl" else _delimited(text, kind)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as {kind[1:].upper()}: {error}") from error


def find_column(path: Path, columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of several names that a table has; case and blanks of its header are ignored.

    Args:
        path: The table, for errors.
        columns: Its columns.
        names: Accepted names, in the order of preference.

    Raises:
        CorpusError: Two columns have that name.
    """
    for name in names:
        if own := [c for c in columns if "_".join(c.lower().split()) == name]:
            if len(own) > 1:
                raise CorpusError(f"{path}: {len(own)} columns are named {name}; rename the others")
            return own[0]
    return None


def _text(data: bytes) -> str:
    """The text of a file.

    Raises:
        ValueError: It is in another encoding, or no text.
    """
    if data.startswith(ZIP):
        raise ValueError(f"it is {AS_CSV}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data:
        raise ValueError("it has zero bytes; save it as UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"line {line} is not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8 "
            "(in Excel: Save As, CSV UTF-8), or convert it: iconv -f WINDOWS-1252 -t UTF-8"
        ) from error


def _json_lines(text: str) -> Table:
    lines = [(n, json.loads(line)) for n, line in enumerate(io.StringIO(text), 1) if line.strip()]
    if not all(isinstance(row, dict) for _, row in lines):
        raise ValueError("a line is not an object")
    return list(dict.fromkeys(key for _, row in lines for key in row)), lines


def _delimited(text: str, kind: str) -> Table:
    file = io.StringIO(text, newline="")
    first = file.readline()
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # a note of Excel
        delimiter, skipped = first[4], 1
    else:
        file.seek(0)
        delimiter, skipped = max(DELIMITERS.get(kind, ",;\t"), key=first.count), 0
    reader = csv.reader(file, delimiter=delimiter)
    columns = [name.strip() for name in next(reader, [])]
    rows: list[tuple[int, Row]] = []
    for cells in reader:
        line = reader.line_num + skipped
        if any(map(str.strip, cells[len(columns) :])):
            raise ValueError(
                f"line {line} has {len(cells)} cells, the header {len(columns)}; quote cells that "
                f"contain {delimiter!r}"
            )
        if any(map(str.strip, cells)):
            rows.append((line, dict(zip(columns, cells, strict=False))))
    return columns, rows


def _parquet(path: Path) -> Table:
    with optional_import(f"{path}: a Parquet file"):
        import pyarrow.parquet
    file = pyarrow.parquet.ParquetFile(path)
    classes = _class_names(file.schema_arrow)
    lines: list[tuple[int, Row]] = []
    for batch in file.iter_batches(ROWS):
        for row in batch.to_pylist():
            line = len(lines) + 1
            cells = {name: _cell(value, classes.get(name), line) for name, value in row.items()}
            lines.append((line, cells))
    return file.schema_arrow.names, lines


def _class_names(schema: "pyarrow.Schema") -> dict[str, list[str]]:
    """Names of the numbered classes of each column that has them (``ClassLabel`` of datasets)."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features", {})
    return {
        column: feature["names"]
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }


def _cell(value: Any, classes: Sequence[str] | None, line: int) -> Any:
    """A cell of a Parquet file: a recording as a file, a class by its name.

    Args:
        value: As pyarrow reads it.
        classes: Names of the classes of its column, if they are numbered.
        line: Its row.
    """
    if classes is not None and isinstance(value, int):
        if value >= len(classes):
            raise ValueError(f"line {line}: class {value}, but {len(classes)} classes have names")
        return classes[value] if value >= 0 else None  # -1: no label
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return store(f"{line}-{Path(value.get('path') or '').name}".rstrip("-"), value["bytes"])
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        return value["path"]
    return value
