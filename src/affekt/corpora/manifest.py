"""Manifests: tables with path, label, speaker, and optionally gender, split, text, start, end.

A manifest is a CSV, TSV, JSON lines or Parquet file. Paths are relative to it, or URLs of fsspec; a
Parquet file may contain the recordings. A split is train,
val or test; without splits, folds and validation sets are chosen by speaker. Rows with ``start``
and ``end``, in seconds, label a part of a file. Other columns are ignored.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from ..errors import CorpusError
from ..plural import counted
from ..types import LABELS, Example, TargetColumns, part_name
from .parts import part_fault, seconds
from .published import LoadedExamples
from .stored import Stored, fetch, is_url
from .tables import find_column, read_table
from .targets import RowTargets, TargetReader, target_notes

COLUMNS = {  # our name: accepted names, among them those of Hugging Face and audformat
    "path": ("path", "file_name", "file"),
    "label": ("label", "emotion"),
    "speaker": ("speaker", "speaker_id"),
    "gender": ("gender", "sex"),
    "split": ("split",),
    "text": ("text", "sentence", "transcription"),
    "start": ("start",),
    "end": ("end",),
}
SPLITS = ("", "train", "val", "test")
MISSING = {"nan", "NaN", "<NA>", "None", "null", "NULL", "N/A", "n/a", "#N/A", "NaT"}
WHOLE = re.compile(r"^(-?\d+)\.0+$")  # pandas writes whole numbers so where a cell is empty
SHOWN = 5  # lines that an error lists


def load(
    path: Path,
    *,
    speaker_needed: bool = True,
    closed_test: bool = False,
    columns: TargetColumns = LABELS,
) -> LoadedExamples:
    """Load the examples that a manifest lists; no row is dropped.

    Args:
        path: The file.
        speaker_needed: Whether a row without a speaker is an error.
        closed_test: Whether rows of the test part may lack a label.
        columns: Columns with the targets, in place of labels.

    Raises:
        CorpusError: The table cannot be read, a column or a value is missing, a split is unknown,
            or a path is listed twice or does not exist. The message has line numbers and counts.
    """
    examples, absent = list[Example](), list[Example]()
    first_line: dict[tuple[Path, str], int] = {}
    spelling: dict[Path, str] = {}  # one path for each file, so that its parts are of one file
    rows = list(listed(path, speaker_needed=speaker_needed, columns=columns))
    _refuse_empty(path, rows, speaker_needed=speaker_needed, closed_test=closed_test)
    fetched = fetch(row.example.path for _, row in rows if is_url(row.example.path))
    for line, row in rows:
        example = row.example
        if example.path in fetched:
            example = replace(example, path=str(fetched[example.path]))
        if row.fault:
            raise CorpusError(f"{example.where}: {row.fault}")
        if example.split not in SPLITS:
            raise CorpusError(
                f"{example.where}: unknown split {example.split!r}; use train, val or test"
            )
        file = Path(example.path)
        first = first_line.setdefault((file.resolve(), example.part), line)
        if first != line:
            raise CorpusError(f"{example.where}: {example.id} is listed on line {first} too")
        if not file.is_file():
            absent.append(example)
        same = spelling.setdefault(file.resolve(), example.path)
        examples.append(example if same == example.path else replace(example, path=same))
    if absent:
        files = counted(len(examples), "file")
        first_absent = absent[0]
        windows = PureWindowsPath(first_absent.file)
        hint = "; make paths relative to the table" if windows.drive else ""
        raise CorpusError(
            f"{path}: {len(absent)} of {files} missing, the first {first_absent.file} "
            f"({first_absent.where.removeprefix(f'{path}, ')}){hint}"
        )
    blanks = sum(row.blanks for _, row in rows)
    note = f"{path.name}: blanks around the label ignored in {counted(blanks, 'row')}"
    return LoadedExamples(examples, [*target_notes(examples), *([note] if blanks else [])])


class Listed(NamedTuple):
    """One row of a manifest or a fold table, as it stands there.

    Attributes:
        example: Its content.
        fault: What is wrong with its label or times; "" if nothing is.
        blanks: Whether there are blanks around the label.
    """

    example: Example
    fault: str = ""
    blanks: bool = False


def listed(
    path: Path, *, speaker_needed: bool = True, columns: TargetColumns = LABELS
) -> Iterator[tuple[int, Listed]]:
    """The rows of a manifest with their line numbers; cells, split and file are unchecked.

    Args:
        path: The file.
        speaker_needed: Whether it must have a column with the speaker.
        columns: Columns with the targets, in place of labels.

    Raises:
        CorpusError: The table cannot be read, or a column is missing.
    """
    headers, rows = read_table(path)
    names = {c: name for c in COLUMNS if (name := find_column(path, headers, COLUMNS[c]))}
    for header in headers if rows else ():
        if isinstance(rows[0][1].get(header), Stored):  # it also has the path at its creator's
            names["path"] = header
    required = ["path", *(["speaker"] if speaker_needed else [])]
    targets = TargetReader(path, headers, columns)
    if not targets:
        required.insert(1, "label")
    if missing := [c for c in required if c not in names]:
        raise CorpusError(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(headers) or 'none'}"
        )
    if ("start" in names) != ("end" in names):
        raise CorpusError(f"{path}: of start and end only one; parts of files need both columns")
    found = (find_column(path, headers, [name]) for name in COLUMNS["label"])
    label_columns = [name for name in found if name and not targets]
    for line, row in rows:
        cells = {column: row.get(name) for column, name in names.items()}
        stored = cells.get("path")
        if isinstance(stored, Stored):
            cells["path"] = stored.name
        value = {column: text(cells.get(column)) for column in COLUMNS}
        start, end, fault = times_or_fault(cells.get("start"), cells.get("end"))
        if len({text(row.get(name)) for name in label_columns}) > 1:
            both = " and ".join(label_columns)
            fault = f"the columns {both} differ; delete or rename the one that is not the label"
        own = targets.read(row) if targets else RowTargets(value["label"])
        file = local_path(path.parent, value["path"])
        example = Example(
            file + part_name(start, end),
            _place(path.parent, file, stored),
            own.label,
            value["speaker"],
            value["gender"],
            value["split"].lower(),
            value["text"],
            start=start,
            end=end,
            where=f"{path}, line {line}",
            targets=own.targets,
        )
        cell = cells.get("label")
        blanks = isinstance(cell, str) and cell != cell.strip() and not targets
        yield line, Listed(example, fault or own.fault, blanks)


def _refuse_empty(
    path: Path, rows: Sequence[tuple[int, Listed]], *, speaker_needed: bool, closed_test: bool
) -> None:
    """Refuse rows without a path, a label or a speaker.

    Args:
        path: The manifest.
        rows: Its rows.
        speaker_needed: As of `load`.
        closed_test: As of `load`.

    Raises:
        CorpusError: There are such rows.
    """
    empty: dict[str, list[int]] = defaultdict(list)
    for line, (example, fault, _) in rows:
        if not example.file:
            empty["path"].append(line)
        has_target = example.label or example.targets or fault
        if not has_target and not (closed_test and example.split == "test"):
            empty["label"].append(line)
        if not example.speaker and speaker_needed:
            empty["speaker"].append(line)
    if empty:
        raise CorpusError(f"{path}, {'; '.join(_empty(c, own) for c, own in empty.items())}")


def text(value: Any) -> str:
    """A cell as text; missing values (None, NaN, "nan") as empty text, 1.0 as "1"."""
    if value is None or value != value:
        return ""
    stripped = WHOLE.sub(r"\1", str(value).strip())
    return "" if stripped in MISSING else stripped


def part_times(where: str, start: Any, end: Any) -> tuple[float, float | None]:
    """Start and end of a part in seconds; without an end, it is that of the file.

    Args:
        where: File and line, for errors.
        start: Cell with the start; see `seconds`.
        end: Cell with the end.

    Raises:
        CorpusError: One is not a time, or they are no part of a file.
    """
    first, last, fault = times_or_fault(start, end)
    if fault:
        raise CorpusError(f"{where}: {fault}")
    return first, last


def times_or_fault(start: Any, end: Any) -> tuple[float, float | None, str]:
    """As `part_times`, with what is wrong in place of an error; "" if nothing is."""
    try:
        first, last = seconds(start) or 0.0, seconds(end)
    except ValueError:
        fault = (
            f"start {start!r} or end {end!r} is not a time in seconds; rename the columns if they "
            "are not the times of a part"
        )
        return 0.0, None, fault
    return first, last, part_fault(first, last)


def local_path(folder: Path, path: str) -> str:
    """A path of a table; with slashes in place of backslashes if there is no such file."""
    if "\\" in path and not (folder / path).exists():
        return path.replace("\\", "/")
    return path


def _place(folder: Path, file: str, stored: object) -> str:
    """Path or URL of a recording.

    Args:
        folder: Folder of the table.
        file: The cell.
        stored: The recording, if the table contained it.
    """
    if isinstance(stored, Stored):
        return str(stored.path)
    return file if is_url(file) else str(folder / file)


def _empty(column: str, lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:SHOWN]))
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}: {column} is empty"
