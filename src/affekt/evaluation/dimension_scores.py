"""Predictions of dimensions as a table, and their scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics import DIMENSION_SCORES, ccc_of, dimension_intervals, moments, standard_deviation
from ..types import Example
from .prediction_table import TARGET, part_columns

PREDICTED = "predicted_"


def dimension_rows(
    names: Sequence[str],
    examples: Sequence[Example],
    values: NDArray[np.float64],
    *,
    fold: int,
    seed: int,
) -> pd.DataFrame:
    """Predictions of one fold, as predictions.parquet holds them.

    Args:
        names: The dimensions.
        examples: The test examples.
        values: Predicted values ``(examples, dimensions)``.
        fold: Number of the fold.
        seed: Seed of the training.
    """
    rows = pd.DataFrame(
        {
            "utterance": [e.id for e in examples],
            "speaker": [e.speaker for e in examples],
            "fold": fold,
            "seed": seed,
        }
        | part_columns(examples)
    )
    targets = [dict(e.targets) for e in examples]
    for name, column in zip(names, values.T, strict=True):
        rows[TARGET + name] = [own[name] for own in targets]
        rows[PREDICTED + name] = column
    return rows


def measure_dimensions(table: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """All scores from the table of predictions, as `affekt.dimension_result.DimensionResult`."""
    speakers, sums = _sums(table, names)
    first = table[table["seed"] == table["seed"].min()]
    dimensions = {name: _scores(sums[:, :, i]) for i, name in enumerate(names)}
    for name, own in dimensions.items():
        own["target_sd"] = round(float(first[TARGET + name].std(ddof=0)), 4)
    folds = []
    for _, rows in table.groupby("fold"):
        tested, of_fold = _sums(rows, names)
        values = ccc_of(of_fold.sum(0)).mean(0).round(4).tolist()
        folds.append({"test_speakers": tested, "CCC": dict(zip(names, values, strict=True))})
    return {
        "CCC": round(float(np.mean([own["CCC"] for own in dimensions.values()])), 4),
        "dimensions": dimensions,
        "seeds": sums.shape[1],
        "clips": len(first),
        "folds": folds,
        "clips_of": {s: int(n) for s, n in zip(speakers, sums[:, 0, 0, 0], strict=True)},
    }


def _scores(sums: NDArray[np.float64]) -> dict[str, Any]:
    """Scores of one dimension from ``(speakers, seeds, 6)``; see `affekt.metrics.moments`."""
    by_seed = {name: of(sums.sum(0)) for name, of in DIMENSION_SCORES.items()}
    return {
        **{name: round(float(values.mean()), 4) for name, values in by_seed.items()},
        "sd": {name: standard_deviation(values) for name, values in by_seed.items()},
        "ci95": dimension_intervals(sums),
    }


def _sums(table: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """Speakers, and sums ``(speakers, seeds, dimensions, 6)`` about the mean of the targets."""
    centre = [table[TARGET + name].mean() for name in names]
    speakers = sorted(table["speaker"].unique())
    sums = [
        [
            [
                moments(rows[TARGET + name] - mean, rows[PREDICTED + name] - mean)
                for name, mean in zip(names, centre, strict=True)
            ]
            for _, rows in of_speaker.groupby("seed")
        ]
        for _, of_speaker in table.groupby("speaker")
    ]
    return speakers, np.array(sums)
