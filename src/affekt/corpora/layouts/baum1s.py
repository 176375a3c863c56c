"""BAUM-1s: ``BAUM1s_MP4 - All/s001/S001_015.mp4`` and ``Annotations_BAUM1s.xlsx``.

The headers of the sheet vary, so its columns are identified by their contents.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...errors import CorpusError
from ...extras import optional_import
from ...plural import counted
from ...types import Example
from ..published import LoadedExamples, PublishedCorpus, recordings, refuse_duplicates

CODES = {
    1: "anger",
    2: "boredom",
    3: "bothered",
    4: "concentrating",
    5: "contempt",
    6: "disgust",
    7: "fear",
    8: "happiness",
    9: "neutral",
    10: "sadness",
    11: "surprise",
    12: "thinking",
    13: "unsure",
}
SIX = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"}
CLIP_NAME = re.compile(r"s0*(\d{1,3})[_-](\d{1,3})(?:\.\w+)?", re.IGNORECASE)
Clip = tuple[int, int]  # subject, number
Row = Sequence[Any]
Body = Sequence[tuple[Clip, Row]]


def load(root: Path) -> LoadedExamples:
    """Load the clips of the six basic emotions.

    Clips with contradictory annotations are left out and listed in the notes.

    Raises:
        CorpusError: The sheet is missing or lacks a column, or a clip that it lists has no file or
            more than one.
    """
    sheets = sorted(p for p in root.rglob("*nnotation*.xls*") if not p.name.startswith(("~", ".")))
    if len(sheets) != 1:
        raise CorpusError(
            f"{root}: {counted(len(sheets), 'workbook')} named *Annotation*.xlsx below it; BAUM-1s "
            "has one"
        )
    labels, contradictory = read_sheet(sheets[0], _rows(sheets[0]))
    named = [(key, p) for p in recordings(root) if (key := _clip(p.name)) is not None]
    refuse_duplicates((_name(key), p) for key, p in named)
    files = dict(named)
    chosen = {clip: label for clip, label in labels.items() if label in SIX}
    if absent := sorted(chosen.keys() - files.keys()):
        raise CorpusError(
            f"{root}: no file of {counted(len(absent), 'clip')} of {sheets[0].name}, the first "
            f"{_name(absent[0])}"
        )
    examples = [
        Example(_name(clip), str(files[clip]), label, f"S{clip[0]:03d}")
        for clip, label in sorted(chosen.items())
    ]
    notes = []
    if others := len(labels) - len(chosen):
        notes.append(f"{counted(others, 'clip')} of other affective states left out")
    if contradictory:
        which = ", ".join(_name(clip) for clip in sorted(contradictory))
        notes.append(f"left out, because code and name of the emotion disagree: {which}")
    if extra := len(files.keys() - labels.keys() - contradictory):
        notes.append(f"{counted(extra, 'file')} that the sheet does not list left out")
    return LoadedExamples(examples, notes)


def read_sheet(path: Path, rows: list[Row]) -> tuple[dict[Clip, str], set[Clip]]:
    """Read the annotation sheet.

    The clip column holds names such as S001_015, the code column integers from 1 to 13 that are
    not the subject's number. A column of emotion names, if there is one, must agree with the code.

    Args:
        path: The workbook, for messages.
        rows: Its rows.

    Returns:
        The emotion of each clip, and the clips with contradictory annotations.

    Raises:
        CorpusError: A column is missing or not unique.
    """
    width = max((len(row) for row in rows), default=0)
    table = [tuple(row) + (None,) * (width - len(row)) for row in rows]
    clips = [sum(_clip(row[c]) is not None for row in table) for c in range(width)]
    if not any(clips):
        raise CorpusError(f"{path}: no column of clip names such as S001_015")
    at = clips.index(max(clips))
    body: Body = [(clip, row) for row in table if (clip := _clip(row[at])) is not None]
    names = [c for c in range(width) if c != at and _share(body, c, _by_name) > 0.9]
    code = _code_column(path, body, [c for c in range(width) if c != at], names)
    labels: dict[Clip, str] = {}
    contradictory: set[Clip] = set()
    for clip, row in body:
        label = _by_code(row[code])
        others = [_by_name(row[c]) for c in names] + [labels.get(clip, label)]
        if label is None or any(other not in (None, label) for other in others):
            contradictory.add(clip)
        else:
            labels[clip] = label
    for clip in contradictory:
        labels.pop(clip, None)
    return labels, contradictory


def _code_column(path: Path, body: Body, columns: list[int], names: list[int]) -> int:
    """Find the column of the emotion's code.

    Args:
        path: The workbook, for messages.
        body: Its rows with a clip.
        columns: Columns to choose from.
        names: Columns of emotion names.

    Raises:
        CorpusError: No column or several could be the code.
    """
    candidates = []
    for c in columns:
        subject = sum(row[c] == clip[0] for clip, row in body) > 0.9 * len(body)
        if not subject and not _numbered(body, c) and _share(body, c, _by_code) > 0.9:
            candidates.append(c)
    if names and len(candidates) > 1:  # an intensity from 1 to 5 could be a code, too
        agree = {
            c: sum(_by_code(row[c]) == _by_name(row[names[0]]) for _, row in body)
            for c in candidates
        }
        candidates = [c for c in candidates if agree[c] == max(agree.values())]
    if len(candidates) > 1:
        top = {c: max(float(row[c]) for _, row in body if _by_code(row[c])) for c in candidates}
        candidates = [c for c in candidates if top[c] == max(top.values())]
    if len(candidates) != 1:
        raise CorpusError(
            f"{path}: {counted(len(candidates), 'column')} that could be the emotion's code from 1 "
            "to 13; write a manifest (CSV with path, label, speaker) instead"
        )
    return candidates[0]


def _numbered(body: Body, column: int) -> bool:
    """Whether the column numbers the rows."""
    cells = [row[column] for _, row in body]
    numbers = all(isinstance(cell, int | float) for cell in cells)
    return len(cells) > 1 and numbers and all(a < b for a, b in pairwise(cells))


def _share(body: Body, column: int, read: Any) -> float:
    """Share of the rows whose cell `read` understands."""
    return sum(read(row[column]) is not None for _, row in body) / len(body)


def _clip(cell: object) -> Clip | None:
    match = CLIP_NAME.fullmatch(str(cell).strip())
    return (int(match[1]), int(match[2])) if match else None


def _by_code(cell: object) -> str | None:
    try:
        number = float(str(cell))
    except ValueError:
        return None
    return CODES.get(int(number)) if number.is_integer() else None


def _by_name(cell: object) -> str | None:
    word = str(cell).strip().lower()
    return {"joy": "happiness", "sad": "sadness"}.get(
        word, word if word in CODES.values() else None
    )


def _name(clip: Clip) -> str:
    return f"S{clip[0]:03d}_{clip[1]:03d}"


def _rows(path: Path) -> list[Row]:
    with optional_import(f"{path}: a workbook"):
        import openpyxl
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl, zipfile and xml raise many types
        raise CorpusError(f"{path}: cannot be read as a workbook ({error})") from error
    return [row for sheet in book.worksheets for row in sheet.iter_rows(values_only=True)]


CORPUS = PublishedCorpus(
    title="BAUM-1s, 6 emotions (Zhalehpour et al., 2017)",
    about="Turkish, 30 subjects, spontaneous, video",
    license="BAUM-1: for research, under the agreement with its authors.",
    obtain="On request, under an agreement: Multimedia Center, Bahcesehir University "
    "(Zhalehpour et al., IEEE Transactions on Affective Computing 8(3), 2017).",
    counts={"anger": 56, "happiness": 173, "sadness": 134},  # the other three together 158
    load=load,
    folds=5,
    predefined_folds=(("S003", "S019", "S020", "S024", "S028", "S029"),),
)
