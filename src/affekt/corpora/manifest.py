"""A manifest: CSV with the columns path, label, speaker, and if you like gender and split.

Paths are relative to the manifest. A split is train, val or test; where none is given,
folds and validation are drawn by speaker. Further columns are allowed and ignored.
"""

import csv
from pathlib import Path

from ..errors import CorpusError
from ..types import Utterance

REQUIRED = ("path", "label", "speaker")
SPLITS = ("", "train", "val", "test")


def load(path: Path) -> list[Utterance]:
    """The utterances that a manifest lists.

    Raises:
        CorpusError: Not a readable CSV, a column or a value is missing, a split is unknown, a
            path is listed twice or does not exist; with line numbers and counts. Nothing is
            dropped.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if missing := [c for c in REQUIRED if c not in columns]:
                raise CorpusError(
                    f"{path}: no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as CSV: {error}") from None
    utterances, absent = [], []
    first_line: dict[Path, int] = {}
    for line, row in rows:
        if empty := [c for c in REQUIRED if not (row[c] or "").strip()]:
            raise CorpusError(f"{path}, line {line}: {', '.join(empty)} is empty")
        split = (row.get("split") or "").strip().lower()
        if split not in SPLITS:
            raise CorpusError(f"{path}, line {line}: split {split!r}; use train, val or test")
        file_path = path.parent / row["path"]
        if file_path in first_line:
            raise CorpusError(
                f"{path}, line {line}: {row['path']} stands on line {first_line[file_path]} too"
            )
        first_line[file_path] = line
        if not file_path.is_file():
            absent.append(row["path"])
        utterances.append(
            Utterance(
                row["path"],
                str(file_path),
                row["label"].strip(),
                row["speaker"].strip(),
                (row.get("gender") or "").strip(),
                split,
            )
        )
    if absent:
        raise CorpusError(
            f"{path}: {len(absent)} of {len(rows)} files do not exist, the first {absent[0]}"
        )
    return utterances
