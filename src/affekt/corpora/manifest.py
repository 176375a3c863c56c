"""A manifest: a table with path, label, speaker, and if you like gender and split.

CSV, TSV, JSON lines or Parquet. Paths are relative to the manifest. A split is train, val
or test; where none is given, folds and validation are drawn by speaker. Further columns are
allowed and ignored.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..extras import optional_import
from ..types import Example

SUFFIXES = {".csv", ".tsv", ".jsonl", ".parquet"}
COLUMNS = {  # ours, and what Hugging Face and audformat call them
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
    """The utterances that a manifest lists.

    Args:
        path: The file.
        speaker_needed: Whether a row without a speaker is an error.
        closed_test: Whether a row of the test part may lack its label.

    Raises:
        CorpusError: Not a readable table, a column or a value is missing, a split is unknown, a
            path is listed twice or does not exist; with line numbers and counts. Nothing is
            dropped.
    """
    columns, rows = read_table(path)
    name = {ours: next((n for n in names if n in columns), "") for ours, names in COLUMNS.items()}
    required = ("path", "label", "speaker") if speaker_needed else ("path", "label")
    if missing := [c for c in required if not name[c]]:
        raise CorpusError(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}"
        )
    examples, absent = [], []
    first_line: dict[Path, int] = {}
    for line, row in rows:
        value = {ours: _text(row.get(theirs)) for ours, theirs in name.items()}
        closed = closed_test and value["split"].lower() == "test"
        if empty := [c for c in required if not value[c] and not (closed and c == "label")]:
            raise CorpusError(f"{path}, line {line}: {', '.join(empty)} is empty")
        if value["split"].lower() not in SPLITS:
            raise CorpusError(
                f"{path}, line {line}: split {value['split']!r}; use train, val or test"
            )
        file = path.parent / value["path"]
        first = first_line.setdefault(file.resolve(), line)
        if first != line:
            raise CorpusError(f"{path}, line {line}: {value['path']} stands on line {first} too")
        if not file.is_file():
            absent.append(value["path"])
        examples.append(
            Example(
                value["path"],
                str(file),
                value["label"],
                value["speaker"],
                value["gender"],
                value["split"].lower(),
                value["text"],
            )
        )
    if absent:
        raise CorpusError(
            f"{path}: {len(absent)} of {len(rows)} files do not exist, the first {absent[0]}"
        )
    return examples


def _text(value: object) -> str:
    """A cell as text; empty for what tables use for nothing."""
    return "" if value is None or value != value else str(value).strip()


def read_table(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    """Columns, and rows with their line numbers.

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
