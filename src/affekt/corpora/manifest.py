"""Manifests: tables with the columns path, label, speaker, and optionally gender, split, text.

A manifest is a CSV, TSV, JSON lines or Parquet file. Paths are relative to it. A split is train,
val or test; without splits, folds and validation sets are chosen by speaker. Other columns are
ignored.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..extras import optional_import
from ..plural import counted
from ..types import Example

SUFFIXES = {".csv", ".tsv", ".jsonl", ".parquet"}
COLUMNS = {  # our name: accepted names, among them those of Hugging Face and audformat
    "path": ("path", "file_name", "file"),
    "label": ("label", "emotion"),
    "speaker": ("speaker", "speaker_id"),
    "gender": ("gender", "sex"),
    "split": ("split",),
    "text": ("text", "sentence", "transcription"),
}
SPLITS = ("", "train", "val", "test")
Row = Mapping[str, Any]


def load(path: Path, *, speaker_needed: bool = True, closed_test: bool = False) -> list[Example]:
    """Load the examples that a manifest lists; no row is dropped.

    Args:
        path: The file.
        speaker_needed: Whether a row without a speaker is an error.
        closed_test: Whether rows of the test part may lack a label.

    Raises:
        CorpusError: The table cannot be read, a column or a value is missing, a split is unknown,
            or a path is listed twice or does not exist. The message has line numbers and counts.
    """
    examples, absent = [], []
    first_line: dict[Path, int] = {}
    for line, example in listed(path, speaker_needed=speaker_needed, closed_test=closed_test):
        if example.split not in SPLITS:
            raise CorpusError(
                f"{path}, line {line}: unknown split {example.split!r}; use train, val or test"
            )
        file = Path(example.path)
        first = first_line.setdefault(file.resolve(), line)
        if first != line:
            raise CorpusError(f"{path}, line {line}: {example.id} is listed on line {first} too")
        if not file.is_file():
            absent.append(example.id)
        examples.append(example)
    if absent:
        files = counted(len(examples), "file")
        raise CorpusError(f"{path}: {len(absent)} of {files} missing, the first {absent[0]}")
    return examples


def listed(
    path: Path, *, speaker_needed: bool = True, closed_test: bool = False
) -> Iterator[tuple[int, Example]]:
    """The rows of a manifest with their line numbers; split, repetition and file are unchecked.

    Args:
        path: The file.
        speaker_needed: Whether a row without a speaker is an error.
        closed_test: Whether rows of the test part may lack a label.

    Raises:
        CorpusError: The table cannot be read, or a column or a value is missing.
    """
    columns, rows = read_table(path)
    name = {
        column: next((n for n in names if n in columns), "") for column, names in COLUMNS.items()
    }
    required = ("path", "label", "speaker") if speaker_needed else ("path", "label")
    if missing := [c for c in required if not name[c]]:
        raise CorpusError(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}"
        )
    for line, row in rows:
        value = {column: _text(row.get(own)) for column, own in name.items()}
        split = value["split"].lower()
        closed = closed_test and split == "test"
        if empty := [c for c in required if not value[c] and not (closed and c == "label")]:
            raise CorpusError(f"{path}, line {line}: {', '.join(empty)} is empty")
        yield (
            line,
            Example(
                value["path"],
                str(path.parent / value["path"]),
                value["label"],
                value["speaker"],
                value["gender"],
                split,
                value["text"],
            ),
        )


def _text(value: object) -> str:
    """A cell as text; missing values (None, NaN) as empty text."""
    return "" if value is None or value != value else str(value).strip()


def read_table(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    """Read a table.

    Returns:
        The names of its columns, and its rows with their line numbers.

    Raises:
        CorpusError: It cannot be read.
    """
    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return _parquet(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            if kind == ".jsonl":
                lines = [(n, json.loads(line)) for n, line in enumerate(file, 1) if line.strip()]
                if not all(isinstance(row, dict) for _, row in lines):
                    raise ValueError("a line is not an object")
                return list(dict.fromkeys(key for _, row in lines for key in row)), lines
            reader = csv.DictReader(file, delimiter="\t" if kind == ".tsv" else ",")
            columns = list(reader.fieldnames or [])
            return columns, [(reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as {kind[1:].upper()}: {error}") from error


def _parquet(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    with optional_import(f"{path}: a Parquet file"):
        import pyarrow.parquet
    table = pyarrow.parquet.read_table(path)
    return table.column_names, list(enumerate(table.to_pylist(), 1))
