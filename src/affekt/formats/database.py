"""Predictions as a database of audformat (extra ``baselines``), for audb and nkululeko."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..types import Prediction

if TYPE_CHECKING:
    import audformat


def save_database(predictions: Sequence[Prediction], folder: Path) -> None:
    """Write ``db.yaml`` and two segmented tables: ``utterances`` and ``timeline``.

    Both have the columns ``emotion`` (which may be "uncertain") and ``confidence``. Channels that
    were recognised separately have two tables each. Files keep their names.
    """
    import audformat

    first = predictions[0] if predictions else None
    database = audformat.Database(
        "affekt",
        usage="other",
        description="Emotions predicted by a model, not annotated by people.",
        author=f"affekt, model {first.model}" if first else "affekt",
        license=first.license or None if first else None,
    )
    labels = sorted({w for p in predictions for w in (p.label, *p.probabilities)})
    database.schemes["emotion"] = audformat.Scheme(labels=labels)
    database.schemes["confidence"] = audformat.Scheme("float", minimum=0, maximum=1)
    database.raters["affekt"] = audformat.Rater("machine")
    for channel in sorted({p.channel for p in predictions}) or [0]:
        own = [p for p in predictions if p.channel == channel]
        of = f".channel{channel}" if channel else ""
        labelled = [(p.file, p.start, p.start + p.duration, p.label, p.confidence) for p in own]
        points = [
            (p.file, s.start, s.end, s.label, max(s.probabilities.values()))
            for p in own
            for s in p.segments
        ]
        for name, rows in ((f"utterances{of}", labelled), (f"timeline{of}", points)):
            _add(database, name, rows)
    database.save(str(folder))


def _add(
    database: "audformat.Database", name: str, rows: Sequence[tuple[str, float, float, str, float]]
) -> None:
    import audformat

    columns = pd.DataFrame(rows, columns=["file", "start", "end", "emotion", "confidence"])
    columns = columns.drop_duplicates(["file", "start", "end"])  # a file given twice
    start, end = (pd.to_timedelta(columns[c].round(3), unit="s") for c in ("start", "end"))
    database[name] = audformat.Table(audformat.segmented_index(columns["file"], start, end))
    for column in ("emotion", "confidence"):
        database[name][column] = audformat.Column(scheme_id=column, rater_id="affekt")
        database[name][column].set(columns[column].to_numpy())
