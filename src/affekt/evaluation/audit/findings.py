"""Findings of an audit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .corpus_check import abridged

EVIDENCE = 5  # lines of evidence of a finding

Severity = Literal["serious", "suspicion", "note", "unchecked"]


@dataclass(frozen=True)
class Finding:
    """One fault, one thing to know, or one check that could not be made.

    Folds are numbered from 0, as in ``metrics.json`` and ``predictions.parquet``.

    Attributes:
        kind: Short name.
        severity: ``serious`` invalidates the score; a ``suspicion`` would, if a person confirms it
            by its evidence; a ``note`` does not; ``unchecked`` names a check that could not be made
            and the reason.
        text: What was found, and how often.
        evidence: Some of the cases.
    """

    kind: str
    severity: Severity
    text: str
    evidence: Sequence[str] = ()


class Case(NamedTuple):
    """A fault in one fold or training.

    Attributes:
        kind: As of `Finding`.
        severity: As of `Finding`.
        what: What is counted, in the plural.
        where: Name of the fold or training.
        names: Names of what is counted.
        shown: What to show as evidence; `names` unless given.
    """

    kind: str
    severity: Severity
    what: str
    where: str
    names: Sequence[str]
    shown: Sequence[str] = ()


def summarised(cases: Iterable[Case], places: str) -> list[Finding]:
    """One finding for each kind of case, with the number of folds or trainings that have it.

    Args:
        cases: Cases in the order of folds or trainings.
        places: Number of all folds or trainings with its noun: "10 folds".
    """
    groups: dict[tuple[str, Severity, str], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.kind, case.severity, case.what].append(case)
    return [
        Finding(
            kind,
            severity,
            f"{what}: {len({name for case in group for name in case.names})}, "
            f"in {len(group)} of {places}",
            [f"{case.where}: {abridged(case.shown or case.names)}" for case in group[:EVIDENCE]],
        )
        for (kind, severity, what), group in groups.items()
    ]


def unchecked(kind: str, check: str, reason: str) -> Finding:
    """A check that could not be made, and the reason."""
    return Finding(kind, "unchecked", f"{check}: {reason}")
