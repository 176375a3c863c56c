"""Audit of the split of a manifest: dangling and contradictory rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ...corpora import manifest
from ...corpora.parts import overlap_groups
from ...errors import CorpusError
from ...plural import counted
from ...types import ANONYMOUS, Example
from .corpus_check import abridged
from .findings import EVIDENCE, Finding, Severity

PARTS = ("train", "val", "test")
UNIQUE = ("split", "label", "speaker")  # attributes in which rows of one file must agree


class _Row(NamedTuple):
    line: int
    example: Example


def read_manifest(path: Path) -> tuple[tuple[Example, ...], list[Finding]]:
    """Read a manifest with the faults that `affekt.corpora.manifest.load` refuses.

    Returns:
        The usable rows, where a file has the same path in all of them, and findings on the others
        and on contradictions.

    Raises:
        CorpusError: The table cannot be read, a column, a path or a label is missing, or no row is
            usable.
    """
    rows = [_Row(*row) for row in manifest.listed(path, speaker_needed=False)]
    known = [row for row in rows if row.example.split in manifest.SPLITS]
    present = [row for row in known if Path(row.example.path).is_file()]
    if not present:
        raise CorpusError(f"{path}: no row has an existing file and a split of {', '.join(PARTS)}")
    files = [
        [row._replace(example=replace(row.example, path=own[0].example.path)) for row in own]
        for own in _by_file(present)
    ]
    examples = {row.line: row.example for own in (present, *files) for row in own}
    findings = [
        *_refused("split", "rows with an unknown split", rows, known),
        *_refused("recording", "rows whose file does not exist", known, present),
        *_contradictions([group for own in files for group in _by_audio(own)]),
        *_without_speaker(present),
    ]
    return tuple(map(_with_speaker, examples.values())), findings


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


def _by_file(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows of each file, also where links or spellings of its path differ."""
    files: dict[tuple[int, int], list[_Row]] = defaultdict(list)
    for row in rows:
        status = Path(row.example.path).stat()
        files[status.st_dev, status.st_ino].append(row)
    return list(files.values())


def _by_audio(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows of one file, divided where they are parts that do not overlap."""
    examples = [row.example for row in rows]
    if not any(example.part for example in examples):
        return [list(rows)]
    groups: dict[int, list[_Row]] = defaultdict(list)
    for row, group in zip(rows, overlap_groups(examples), strict=True):
        groups[group].append(row)
    return list(groups.values())


def _refused(
    kind: str, what: str, rows: Sequence[_Row], usable: Sequence[_Row]
) -> Iterator[Finding]:
    """A finding on rows that are not among the usable ones, grouped by their split.

    Args:
        kind: As of `Finding`.
        what: What is wrong with them.
        rows: All rows.
        usable: Those without this fault.
    """
    lines = {row.line for row in usable}
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.line not in lines:
            groups[row.example.split].append(row.example.id)
    if groups:
        text = f"{what}: {sum(map(len, groups.values()))} of {len(rows)}"
        evidence = [f"split {s!r}: {len(ids)} ({abridged(ids)})" for s, ids in groups.items()]
        yield Finding(kind, "serious", text, evidence[:EVIDENCE])


def _contradictions(files: Sequence[Sequence[_Row]]) -> Iterator[Finding]:
    for attribute in UNIQUE:
        several = [own for own in files if len({getattr(r.example, attribute) for r in own}) > 1]
        if several:
            named = [
                abridged(
                    [
                        f"line {row.line}: {row.example.id} {getattr(row.example, attribute)!r}"
                        for row in own
                    ]
                )
                for own in several[:EVIDENCE]
            ]
            rows = counted(sum(map(len, several)), "row")
            text = f"files with several {attribute}s: {len(several)}, in {rows}"
            yield Finding(attribute, "serious", text, named)


def _without_speaker(rows: Sequence[_Row]) -> Iterator[Finding]:
    without = [row.example.id for row in rows if not row.example.speaker]
    if 0 < len(without) < len(rows):
        text = f"rows without a speaker: {len(without)} of {len(rows)}"
        yield Finding("speaker", "serious", text, [abridged(without)])


def _with_speaker(example: Example) -> Example:
    """The example, as a speaker of its own if it has none."""
    return example if example.speaker else replace(example, speaker=ANONYMOUS + example.file)
