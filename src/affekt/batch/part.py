"""Recognition of one part of a job: recordings in, two Parquet files out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import write
from ..audio.source import shown
from ..errors import AffektError, AudioError
from ..inference.pipeline import combine, recognise_files, shared_statistics
from ..inference.recognizer import Recognizer
from ..inference.utterances import Options
from ..types import Prediction
from .inputs import Input

STATES = b"affekt.states"  # metadata of a file of recordings: for each the `Input.state`, as JSON


@dataclass(frozen=True)
class RecordingResult:
    """Result of a recording.

    Attributes:
        predictions: One for a short recording, otherwise one for each utterance.
        error: Why the recording could not be read, or "".
    """

    predictions: Sequence[Prediction] = ()
    error: str = ""


@dataclass(frozen=True)
class Counts:
    """Sizes of a part.

    Attributes:
        files: Number of recordings.
        errors: Number of recordings that could not be read.
        seconds: Seconds of audio.
    """

    files: int
    errors: int
    seconds: float


def part_files(out: Path, part: int) -> tuple[Path, Path]:
    """Paths of the two files of a part: its recordings, and their segments."""
    return out / f"files/part-{part:06d}.parquet", out / f"segments/part-{part:06d}.parquet"


def changed_recordings(inputs: Sequence[Input], out: Path, part: int) -> list[Input]:
    """The local recordings of a complete part that changed since they were recognised.

    Deleted ones keep their result. Parts of earlier versions do not record the state of their
    recordings; there, a recording changed if it is newer than the part.

    Args:
        inputs: Recordings of the part.
        out: Folder of the job.
        part: Number of the part.

    Raises:
        AffektError: A tar shard changed.
    """
    path, changed = part_files(out, part)[0], list[Input]()
    try:
        states = _states(path)
    except pa.ArrowException:
        return []  # damaged, as `verify` says
    written = path.stat().st_mtime_ns
    for one, before in zip_longest(inputs, states):
        if not (now := one.state()):
            continue
        if list(now) == before if states else now[1] <= written:
            continue
        if one.offset >= 0:
            raise AffektError(
                f"{shown(one.location)}: changed since the job listed its recordings; choose "
                "another --out"
            )
        changed.append(one)
    return changed


def _states(path: Path) -> list[list[int] | None]:
    """The states of the recordings in a file of a part; none of earlier versions."""
    metadata = pq.read_schema(path).metadata or {}
    return list(json.loads(metadata.get(STATES, b"[]")))


def recognise_part(
    recognizer: Recognizer,
    inputs: Sequence[Input],
    out: Path,
    part: int,
    model_hash: str,
    options: Options = Options(),
) -> Counts:
    """Recognise the recordings of a part, or those of a complete one that changed; write its files.

    The file of the recordings is written last and atomically, so that it marks a complete part. A
    recording that cannot be read becomes a row with its error.

    Args:
        recognizer: The model.
        inputs: Recordings of the part.
        out: Folder of the job.
        part: Number of the part.
        model_hash: Hash of the model, written into each row.
        options: How they are recognised; recordings of a known speaker are standardised by the
            statistics of that speaker's recordings in the part.

    Raises:
        AffektError: A file cannot be written.
    """
    files, segments = part_files(out, part)
    states: list[Any] = [one.state() for one in inputs]  # before they are read: they may change
    rows, points, wanted = list[dict[str, Any]](), list[dict[str, Any]](), inputs
    if files.exists():
        wanted = changed_recordings(inputs, out, part)
        again = {one.index for one in wanted}
        rows, points = (
            [row for row in pq.read_table(path).to_pylist() if row["index"] not in again]
            for path in (files, segments)
        )
        states = [
            now if one.index in again else before
            for one, now, before in zip(inputs, states, _states(files) or states, strict=True)
        ]
    model = {"model": recognizer.name, "hash": model_hash}
    for one, result in _results(recognizer, inputs, wanted, options):
        rows.append(_row(one, result, recognizer.labels) | model)
        points += _points(one, result)
    rows.sort(key=itemgetter("index"))
    points.sort(key=itemgetter("index"))
    _write(points, _points_schema(recognizer.labels), segments)
    schema = _rows_schema(recognizer.labels).with_metadata({STATES: json.dumps(states)})
    _write(rows, schema, files)
    return Counts(len(rows), sum(bool(r["error"]) for r in rows), sum(r["duration"] for r in rows))


def _results(
    recognizer: Recognizer, inputs: Sequence[Input], wanted: Sequence[Input], options: Options
) -> Iterator[tuple[Input, RecordingResult]]:
    """Recordings with their results; an error discards the utterances before it.

    Args:
        recognizer: The model.
        inputs: Recordings of the part.
        wanted: Those that are to be recognised, in the same order.
        options: How they are recognised.
    """
    for speaker, group in groupby(wanted, attrgetter("speaker")):
        own = list(group)
        chosen = options
        if speaker and options.normalisation == "speaker" and recognizer.normalises_speakers:
            of_speaker = [(one.file, one.open) for one in inputs if one.speaker == speaker]
            statistics = shared_statistics(recognizer, of_speaker, track=options.track)
            chosen = options._replace(normalisation=statistics)
        predictions: list[list[Prediction]] = [[] for _ in own]
        errors = [""] * len(own)
        sources = [(one.file, one.open) for one in own]
        for index, result in recognise_files(recognizer, sources, chosen):
            if isinstance(result, AudioError):
                errors[index] = shown(str(result))
            else:
                name = result.speaker or speaker
                predictions[index].append(replace(result, speaker=name))
        for one, error, each in zip(own, errors, predictions, strict=True):
            yield one, RecordingResult(error=error) if error else RecordingResult(each)


def _row(one: Input, result: RecordingResult, labels: Sequence[str]) -> dict[str, Any]:
    """The row of a recording; `combine` makes one prediction of its utterances."""
    row: dict[str, Any] = {"index": one.index, "file": one.file, "error": "", "duration": 0.0}
    row["speaker"] = one.speaker
    row |= {"label": "", "confidence": None, "utterances": 0, "reason": "", "warnings": ""}
    row |= {f"prob_{label}": None for label in labels}
    if result.error:
        return row | {"error": result.error}
    combined = combine(list(result.predictions))
    row |= {f"prob_{label}": p for label, p in combined.probabilities.items()}
    return row | {
        "duration": combined.duration,
        "speaker": combined.speaker,
        "utterances": sum(bool(p.segments) for p in result.predictions),
        "warnings": "; ".join(combined.warnings),
        "label": combined.label,
        "reason": combined.rejection_reason,
        "confidence": combined.confidence,
        "arousal": combined.arousal,
        "valence": combined.valence,
    }


def _points(one: Input, result: RecordingResult) -> Iterator[dict[str, Any]]:
    for prediction in result.predictions:
        for s in prediction.segments:
            yield {
                "index": one.index, "file": one.file, "start": s.start, "end": s.end,
                "label": s.label, "attention": s.attention, "speaker": prediction.speaker,
            } | {f"prob_{label}": p for label, p in s.probabilities.items()}  # fmt: skip


def _rows_schema(labels: Sequence[str]) -> pa.Schema:
    probabilities = [(f"prob_{label}", pa.float32()) for label in labels]
    return pa.schema([
        ("index", pa.int64()), ("file", pa.string()), ("speaker", pa.string()),
        ("label", pa.string()), ("confidence", pa.float32()), *probabilities,
        ("arousal", pa.float32()),
        ("valence", pa.float32()), ("duration", pa.float64()),
        ("utterances", pa.int32()), ("reason", pa.string()), ("warnings", pa.string()),
        ("error", pa.string()),
        ("model", pa.string()), ("hash", pa.string()),
    ])  # fmt: skip


def _points_schema(labels: Sequence[str]) -> pa.Schema:
    probabilities = [(f"prob_{label}", pa.float32()) for label in labels]
    return pa.schema([
        ("index", pa.int64()), ("file", pa.string()), ("start", pa.float64()),
        ("end", pa.float64()), ("speaker", pa.string()), ("label", pa.string()),
        ("attention", pa.float32()), *probabilities,
    ])  # fmt: skip


def _write(rows: list[dict[str, Any]], schema: pa.Schema, path: Path) -> None:
    write(path, lambda part: pq.write_table(pa.Table.from_pylist(rows, schema=schema), part))
