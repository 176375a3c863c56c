"""Predictions as a pandas DataFrame, with the segmented index of audformat."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..extras import optional_import
from ..types import Placed, Prediction

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


def to_frame(
    predictions: Prediction | Iterable[Prediction], per: Literal["recording", "segment"] = "segment"
) -> "pd.DataFrame":
    """Convert predictions to a DataFrame.

    The index has the levels ``file``, ``start`` and ``end`` (``Timedelta``). It equals an index of
    ``audformat.segmented_index``, so that `audformat` and `audinterface` accept it.

    Args:
        predictions: One or several predictions.
        per: One row for each segment, or for each recording (each utterance of a long recording).

    Returns:
        Columns ``label``, ``confidence`` (for a segment its largest probability), ``channel`` (0 if
        channels were averaged), ``speaker`` ("" if not known), ``prob_CLASS`` for each class; for
        segments ``attention``, for recordings ``rejection_reason`` and ``model``; ``arousal`` and
        ``valence``, which are derived from the classes and missing where these have no position; of
        a model that was trained on dimensions ``dim_NAME`` for each.

    Raises:
        MissingExtraError: pandas is missing; it is in the extra ``train``.
        ValueError: An unknown `per`.

    Examples:
        >>> import affekt
        >>> recognizer = affekt.load()
        >>> frame = affekt.to_frame(recognizer("demo/lively.flac"), per="recording")
        >>> frame.index.names
        FrozenList(['file', 'start', 'end'])
        >>> frame["label"].tolist()
        ['anger']
    """
    with optional_import("a DataFrame"):
        import pandas as pd

    items = [predictions] if isinstance(predictions, Prediction) else list(predictions)
    if per not in ("recording", "segment"):
        raise ValueError(f"per = {per!r}; choose 'recording' or 'segment'")
    rows = _segment_rows(items) if per == "segment" else _recording_rows(items)
    extra = ["attention"] if per == "segment" else ["rejection_reason", "model"]
    labels = list(dict.fromkeys(label for p in items for label in p.probabilities))
    columns = [
        "label",
        "confidence",
        "channel",
        "speaker",
        *extra,
        *(f"prob_{label}" for label in labels),
    ]
    columns += ["arousal", "valence"]
    columns += dict.fromkeys(f"dim_{name}" for p in items for name in p.dimensions)
    files = pd.Index([row.pop("file") for row in rows], dtype="string")
    times = (
        np.array([round(1e6 * row.pop(key)) for row in rows], "timedelta64[us]")
        for key in ("start", "end")
    )
    starts, ends = (pd.TimedeltaIndex(each.astype("timedelta64[ns]")) for each in times)
    index = pd.MultiIndex.from_arrays([files, starts, ends], names=["file", "start", "end"])
    return pd.DataFrame(rows, index=index, columns=columns)


def _recording_rows(predictions: Sequence[Prediction]) -> list[Row]:
    return [
        {
            "file": p.file,
            "start": p.start,
            "end": p.start + p.duration,
            "label": p.label,
            "confidence": p.confidence,
            "channel": p.channel,
            "speaker": p.speaker,
            "rejection_reason": p.rejection_reason,
            "model": p.model,
            **_values(p),
        }
        for p in predictions
    ]


def _segment_rows(predictions: Sequence[Prediction]) -> list[Row]:
    return [
        {
            "file": p.file,
            "start": s.start,
            "end": s.end,
            "label": s.label,
            "confidence": max(s.probabilities.values(), default=0.0),
            "channel": p.channel,
            "speaker": p.speaker,
            "attention": s.attention,
            **_values(s),
        }
        for p in predictions
        for s in p.segments
    ]


def _values(result: Placed) -> Row:
    """Probabilities, dimensions, arousal and valence; missing ones are NaN, as in other columns."""
    placed = {"arousal": result.arousal, "valence": result.valence}
    return {
        **{f"prob_{label}": value for label, value in result.probabilities.items()},
        **{f"dim_{name}": value for name, value in result.dimensions.items()},
        **{name: np.nan if value is None else value for name, value in placed.items()},
    }
