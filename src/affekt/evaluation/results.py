"""Finished runs as reports read them: metrics.json and predictions.parquet, nothing else."""

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
    """One evaluation.

    Attributes:
        name: Its folder's name.
        metrics: What ``metrics.json`` holds.
        table: What ``predictions.parquet`` holds.
    """

    name: str
    metrics: RunResult
    table: pd.DataFrame

    @property
    def title(self) -> str:
        """What tables call it."""
        return str(self.metrics.title or self.name)

    @property
    def labels(self) -> list[str]:
        """Classes."""
        return list(self.metrics.confusion.labels)

    @cached_property
    def by_speaker(self) -> dict[str, NDArray[np.float64]]:
        """Confusion matrix of each speaker, averaged over seeds."""
        seeds = self.table["seed"].nunique()
        counts = confusion_by_speaker(
            self.labels, self.table["label"], self.table["predicted"], self.table["speaker"]
        )
        return {speaker: matrix / seeds for speaker, matrix in counts.items()}


class Comparison(NamedTuple):
    """Two systems on the same clips.

    Attributes:
        one, other: Titles of the runs, with their folders' names where titles are the same.
        difference: UAR of the first less that of the second.
        p: Of the paired permutation test over speakers.
        corrected: By Holm, over all pairs.
    """

    one: str
    other: str
    difference: float
    p: float
    corrected: float


def load_run(folder: Path) -> Run:
    """Read a run.

    Raises:
        AffektError: The folder holds no finished run.
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
    """Every pair, tested over speakers and corrected for their number.

    Raises:
        AffektError: The runs have not tested the same clips.
    """
    clips = {frozenset(zip(r.table["utterance"], r.table["label"], strict=True)) for r in runs}
    if len(clips) > 1:
        raise AffektError("the runs have not tested the same clips; compare those that have")
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
    """Scores and intervals of the speakers of each gender; empty where none is known."""
    gender = run.metrics.gender
    result = {}
    for which in sorted({g for g in gender.values() if g}):
        speakers = [s for s in run.by_speaker if gender.get(s) == which]
        matrices = np.array([run.by_speaker[s] for s in speakers])
        values = {name: float(scores(matrices.sum(0))[name]) for name in SCORES}
        result[which] = {
            "speakers": len(speakers),
            **values,
            "ci95": intervals(matrices[:, None])["UAR"],
        }
    return result
