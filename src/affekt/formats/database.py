"""Predictions as a database of audformat (extra ``baselines``), for audb and nkululeko."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..types import Prediction
from .frame import to_frame

if TYPE_CHECKING:
    import audformat

COLUMNS = {  # of both tables: column of `to_frame`
    "emotion": "label",
    "confidence": "confidence",
    "arousal": "arousal",
    "valence": "valence",
}


def save_database(predictions: Sequence[Prediction], folder: Path) -> None:
    """Write ``db.yaml`` and two segmented tables: ``utterances`` and ``timeline``.

    Both have the columns ``emotion`` (which may be "uncertain"), ``confidence``, and ``arousal``
    and ``valence``, which are derived from the classes. Channels that were recognised separately
    have two tables each. Where speakers are known, there is a column ``speaker``. Files keep their
    names.
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
    for name in ("arousal", "valence"):
        scheme = audformat.Scheme("float", minimum=-1, maximum=1)
        scheme.description = "Derived from the classes, not trained on dimensional annotations."
        database.schemes[name] = scheme
    if any(p.speaker for p in predictions):
        database.schemes["speaker"] = audformat.Scheme("str")
    database.raters["affekt"] = audformat.Rater("machine")
    for channel in sorted({p.channel for p in predictions}) or [0]:
        own = [p for p in predictions if p.channel == channel]
        of = f".channel{channel}" if channel else ""
        _add(database, f"utterances{of}", to_frame(own, "recording"))
        _add(database, f"timeline{of}", to_frame(own, "segment"))
    database.save(str(folder))


def _add(database: "audformat.Database", name: str, frame: pd.DataFrame) -> None:
    """Add a table with the rows of `to_frame`; of a file that was given twice, once."""
    import audformat

    rows = frame.reset_index().drop_duplicates(["file", "start", "end"])
    start, end = (rows[column].dt.round("ms") for column in ("start", "end"))
    database[name] = audformat.Table(audformat.segmented_index(rows["file"], start, end))
    for column, source in COLUMNS.items():
        database[name][column] = audformat.Column(scheme_id=column, rater_id="affekt")
        database[name][column].set(rows[source].to_numpy())
    if "speaker" in database.schemes:
        database[name]["speaker"] = audformat.Column(scheme_id="speaker", rater_id="affekt")
        database[name]["speaker"].set(rows["speaker"].to_numpy())
