"""Finished runs, read from metrics.json and predictions.parquet, and their comparison."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import (
    is_bool_dtype,
    is_integer_dtype,
    is_numeric_dtype,
    is_string_dtype,
)

from ..errors import AffektError
from ..metrics import SCORES, confusion_by_speaker, intervals, risk_coverage, scores
from ..plural import counted
from ..run_result import RunResult, load_run_result
from .score_check import score_differences
from .significance import holm, permutation_test
from .systems.registry import EMOTION_MODEL, known_system

COLUMNS = {  # of predictions.parquet, with the kind of its values
    "utterance": is_string_dtype,
    "speaker": is_string_dtype,
    "fold": is_integer_dtype,
    "seed": is_integer_dtype,
    "label": is_string_dtype,
    "predicted": is_string_dtype,
}


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
    def folds(self) -> frozenset[frozenset[str]]:
        """Names of the test clips of each fold."""
        return frozenset(frozenset(rows) for _, rows in self.table.groupby("fold")["utterance"])

    @cached_property
    def by_speaker(self) -> dict[str, NDArray[np.float64]]:
        """Confusion matrix ``(classes, classes)`` of each speaker, averaged over seeds."""
        seeds = self.table["seed"].nunique()
        counts = confusion_by_speaker(
            self.labels, self.table["label"], self.table["predicted"], self.table["speaker"]
        )
        return {speaker: matrix / seeds for speaker, matrix in counts.items()}

    @property
    def risk_coverage(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Coverage and risk of each seed; none where only labels were predicted."""
        columns = [f"prob_{label}" for label in self.labels]
        if not set(columns) <= set(self.table.columns):
            return []
        return [
            risk_coverage(
                rows[columns].to_numpy(np.float64),
                rows["label"].map(self.labels.index).to_numpy(np.int64),
            )
            for _, rows in self.table.groupby("seed")
        ]


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


def evaluation_for_card(place: Path) -> RunResult:
    """Read the evaluation of a recipe, for the card of the model that is trained by it.

    Args:
        place: ``metrics.json`` or its folder, with ``predictions.parquet``.

    Raises:
        AffektError: As of `load_run`, or it is not an evaluation of a model that ``affekt train``
            trains.
    """
    result = load_run(place).metrics
    if result.existing or (result.system and known_system(result.system).uses is not EMOTION_MODEL):
        raise AffektError(
            f"{place}: has the scores of {result.title or result.system}, which affekt train does "
            "not train; give an evaluation of the same settings"
        )
    return result


def load_run(folder: Path) -> Run:
    """Read the folder of a finished run, whose scores must be those of its predictions.

    Args:
        folder: The folder, or its ``metrics.json``.

    Raises:
        AffektError: The folder does not hold a finished run, or metrics.json was changed.
    """
    run = read_run(folder)
    if differences := score_differences(run.metrics, run.table):
        more = f"; {len(differences) - 1} more" if len(differences) > 1 else ""
        raise AffektError(
            f"{folder}: metrics.json does not hold the scores of predictions.parquet "
            f"({differences[0]}{more}); see affekt audit {folder}, and evaluate again"
        )
    return run


def read_run(folder: Path) -> Run:
    """Read the folder of a finished run; its scores are unchecked.

    Args:
        folder: As of `load_run`.

    Raises:
        AffektError: The folder does not hold a finished run.
    """
    try:
        metrics = load_run_result(folder)
        place = folder if folder.is_dir() else folder.parent
        table = pd.read_parquet(place / "predictions.parquet")
        needed = COLUMNS | ({"accepted": is_bool_dtype} if metrics.existing else {})
        needed |= {c: is_numeric_dtype for c in map(str, table) if c.startswith("prob_")}
        if missing := needed.keys() - set(table.columns):
            raise ValueError(f"predictions.parquet lacks {', '.join(sorted(missing))}")
        wrong = [c for c, is_right in needed.items() if not is_right(table[c].dropna())]
        wrong += [c for c in needed if table[c].isna().any()]
        if wrong and len(table):
            columns = ", ".join(dict.fromkeys(wrong))
            raise ValueError(f"predictions.parquet has empty or wrong cells in {columns}")
    except (AffektError, OSError, ValueError) as error:
        raise AffektError(f"{folder}: not a finished run of affekt evaluate ({error})") from error
    return Run(place.resolve().name, metrics, table)


def mismatches(runs: Sequence[Run]) -> list[str]:
    """What the trained runs do not have in common: "folds", "seeds"."""
    trained = [run for run in runs if not run.metrics.existing]
    common = {
        "folds": len({run.folds for run in trained}) < 2,
        "seeds": len({run.metrics.seeds for run in trained}) < 2,
    }
    return [what for what, is_common in common.items() if not is_common]


def with_marks(runs: Sequence[Run]) -> list[Run]:
    """The runs, with folds and seeds in their titles where these are not the same for all."""
    different = mismatches(runs)
    divisions = list(dict.fromkeys(run.folds for run in runs if not run.metrics.existing))
    sizes = Counter(map(len, divisions))

    def marked(run: Run) -> Run:
        marks = [run.title]
        if "folds" in different:
            number = len(run.folds)
            division = f", division {divisions.index(run.folds) + 1}" if sizes[number] > 1 else ""
            marks.append(f"({counted(number, 'fold')}{division})")
        if "seeds" in different:
            marks.append(f"({counted(run.metrics.seeds, 'seed')})")
        return replace(run, metrics=run.metrics.model_copy(update={"title": " ".join(marks)}))

    return [run if run.metrics.existing else marked(run) for run in runs]


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
