"""Embeddings of recordings as a Parquet file, for training and analysis with other tools."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..atomic import write
from ..audio.decoding import read
from ..audio.recording import Recording
from ..audio.segmentation import to_seconds
from ..audio.source import Source
from ..errors import AffektError, AudioError
from ..extras import optional_import
from ..inference.embedding import Level, embedding
from ..plural import counted
from ..progress import Event, Report, silent

if TYPE_CHECKING:
    import pyarrow as pa

    from ..inference.classifier import EncodedRecording
    from ..inference.recognizer import Recognizer

BATCH = 240.0  # s of recordings that are encoded at a time


def write_embeddings(
    recognizer: "Recognizer",
    files: Sequence[Source],
    out: Path,
    level: Level = "segment",
    report: Report = silent,
    *,
    track: int | None = None,
) -> list[AudioError]:
    """Write the embeddings of recordings to a Parquet file, in the order of the files.

    Columns: ``file``, ``start`` and ``end`` in seconds, ``embedding`` (list of float32). The
    metadata of the file name the model and the level.

    Args:
        recognizer: The model whose encoder is used.
        files: Recordings of at most a few hours each, since each is held in memory.
        out: New file with the suffix ``.parquet``.
        level: "segment": a row for each 0.96 s segment. "clip": a row for each recording, the mean
            of its segments.
        report: Progress.
        track: The audio track of files that have several, as of `Decoder`.

    Returns:
        The errors of recordings that cannot be read; these have no row.

    Raises:
        AffektError: `out` exists or has another suffix, no recording can be read, or the file
            cannot be written.
        MissingExtraError: pyarrow is missing; it is in the extra ``train``.
    """
    with optional_import("a Parquet file"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    if out.suffix.lower() != ".parquet":
        raise AffektError(f"{out}: embeddings are written as .parquet")
    if out.exists():
        raise AffektError(f"{out}: exists; choose another name")
    errors: list[AudioError] = []

    def fill(path: Path) -> None:
        with pq.ParquetWriter(path, _schema(recognizer.name, level)) as table:
            for recordings in _batches(files, errors, report, track):
                rows = _rows(recognizer.encode(recordings), level)
                table.write_table(pa.Table.from_pylist(list(rows), table.schema))
        if len(errors) == len(files):
            raise AffektError(
                f"none of {counted(len(files), 'recording')} can be read: {errors[0]}"
            )

    if not files:
        raise AffektError("no recordings: give at least one file")
    write(out, fill)
    return errors


def _schema(model: str, level: Level) -> "pa.Schema":
    import pyarrow as pa

    fields = [("file", pa.string()), ("start", pa.float64()), ("end", pa.float64())]
    fields.append(("embedding", pa.list_(pa.float32())))
    return pa.schema(fields, metadata={"affekt_model": model, "affekt_level": level})


def _rows(recordings: Iterable["EncodedRecording"], level: Level) -> Iterator[dict[str, object]]:
    for encoded in recordings:
        if level == "clip":
            times = np.array([[0.0, encoded.seconds]])
        else:
            times = to_seconds(encoded.spans[encoded.sequences[0]]).clip(max=encoded.seconds)
        vectors = np.atleast_2d(embedding(encoded, level))
        for (start, end), vector in zip(times, vectors, strict=True):
            yield {
                "file": encoded.file, "start": float(start), "end": float(end),
                "embedding": vector,
            }  # fmt: skip


def _batches(
    files: Sequence[Source], errors: list[AudioError], report: Report, track: int | None
) -> Iterator[list[Recording]]:
    """Decode recordings in batches.

    Args:
        files: The recordings.
        errors: Gets the errors of those that cannot be read.
        report: Progress.
        track: The audio track, as of `Decoder`.
    """
    batch: list[Recording] = []
    for done, file in enumerate(files, 1):
        try:
            batch.append(read(file, track))
        except AudioError as error:
            errors.append(error)
        if sum(r.seconds for r in batch) > BATCH or (batch and done == len(files)):
            yield batch
            batch = []
        report(Event("recordings embedded", done, len(files)))
