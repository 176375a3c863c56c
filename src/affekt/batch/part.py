"""One part of a job: some recordings in, two Parquet shards out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import write
from ..audio.decoding import Decoder
from ..audio.recording import Recording
from ..errors import AudioError
from ..inference.recognizer import LONG, Recognizer
from ..nn.speech_gate import UNCERTAIN
from ..types import Prediction
from .inputs import Input

TOGETHER = 240.0  # s of short recordings held and encoded together


@dataclass(frozen=True)
class RecordingResult:
    """What a recording says, or why it says nothing.

    Attributes:
        seconds: Its duration.
        predictions: One, or one for each utterance.
        warnings: What to know before trusting it.
        error: Why it could not be read, or "".
    """

    seconds: float = 0.0
    predictions: Sequence[Prediction] = ()
    warnings: Sequence[str] = ()
    error: str = ""


@dataclass(frozen=True)
class Counts:
    """Of a part.

    Attributes:
        files: Recordings.
        errors: Those that could not be read.
        seconds: Of sound.
    """

    files: int
    errors: int
    seconds: float


def shards(out: Path, part: int) -> tuple[Path, Path]:
    """The files of a part: of its recordings, and of their segments."""
    return out / f"files/part-{part:06d}.parquet", out / f"segments/part-{part:06d}.parquet"


def recognise_part(
    recognizer: Recognizer, inputs: Sequence[Input], out: Path, part: int, model_hash: str
) -> Counts:
    """Recognise the recordings of a part and write its shards.

    The shard of files comes last, whole or not at all: it is what says that a part is done. A
    recording that cannot be read becomes a row with its error.

    Raises:
        AffektError: The shards cannot be written.
    """
    told = dict(_told(recognizer, inputs))
    files, segments = shards(out, part)
    about = {"model": recognizer.name, "hash": model_hash}
    rows = [_row(i, told[i.index], recognizer.labels) | about for i in inputs]
    points = [p for i in inputs for p in _points(i, told[i.index])]
    _write(points, _points_schema(recognizer.labels), segments)
    _write(rows, _rows_schema(recognizer.labels), files)
    return Counts(len(rows), sum(bool(r["error"]) for r in rows), sum(r["duration"] for r in rows))


def _told(recognizer: Recognizer, inputs: Sequence[Input]) -> Iterator[tuple[int, RecordingResult]]:
    """What each says; short ones are encoded together."""
    held: list[tuple[int, Recording]] = []
    for one in inputs:
        try:
            decoder = Decoder(one.open())
            decoder.name = one.file
            if recording := decoder.whole(LONG):
                held.append((one.index, recording))
            else:
                yield one.index, _long(recognizer, decoder)
        except (AudioError, OSError) as error:
            yield one.index, RecordingResult(error=str(error) or type(error).__name__)
        if sum(r.seconds for _, r in held) > TOGETHER:
            yield from _recognised(recognizer, held)
            held = []
    yield from _recognised(recognizer, held)


def _long(recognizer: Recognizer, decoder: Decoder) -> RecordingResult:
    told = list(recognizer.utterances(decoder))
    return RecordingResult(decoder.seconds, told, decoder.warnings)


def _recognised(
    recognizer: Recognizer, held: Sequence[tuple[int, Recording]]
) -> Iterator[tuple[int, RecordingResult]]:
    predictions = recognizer.recognise([recording for _, recording in held])
    for (index, _), prediction in zip(held, predictions, strict=True):
        yield index, RecordingResult(prediction.duration, [prediction], prediction.warnings)


def _row(one: Input, told: RecordingResult, labels: Sequence[str]) -> dict[str, Any]:
    """A recording: of several utterances the mean of those that tell, by their duration."""
    row: dict[str, Any] = {"index": one.index, "file": one.file, "error": "", "duration": 0.0}
    row |= {"label": "", "confidence": None, "utterances": 0, "reason": ""}
    row["warnings"] = "; ".join(told.warnings)
    row |= {f"prob_{label}": None for label in labels}
    if told.error:
        return row | {"error": told.error}
    row |= {"duration": told.seconds, "utterances": len(told.predictions)}
    clear = [p for p in told.predictions if not p.rejection_reason]
    counted = clear or told.predictions
    mean = np.average(
        [list(p.probabilities.values()) for p in counted],
        axis=0, weights=[p.duration for p in counted],
    )  # fmt: skip
    best = int(mean.argmax())
    row |= {f"prob_{label}": float(p) for label, p in zip(labels, mean, strict=True)}
    label, reason = (labels[best], "") if clear else (UNCERTAIN, counted[0].rejection_reason)
    return row | {"label": label, "reason": reason, "confidence": float(mean[best])}


def _points(one: Input, told: RecordingResult) -> Iterator[dict[str, Any]]:
    for prediction in told.predictions:
        for s in prediction.segments:
            yield {
                "index": one.index, "file": one.file, "start": s.start, "end": s.end,
                "label": s.label, "attention": s.attention,
            } | {f"prob_{label}": p for label, p in s.probabilities.items()}  # fmt: skip


def _rows_schema(labels: Sequence[str]) -> pa.Schema:
    probabilities = [(f"prob_{label}", pa.float32()) for label in labels]
    return pa.schema([
        ("index", pa.int64()), ("file", pa.string()), ("label", pa.string()),
        ("confidence", pa.float32()), *probabilities, ("duration", pa.float64()),
        ("utterances", pa.int32()), ("reason", pa.string()), ("warnings", pa.string()),
        ("error", pa.string()),
        ("model", pa.string()), ("hash", pa.string()),
    ])  # fmt: skip


def _points_schema(labels: Sequence[str]) -> pa.Schema:
    probabilities = [(f"prob_{label}", pa.float32()) for label in labels]
    return pa.schema([
        ("index", pa.int64()), ("file", pa.string()), ("start", pa.float64()),
        ("end", pa.float64()), ("label", pa.string()), ("attention", pa.float32()), *probabilities,
    ])  # fmt: skip


def _write(rows: list[dict[str, Any]], schema: pa.Schema, path: Path) -> None:
    write(path, lambda part: pq.write_table(pa.Table.from_pylist(rows, schema=schema), part))
