"""Fold tables, as other toolkits publish them: the training and test examples of each fold."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..errors import CorpusError
from ..plural import counted
from ..types import Example, part_name
from .corpus import Corpus
from .manifest import COLUMNS as MANIFEST
from .manifest import Listed, local_path, part_times, text, times_or_fault
from .matching import Times, match_paths
from .parts import overlapping
from .splits import Fold, FoldTable
from .tables import Row, find_column, read_table

COLUMNS = ("path", "fold", "part", "start", "end", "label", "speaker", "text")
PARTS = {"train": "train", "val": "val", "valid": "val", "dev": "val", "test": "test"}
EMOBOX_FILE = re.compile(r"_(train|valid|test)_fold_?(\d+)\.jsonl?$")


class _Row(NamedTuple):
    """One row of a table: an example in one part of one fold."""

    where: str  # file and line, for errors
    path: str
    fold: str
    part: str  # train, val, test, or another word; "" where the table has no parts
    times: Times | None = None  # of the part of a file, where the table has them
    label: str = ""
    speaker: str = ""
    text: str = ""
    fault: str = ""  # what is wrong with the times


def with_fold_table(corpus: Corpus, path: Path) -> Corpus:
    """The corpus with the folds of a table in place of its usual ones.

    Labels and speakers are those of the corpus; rows are matched by their paths. The notes count
    the rows without an example and the examples that no fold tests.

    Args:
        corpus: The corpus that the table divides.
        path: A table (CSV, TSV, JSON lines, Parquet) with ``path``, ``fold`` and, unless each row
            is tested in its fold and trained on in all others, ``part`` (train, val, test); or
            EmoBox's folder of a corpus, such as ``data/casia``.

    Raises:
        CorpusError: The table lacks a column, a path fits several examples, an example is listed
            twice in a fold, validation speakers are also trained on, or a fold has nothing to train
            on or to test.
    """
    rows = list(_emobox(path) if path.is_dir() else _table(path))
    for row in rows:
        if row.fault:
            raise CorpusError(f"{row.where}: {row.fault}")
        if row.part not in ("", *PARTS.values()):
            raise CorpusError(f"{row.where}: part {row.part!r}; use train, val or test")
    times = {row.where: row.times for row in rows if row.times}
    matches = match_paths({row.where: row.path for row in rows}, corpus.examples, times)
    examples = [matches[row.where] for row in rows]
    folds = _folds([(r.fold, r.part, e) for r, e in zip(rows, examples, strict=True) if e])
    for name, fold in folds.items():
        _check(f"{path}, fold {name}", fold)
    if not folds:
        raise CorpusError(f"{path}: no clip of {corpus.name} among its {counted(len(rows), 'row')}")
    notes = list(corpus.notes)
    if absent := {(r.path, r.times) for r, e in zip(rows, examples, strict=True) if e is None}:
        notes.append(f"{counted(len(absent), 'clip')} of the fold table not in the corpus")
    tested = {e.id for fold in folds.values() for e in fold.test}
    if untested := len(corpus.examples) - len(tested):
        notes.append(f"{counted(untested, 'clip')} of the corpus tested by no fold of the table")
    table = FoldTable(path.resolve().stem, tuple(folds.values()))
    return replace(corpus, notes=tuple(notes), fold_table=table)


def listed(path: Path) -> Iterator[tuple[str, Listed]]:
    """The rows of a table that has labels and speakers itself, for an audit.

    Args:
        path: A table with ``path``, ``label``, ``speaker``, ``fold`` and optionally ``part`` and
            ``text``. A recording may be listed more than once: an audit looks for that.

    Yields:
        The fold of a row, and the row with its part as `Example.split`; cells, part and file are
        unchecked.

    Raises:
        CorpusError: The table lacks a column.
    """
    for row in _table(path, ("path", "label", "speaker", "fold")):
        name = local_path(path.parent, row.path)
        start, end = row.times or (0.0, None)
        example = Example(
            name + part_name(start, end),
            str((path.parent / name).resolve()),
            row.label,
            row.speaker,
            split=row.part,
            text=row.text,
            start=start,
            end=end,
            where=row.where,
        )
        yield row.fold, Listed(example, row.fault)


def _table(path: Path, required: Sequence[str] = ("path", "fold")) -> Iterator[_Row]:
    columns, rows = read_table(path)
    names = {c: find_column(path, columns, MANIFEST.get(c, [c])) for c in COLUMNS}
    if missing := [c for c in required if names[c] is None]:
        raise CorpusError(f"{path}: no column {', '.join(missing)}; a table of folds has them")
    for line, cells in rows:
        where = f"{path}, line {line}"
        value = {c: text(cells.get(name)) if name else "" for c, name in names.items()}
        part = value["part"].lower()
        times, fault = None, ""
        if (start := names["start"]) and (end := names["end"]):
            first, last, fault = times_or_fault(cells.get(start), cells.get(end))
            times = first, last
        yield _Row(
            where,
            value["path"],
            value["fold"],
            PARTS.get(part, part or "no part") if names["part"] else "",
            times,
            value["label"],
            value["speaker"],
            value["text"],
            fault,
        )


def _emobox(folder: Path) -> Iterator[_Row]:
    """Rows of EmoBox's files: ``fold_1/casia_train_fold_1.jsonl``, ``..._valid_...`` and so on.

    Some of its folds also exist as ``.json`` or under an older name, ``_fold1``; such a file is
    read only where there is no other.
    """
    files: dict[tuple[int, str], Path] = {}
    for file in sorted(folder.glob("fold*/*.json*"), key=lambda f: ("_fold_" in f.stem, f.suffix)):
        if match := EMOBOX_FILE.search(file.name):
            files[int(match[2]), PARTS[match[1]]] = file
    if not files:
        raise CorpusError(
            f"{folder}: no EmoBox folds; they are named fold_1/CORPUS_train_fold_1.jsonl"
        )
    for (fold, part), file in sorted(files.items()):
        try:
            for line, cells in enumerate(_records(file), 1):
                where = f"{file}, record {line}"
                audio = cells["wav"] if "wav" in cells else cells["audio"]
                times = None
                if "start_time" in cells:
                    times = part_times(where, cells["start_time"], cells["end_time"])
                yield _Row(where, str(audio), str(fold), part, times)
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{file}: not a fold table of EmoBox ({error!r})") from error


def _records(file: Path) -> list[Row]:
    text = file.read_text("utf-8")
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(json.loads(text).values())


def folds_of(rows: Sequence[tuple[str, Example]]) -> dict[str, Fold]:
    """Folds by name, in the order of the table; the part of an example is its split."""
    return _folds([(fold, example.split, example) for fold, example in rows])


def _folds(rows: Sequence[tuple[str, str, Example]]) -> dict[str, Fold]:
    """Folds by name, of fold, part and example of each row."""
    parts: dict[str, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for fold, part, example in rows:
        parts[fold][part or "test"].append(example)
    if not any(part for _, part, _ in rows):  # each fold trains on the test parts of the others
        for name, own in parts.items():
            own["train"] = [e for other in parts if other != name for e in parts[other]["test"]]
    return {
        name: Fold(tuple(own["train"]), tuple(own["val"]), tuple(own["test"]))
        for name, own in parts.items()
    }


def _check(where: str, fold: Fold) -> None:
    """Check that a fold can be evaluated.

    Raises:
        CorpusError: It cannot.
    """
    if not fold.train or not fold.test:
        raise CorpusError(f"{where}: nothing to {'test' if fold.train else 'train on'}")
    seen: set[str] = set()
    for example in (*fold.train, *fold.val, *fold.test):
        if example.id in seen:
            raise CorpusError(
                f"{where}: {example.id} is listed twice; affekt audit TABLE lists all repeated rows"
            )
        seen.add(example.id)
    tested = {e.id for e in fold.test}
    for one, other in overlapping([*fold.train, *fold.val, *fold.test]):
        if (one.id in tested) != (other.id in tested):
            raise CorpusError(
                f"{where}: {one.id} and {other.id} overlap, and one of them is tested"
            )
    unknown = [e for e in fold.test if e.part and e.anonymous]
    if both := {e.file for e in unknown} & {e.file for e in (*fold.train, *fold.val)}:
        raise CorpusError(
            f"{where}: parts of {min(both)} are in training and test, and speakers are unknown; "
            "put all parts of a file into one part"
        )
    if both := {e.speaker for e in fold.train} & {e.speaker for e in fold.val}:
        raise CorpusError(
            f"{where}: validation speaker {min(both)} is also trained on "
            f"({counted(len(both), 'such speaker')}); mark the val rows as train, and "
            "validation speakers are drawn at random"
        )
