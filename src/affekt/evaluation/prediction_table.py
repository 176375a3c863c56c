"""Read the predictions of any tool on a corpus."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..corpora.corpus import Corpus
from ..corpora.manifest import part_times
from ..corpora.matching import match_paths
from ..corpora.tables import Row, find_column, read_table
from ..errors import AffektError, CorpusError
from ..nn.speech_gate import UNCERTAIN
from ..types import Example

PATH = ("path", "file", "file_name", "utterance")
LABEL = ("predicted", "prediction", "label", "emotion")
PROBABILITY = "prob_"
TARGET = "target_"


class Predictions(NamedTuple):
    """Predictions of the clips of a corpus, in their order.

    Attributes:
        name: Name of the model or of the file.
        labels: Classes in the order of the columns of `probabilities`.
        examples: The clips, one row for each; several times with several seeds.
        probabilities: ``(rows, classes)``; rows sum to 1.
        accepted: ``(rows,)``; False where the model answered "uncertain".
        seeds: ``(rows,)``.
        unseen_speakers: As of `affekt.run_result.ExistingModel`.
        warnings: Warnings of the decoder, by clip.
        how: How the clips were recognised, for the protocol; "" if unknown.
    """

    name: str
    labels: list[str]
    examples: list[Example]
    probabilities: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    unseen_speakers: bool | None
    warnings: dict[str, list[str]]
    how: str = ""


def read_predictions(file: Path, corpus: Corpus) -> Predictions:
    """Match a table of predictions (CSV, TSV, JSON lines or Parquet) to a corpus.

    Columns are ``path`` (or ``file``), ``label`` (or ``predicted``) and, where known, ``seed``,
    probabilities ``prob_CLASS`` and, for parts of files, ``start`` and ``end``. Rows are matched as
    by `match_paths`. Without probabilities the predicted class has probability 1. "uncertain" is a
    rejection and needs probabilities.

    Args:
        file: The table.
        corpus: Each of its clips needs one row for each seed.

    Raises:
        AffektError: A column is missing; a clip has no row or two; a row names no clip of the
            corpus or a class that is not there.
    """
    columns, rows = read_table(file)
    path, label = _column(file, columns, PATH), _column(file, columns, LABEL)
    start, end = (find_column(file, columns, [name]) for name in ("start", "end"))
    labels = [c.removeprefix(PROBABILITY) for c in columns if c.startswith(PROBABILITY)]
    classes = labels or corpus.labels
    paths = {f"{file}, line {line}": str(row.get(path) or "") for line, row in rows}
    times = {}
    if start and end and any(e.part for e in corpus.examples):
        times = {
            where: part_times(where, row.get(start), row.get(end))
            for where, (_, row) in zip(paths, rows, strict=True)
        }
    matches = match_paths(paths, corpus.examples, times)
    lines: dict[tuple[int, str], int] = {}
    examples, seeds, accepted, probabilities = [], [], [], []
    for line, row in rows:
        where = f"{file}, line {line}"
        if (example := matches[where]) is None:
            raise CorpusError(f"{where}: {paths[where]!r} is no clip of the corpus")
        seed = _number(where, row.get("seed") or 0)
        first = lines.setdefault((seed, example.id), line)
        if first != line:
            raise CorpusError(f"{where}: {row[path]} has a prediction on line {first} too")
        predicted = str(row.get(label) or "")
        examples.append(example)
        seeds.append(seed)
        accepted.append(predicted != UNCERTAIN)
        probabilities.append(_probabilities(where, row, predicted, classes, bool(labels)))
    _complete(file, corpus, lines)
    return Predictions(
        file.stem,
        classes,
        examples,
        np.array(probabilities),
        np.array(accepted),
        np.array(seeds, np.int64),
        None,
        {},
    )


def part_columns(examples: Sequence[Example]) -> dict[str, list[Any]]:
    """Columns ``file``, ``start`` and ``end`` (NaN: end of the file); none if no part is there."""
    if not any(e.part for e in examples):
        return {}
    ends = [math.nan if e.end is None else e.end for e in examples]
    return {"file": [e.file for e in examples], "start": [e.start for e in examples], "end": ends}


def target_columns(labels: Sequence[str], examples: Sequence[Example]) -> dict[str, Any]:
    """Columns ``target_CLASS`` with the shares of soft labels; none if all labels are single.

    Args:
        labels: Classes that are tested, of which the shares of each example sum to 1.
        examples: In the order of the rows.
    """
    if not any(e.targets for e in examples):
        return {}
    votes = [dict(e.targets) or {e.label: 1.0} for e in examples]
    shares = np.array([[own.get(label, 0.0) for label in labels] for own in votes])
    shares /= shares.sum(1, keepdims=True)
    return {TARGET + label: column for label, column in zip(labels, shares.T, strict=True)}


def _column(file: Path, columns: Sequence[str], names: Sequence[str]) -> str:
    if found := find_column(file, columns, names):
        return found
    raise CorpusError(f"{file}: no column {names[0]}; it has {', '.join(columns) or 'none'}")


def _number(where: str, value: Any) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise CorpusError(f"{where}: seed {value!r} is no whole number") from error


def _probabilities(
    where: str, row: Row, predicted: str, classes: Sequence[str], given: bool
) -> NDArray[np.float64]:
    """Probabilities ``(classes,)`` of one row.

    Args:
        where: File and line, for errors.
        row: The row.
        predicted: Its label.
        classes: Classes of the columns.
        given: Whether the table has probabilities.
    """
    if predicted not in classes and not (predicted == UNCERTAIN and given):
        what = "needs columns prob_CLASS" if predicted == UNCERTAIN else "is no class here"
        raise CorpusError(f"{where}: label {predicted!r} {what}; there are {', '.join(classes)}")
    if not given:
        return np.array([float(predicted == c) for c in classes])
    try:
        values = np.array([float(row.get(PROBABILITY + c) or "nan") for c in classes])
    except ValueError as error:
        raise CorpusError(f"{where}: {error}; probabilities are numbers from 0 to 1") from error
    if not np.isfinite(values).all() or (values < 0).any() or abs(values.sum() - 1) > 0.02:
        raise CorpusError(f"{where}: the probabilities must be numbers from 0 to 1 that sum to 1")
    if predicted != UNCERTAIN and values[classes.index(predicted)] < values.max() - 1e-6:
        best = classes[int(values.argmax())]
        raise CorpusError(f"{where}: label {predicted}, but {best} is the most probable class")
    return values / values.sum()


def _complete(file: Path, corpus: Corpus, lines: Mapping[tuple[int, str], int]) -> None:
    seeds = sorted({seed for seed, _ in lines}) or [0]
    for seed in seeds:
        missing = [e.id for e in corpus.examples if (seed, e.id) not in lines]
        if missing:
            raise AffektError(
                f"{file}: no prediction of {len(missing)} of {len(corpus.examples)} clips"
                + (f" with seed {seed}" if len(seeds) > 1 else "")
                + f", the first: {missing[0]}"
            )
