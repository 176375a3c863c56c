"""Audit of the split of a manifest or a table of folds: dangling and contradictory rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...corpora import fold_table, manifest
from ...corpora.manifest import Listed
from ...corpora.parts import overlap_groups
from ...corpora.registry import check_labels
from ...corpora.splits import Fold
from ...errors import CorpusError
from ...plural import counted
from ...types import ANONYMOUS, Example
from .corpus_check import abridged
from .findings import EVIDENCE, Finding, Severity

PARTS = ("train", "val", "test")
UNIQUE = ("split", "label", "speaker")  # attributes in which rows of one file must agree


def read_manifest(path: Path) -> tuple[tuple[Example, ...], list[Finding]]:
    """Read a manifest with the faults that `affekt.corpora.manifest.load` refuses.

    Returns:
        The usable rows, where a file has the same path in all of them, and findings on the others
        and on contradictions.

    Raises:
        CorpusError: The table cannot be read or is empty, or a column is missing.
    """
    rows = [row for _, row in manifest.listed(path, speaker_needed=False)]
    present, findings = _usable(path, rows)
    files = [[replace(e, path=own[0].path) for e in own] for own in _by_file(present)]
    findings += _contradictions([group for own in files for group in _by_audio(own)], UNIQUE)
    try:
        check_labels(path.name, [row.example for row in rows if row.example.label])
    except CorpusError as error:
        findings.append(Finding("label", "serious", str(error)))
    examples = {e.where: e for own in (present, *files) for e in own}
    return tuple(examples.values()), findings


def read_fold_table(path: Path) -> tuple[list[Fold], list[Finding]]:
    """Read a table of folds with the faults that an evaluation refuses.

    Returns:
        The folds of the usable rows, and findings on the others, on contradictions, and on folds
        without a training or test part.

    Raises:
        CorpusError: The table cannot be read or is empty, or a column is missing.
    """
    listed = list(fold_table.listed(path))
    present, findings = _usable(path, [row for _, row in listed])
    files = [group for own in _by_file(present) for group in _by_audio(own)]
    findings += _contradictions(files, ("label", "speaker"))
    fold_of = {row.example.where: fold for fold, row in listed}
    findings += _rows_without("split", "fold", [e for e in present if not fold_of[e.where]], listed)
    rows = [(fold_of[e.where], e) for e in present if fold_of[e.where]]
    folds = fold_table.folds_of(rows)
    for part in ("train", "test"):
        if empty := [name for name, fold in folds.items() if not getattr(fold, part)]:
            text = f"folds without a {part} part: {len(empty)} of {len(folds)}"
            findings.append(Finding("split", "serious", text, [abridged(empty)]))
    return list(folds.values()), findings


def split_findings(examples: Sequence[Example]) -> list[Finding]:
    """Findings on the marks of a split: parts that are empty and classes that one of them lacks."""
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        parts[example.split][example.label] += 1
    if not any(part for part in parts):
        return []
    findings = []
    sizes = ", ".join(f"{part or 'no mark'} {parts[part].total()}" for part in ("", *PARTS))
    if unmarked := [e.id for e in examples if not e.split]:
        text = f"rows without a split, which are trained on: {len(unmarked)} of {len(examples)}"
        findings.append(Finding("split", "note", text, [abridged(unmarked)]))
    training = parts["train"] + parts[""]
    if not training:
        findings.append(Finding("split", "serious", "no row to train on", [sizes]))
    elif parts["test"]:
        findings += _class_findings(training, parts["test"])
    else:
        text = "no row to test: an evaluation would also test rows that are marked for training"
        severity: Severity = "note" if parts["val"] else "serious"  # a manifest for training only
        findings.append(Finding("split", severity, text, [sizes]))
    return findings


def _class_findings(training: Mapping[str, int], test: Mapping[str, int]) -> Iterator[Finding]:
    if lacking := [f"{label}: {n} test rows" for label, n in test.items() if label not in training]:
        text = f"classes that are tested and not trained on: {len(lacking)} of {len(test)}"
        yield Finding("split", "serious", text, lacking[:EVIDENCE])
    if lacking := [f"{label}: {n} rows" for label, n in training.items() if label not in test]:
        text = f"classes that are trained on and not tested: {len(lacking)} of {len(training)}"
        yield Finding("split", "note", text, lacking[:EVIDENCE])


def _usable(path: Path, rows: Sequence[Listed]) -> tuple[list[Example], list[Finding]]:
    """The rows with all that is needed and an existing file, and findings on the others.

    Of these rows, those without a speaker are of a speaker of their own.

    Raises:
        CorpusError: The table has no rows.
    """
    if not rows:
        raise CorpusError(f"{path}: no rows")
    faulty = [f"{_line(row.example)}: {row.fault}" for row in rows if row.fault]
    sound = [row.example for row in rows if not row.fault]
    pathless = [e for e in sound if not e.file]
    unlabelled = [e for e in sound if e.file and not e.label]
    complete = [e for e in sound if e.file and e.label]
    known = [e for e in complete if e.split in manifest.SPLITS]
    present = [e for e in known if Path(e.path).is_file()]
    findings = [
        *_rows_without("recording", "path", pathless, rows),
        *_rows_without("label", "label", unlabelled, rows),
        *_refused("split", "rows with an unknown split", complete, known),
        *_refused("recording", "rows whose file does not exist", known, present),
    ]
    if faulty:
        text = f"rows with contradictory labels or wrong times: {len(faulty)} of {len(rows)}"
        findings.insert(0, Finding("label", "serious", text, faulty[:EVIDENCE]))
    without = [e for e in present if not e.speaker]
    if len(without) < len(present):
        findings += _rows_without("speaker", "speaker", without, present)
    return list(map(_with_speaker, present)), findings


def _rows_without(
    kind: str, column: str, without: Sequence[Example], rows: Sequence[object]
) -> Iterator[Finding]:
    """A finding on rows with an empty cell.

    Args:
        kind: As of `Finding`.
        column: What is empty.
        without: These rows.
        rows: All rows.
    """
    if without:
        text = f"rows without a {column}: {len(without)} of {len(rows)}"
        named = [" ".join([_line(e), e.id]).strip() for e in without]
        yield Finding(kind, "serious", text, [abridged(named)])


def _line(example: Example) -> str:
    return example.where.rpartition(", ")[2]


def _by_file(rows: Sequence[Example]) -> list[list[Example]]:
    """Rows of each file, also where links or spellings of its path differ."""
    files: dict[tuple[int, int], list[Example]] = defaultdict(list)
    for example in rows:
        status = Path(example.path).stat()
        files[status.st_dev, status.st_ino].append(example)
    return list(files.values())


def _by_audio(rows: Sequence[Example]) -> list[list[Example]]:
    """Rows of one file whose audio overlaps; without parts, all of them."""
    if not any(example.part for example in rows):
        return [list(rows)]
    groups: dict[int, list[Example]] = defaultdict(list)
    for example, group in zip(rows, overlap_groups(rows), strict=True):
        groups[group].append(example)
    return list(groups.values())


def _refused(
    kind: str, what: str, rows: Sequence[Example], usable: Sequence[Example]
) -> Iterator[Finding]:
    """A finding on rows that are not among the usable ones, grouped by their split.

    Args:
        kind: As of `Finding`.
        what: What is wrong with them.
        rows: All rows.
        usable: Those without this fault.
    """
    places = {e.where for e in usable}
    groups: dict[str, list[str]] = defaultdict(list)
    for example in rows:
        if example.where not in places:
            groups[example.split].append(example.id)
    if groups:
        text = f"{what}: {sum(map(len, groups.values()))} of {len(rows)}"
        evidence = [f"split {s!r}: {len(ids)} ({abridged(ids)})" for s, ids in groups.items()]
        yield Finding(kind, "serious", text, evidence[:EVIDENCE])


def _contradictions(
    files: Sequence[Sequence[Example]], attributes: Sequence[str]
) -> Iterator[Finding]:
    for attribute in attributes:
        several = [own for own in files if len({getattr(e, attribute) for e in own}) > 1]
        if several:
            named = [
                abridged([f"{_line(e)}: {e.id} {getattr(e, attribute)!r}" for e in own])
                for own in several[:EVIDENCE]
            ]
            rows = counted(sum(map(len, several)), "row")
            text = f"files with several {attribute}s: {len(several)}, in {rows}"
            yield Finding(attribute, "serious", text, named)


def _with_speaker(example: Example) -> Example:
    """The example, as a speaker of its own if it has none."""
    return example if example.speaker else replace(example, speaker=ANONYMOUS + example.file)
