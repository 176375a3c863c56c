"""Finished runs, read from metrics.json and predictions.parquet, and their comparison."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import AffektError
from ..metrics import SCORES, confusion_by_speaker, intervals, scores
from ..run_result import RunResult, load_run_result
from .significance import holm, permutation_test


@dataclass(frozen=True)
class Run:
    """A finished evaluation.

    Attributes:
        name: Name of its folder.
        metrics: Content of ``metrics.json``.
        table: Content of ``predictions.parquet``.
    """

    name: str
    metrics: RunResult
    table: pd.DataFrame

    @property
    def title(self) -> str:
        """Name in tables."""
        return str(self.metrics.title or self.name)

    @property
    def labels(self) -> list[str]:
        """Classes, in the order of the confusion matrix."""
        return list(self.metrics.confusion.labels)

    @cached_property
    def by_speaker(self) -> dict[str, NDArray[np.float64]]:
        """Confusion matrix ``(classes, classes)`` of each speaker, averaged over seeds."""
        seeds = self.table["seed"].nunique()
        counts = confusion_by_speaker(
            self.labels, self.table["label"], self.table["predicted"], self.table["speaker"]
        )
        return {speaker: matrix / seeds for speaker, matrix in counts.items()}


class Comparison(NamedTuple):
    """Two systems on the same clips.

    Attributes:
        one, other: Titles of the runs; where several have the same title, with the folder's name.
        difference: UAR of the first minus UAR of the second.
        p: p-value of the paired permutation test over speakers.
        corrected: The same after Holm's correction for all pairs.
    """

    one: str
    other: str
    difference: float
    p: float
    corrected: float


def load_run(folder: Path) -> Run:
    """Read the folder of a finished run.

    Raises:
        AffektError: The folder does not hold a finished run.
    """
    try:
        metrics = load_run_result(folder)
        table = pd.read_parquet(folder / "predictions.parquet")
        missing = {"utterance", "speaker", "seed", "label", "predicted"} - set(table.columns)
        if missing:
            raise ValueError(f"predictions.parquet lacks {', '.join(sorted(missing))}")
    except (AffektError, OSError, ValueError) as error:
        raise AffektError(f"{folder}: not a finished run of affekt evaluate ({error})") from error
    return Run(folder.resolve().name, metrics, table)


def compare(runs: list[Run]) -> list[Comparison]:
    """Test the difference of every pair of runs, with Holm's correction.

    Raises:
        AffektError: The runs have different test clips.
    """
    clips = {frozenset(zip(r.table["utterance"], r.table["label"], strict=True)) for r in runs}
    if len(clips) > 1:
        raise AffektError("the runs have different test clips; compare runs over the same corpus")
    pairs = list(combinations(runs, 2))
    p_values, differences = [], []
    for one, other in pairs:
        speakers = sorted(one.by_speaker)
        first = np.array([one.by_speaker[s] for s in speakers])
        second = np.array([other.by_speaker[s] for s in speakers])
        p_values.append(permutation_test(first, second))
        uar = [float(scores(m.sum(0))["UAR"]) for m in (first, second)]
        differences.append(uar[0] - uar[1])
    titles = Counter(run.title for run in runs)
    name = {id(r): r.title if titles[r.title] == 1 else f"{r.title} ({r.name})" for r in runs}
    rows = zip(pairs, differences, p_values, holm(p_values), strict=True)
    return [Comparison(name[id(a)], name[id(b)], d, p, c) for (a, b), d, p, c in rows]


def by_gender(run: Run) -> dict[str, dict[str, Any]]:
    """Scores and interval of the UAR for the speakers of each gender; empty if none is known."""
    gender = run.metrics.gender
    result = {}
    for group in sorted({g for g in gender.values() if g}):
        speakers = [s for s in run.by_speaker if gender.get(s) == group]
        matrices = np.array([run.by_speaker[s] for s in speakers])
        values = {name: float(scores(matrices.sum(0))[name]) for name in SCORES}
        result[group] = {
            "speakers": len(speakers),
            **values,
            "ci95": intervals(matrices[:, None])["UAR"],
        }
    return result
