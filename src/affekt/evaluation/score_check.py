"""Check that metrics.json has the scores that its predictions give."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ..plural import counted
from ..run_result import RunResult
from .runner import measure, rejection_scores

TOLERANCE = 1.5e-4  # of scores rounded to 4 digits
INTERVAL_TOLERANCE = 0.01  # of bootstrap intervals, whose draws may differ between numpy versions


def score_differences(metrics: RunResult, table: pd.DataFrame) -> list[str]:
    """Name each value of metrics.json that the predictions do not give.

    Args:
        metrics: Content of ``metrics.json``.
        table: Content of ``predictions.parquet``.

    Returns:
        Sentences on what differs; an empty list if all scores follow from the predictions. Where
        the table contradicts itself, only that.
    """
    if faults := _table_faults(table, metrics.confusion.labels):
        return faults
    stored, computed = metrics.to_json(), measure(table, metrics.confusion.labels)
    if metrics.existing:
        stored |= {key: stored["existing"].get(key) for key in ("coverage", "accepted")}
        computed |= rejection_scores(table, metrics.confusion.labels)
    return list(value_differences(stored, computed, "the predictions"))


def _table_faults(table: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Contradictions inside a table of predictions."""
    faults = []
    if not len(table):
        faults.append("predictions.parquet has no rows")
    if unknown := sorted(map(str, {*table["label"], *table["predicted"]} - {*labels})):
        faults.append(f"predictions of other classes: {', '.join(unknown)}")
    if repeated := int(table.duplicated(["utterance", "seed"]).sum()):
        faults.append(f"{counted(repeated, 'prediction')} of a clip that has one already")
    elif len({frozenset(rows["utterance"]) for _, rows in table.groupby("seed")}) > 1:
        faults.append("the seeds have different test clips")
    columns = [f"prob_{label}" for label in labels]
    if not faults and {*columns} <= {*table.columns}:
        if wild := int(((table[columns] < 0) | (table[columns] > 1 + TOLERANCE)).any(axis=1).sum()):
            faults.append(f"{counted(wild, 'prediction')} with probabilities outside 0 to 1")
        highest = table[columns].max(axis=1)
        chosen = table[columns].to_numpy()[range(len(table)), table["predicted"].map(labels.index)]
        if wrong := int((chosen < highest - TOLERANCE).sum()):
            faults.append(
                f"{counted(wrong, 'prediction')} of a class that is not the most probable"
            )
    return faults


def value_differences(
    stored: Mapping[str, Any], computed: Mapping[str, Any], source: str
) -> Iterator[str]:
    """Name each value under the keys of `computed` that differs; scores have 4 digits.

    Args:
        stored: Values of ``metrics.json``.
        computed: What they must be.
        source: What gives these, for the text.
    """
    for key, one, other in _differences(stored, json.loads(json.dumps(computed))):
        yield f"{key} is {one}, from {source} {other}"


def _differences(stored: Any, computed: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(stored, dict) and isinstance(computed, dict):
        for name in computed if key in ("", "ci95") else {**computed, **stored}:
            inner = f"{key}.{name}" if key else name
            yield from _differences(stored.get(name), computed.get(name), inner)
    elif isinstance(stored, list) and isinstance(computed, list) and len(stored) == len(computed):
        for number, (one, other) in enumerate(zip(stored, computed, strict=True)):
            yield from _differences(one, other, f"{key}[{number}]")
    elif not _equal(stored, computed, INTERVAL_TOLERANCE if "ci95" in key else TOLERANCE):
        yield key, stored, computed


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= tolerance
    return bool(one == other)
