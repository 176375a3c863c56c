"""One fold with one seed, and the results of finished folds on disk."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from ..atomic import write
from ..config import Protocol, TestNormalisation, explain
from ..content import hash_value
from ..corpora.corpus import Corpus
from ..errors import AffektError
from ..nn.training_info import TrainingInfo
from ..progress import Report
from ..run_manifest import RUN, start_or_resume
from ..training.clips import Clip, speakers
from .dimension_scores import dimension_rows
from .imbalance import unbalanced
from .prediction_table import part_columns, target_columns
from .systems.system import NormalisingSystem, System, predict, predict_grouped

Result = tuple[pd.DataFrame, dict[str, Any]]


class Job(NamedTuple):
    """One training and one test.

    Attributes:
        seed: Seed of the training.
        fold: Number of the fold, from 0 on.
        train: Ids of the clips of the training part, validation included.
        test: Ids of the test clips.
        validation: Ids of the validation clips that a fold table prescribes; None where the split
            of the corpus holds, or validation speakers are drawn.
    """

    seed: int
    fold: int
    train: frozenset[str]
    test: frozenset[str]
    validation: frozenset[str] | None = None


def jobs_of(corpus: Corpus, protocol: Protocol) -> list[Job]:
    """A job for each seed and fold. Examples of `Corpus.train_only` are in every training part.

    Raises:
        CorpusError: There are too few speakers for the folds.
    """
    jobs = []
    for seed in range(protocol.seed, protocol.seed + protocol.seeds):
        for number, fold in enumerate(corpus.test_folds(protocol.folds)):
            further = corpus.further_training(fold)
            validation = frozenset(e.id for e in fold.val) if corpus.fold_table else None
            train = frozenset(e.id for e in (*fold.train, *fold.val, *further))
            test = frozenset(e.id for e in fold.test)
            jobs.append(Job(seed, number, train, test, validation))
    return jobs


class Experiment(NamedTuple):
    """What all folds and seeds of an evaluation have in common.

    Attributes:
        clips: All clips of the corpus.
        labels: Classes that are tested.
        make_system: Returns a system that is not trained yet.
        protocol: Protocol of the evaluation.
        normalisations: Test normalisations, each of which gives a result of its own.
        dimensions: Dimensions that are tested, in place of classes.
    """

    clips: Sequence[Clip]
    labels: Sequence[str]
    make_system: Callable[[], System]
    protocol: Protocol
    normalisations: Sequence[TestNormalisation] = ("none",)
    dimensions: Sequence[str] = ()

    def run(self, job: Job, report: Report) -> list[Result]:
        """Train a system on the training part of one fold and predict the test part.

        Returns:
            Rows of predictions, and the record of the training, for each test normalisation.

        Raises:
            AffektError: The system predicts or records something else than a system must.
        """
        system = self.make_system()
        training = _training_part(self.clips, job)
        if ratio := self.protocol.training_imbalance:
            training = unbalanced(training, ratio, job.seed)
        test = [c for c in self.clips if c.example.id in job.test]
        held_out = test if self.protocol.paper_protocol else None
        system.fit(training, job.seed, report, held_out)
        predicted = _predict(system, test, self.normalisations, classes=not self.dimensions)
        tables = [self._table(test, job, system.labels, values) for values in predicted]
        training_info: dict[str, Any] = {
            "seed": job.seed,
            "fold": job.fold,
            "training_speakers": speakers(training),
        }
        if self.protocol.training_imbalance:
            training_info["training_clips"] = dict(
                sorted(Counter(c.label for c in training).items())
            )
        training_info |= system.training_info
        if held_out is None:
            training_info |= _lacking(training, set(training_info.get("validation_speakers", ())))
        record = _checked(training_info, type(system).__name__)
        return [(rows, record) for rows in tables]

    def _table(
        self, test: Sequence[Clip], job: Job, known: Sequence[str], predicted: NDArray[np.float64]
    ) -> pd.DataFrame:
        """Rows of predictions.

        Args:
            test: The test clips.
            job: Their fold and seed.
            known: Classes or dimensions of the system.
            predicted: ``(clips, known)``.
        """
        if not self.dimensions:
            return _rows(self.labels, test, job, among(self.labels, known, predicted))
        examples, names = [c.example for c in test], self.dimensions
        return dimension_rows(names, examples, predicted, fold=job.fold, seed=job.seed)


def _rows(
    labels: Sequence[str], test: Sequence[Clip], job: Job, probabilities: NDArray[np.float64]
) -> pd.DataFrame:
    """Predictions of one fold, as predictions.parquet holds them.

    Args:
        labels: Classes that are tested.
        test: The test clips.
        job: Their fold and seed.
        probabilities: ``(clips, labels)``.
    """
    rows = pd.DataFrame(
        {
            "utterance": [c.example.id for c in test],
            "speaker": [c.example.speaker for c in test],
            "fold": job.fold,
            "seed": job.seed,
            "label": [c.label for c in test],
            "predicted": [labels[i] for i in probabilities.argmax(1)],
        }
        | part_columns([c.example for c in test])
    )
    for label, column in zip(labels, probabilities.T, strict=True):
        rows[f"prob_{label}"] = column
    return rows.assign(**target_columns(labels, [c.example for c in test]))


def _checked(training_info: dict[str, Any], system: str) -> dict[str, Any]:
    """The record of a training, refused at the first fold if metrics.json could not hold it."""
    try:
        TrainingInfo.model_validate(training_info)
    except ValidationError as error:
        raise AffektError(f"{system}.training_info: {explain(error)}") from error
    return training_info


def _training_part(clips: Sequence[Clip], job: Job) -> list[Clip]:
    """Clips to train on; those that a fold table prescribes for validation are marked ``val``."""
    training = [c for c in clips if c.example.id in job.train]
    if job.validation is None:
        return training
    marks = ["val" if c.example.id in job.validation else "" for c in training]
    return [
        replace(c, example=replace(c.example, split=mark))
        for c, mark in zip(training, marks, strict=True)
    ]


def _predict(
    system: System,
    test: Sequence[Clip],
    normalisations: Sequence[TestNormalisation],
    *,
    classes: bool,
) -> list[NDArray[np.float64]]:
    """Predictions ``(clips, outputs)`` of test clips for each test normalisation.

    Args:
        system: A trained system.
        test: The clips.
        normalisations: What standardises them.
        classes: Whether the system predicts probabilities.
    """
    recordings = [c.recording for c in test]
    if set(normalisations) == {"none"}:
        return [predict(system, recordings, classes=classes)]
    groupings: dict[TestNormalisation, list[str] | None] = {
        "none": None,
        "clip": [c.example.id for c in test],
        "speaker": [c.example.speaker for c in test],
        "fold": [""] * len(test),
    }
    chosen = [groupings[normalisation] for normalisation in normalisations]
    return predict_grouped(cast(NormalisingSystem, system), recordings, chosen, classes=classes)


def among(
    labels: Sequence[str], known: Sequence[str], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities ``(clips, labels)`` of the tested classes, given that it is one of them.

    A class that no training speaker had is never predicted.
    """
    chosen = np.zeros((len(probabilities), len(labels)))
    for i, label in enumerate(labels):
        if label in known:
            chosen[:, i] = probabilities[:, known.index(label)]
    total = chosen.sum(1, keepdims=True)
    return np.divide(chosen, total, out=chosen, where=total > 0)


def _lacking(training: Sequence[Clip], validation_part: set[str]) -> dict[str, list[str]]:
    """Classes that the inner validation speakers lack, and that only they have."""
    if not validation_part or validation_part == {c.example.speaker for c in training}:
        return {}
    labels = {c.label for c in training}
    validated = {c.label for c in training if c.example.speaker in validation_part}
    trained = {c.label for c in training if c.example.speaker not in validation_part}
    lacks = {"validation_lacks": labels - validated, "training_lacks": labels - trained}
    return {key: sorted(missing) for key, missing in lacks.items() if missing}


class Finished:
    """The finished folds of one evaluation, on disk.

    ``run.json`` identifies the evaluation, and the record of each fold has the hash of that
    identity, so that folds of another evaluation never mix with them.

    Args:
        folder: Folder of the evaluation.
        identity: Data, settings and versions; see `affekt.provenance.identity`.
        weights: Returns the hashes of the weights as they are now: each fold reads the files again.

    Raises:
        AffektError: The folder holds something else, or a run of other data, settings or code.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        weights: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.folder = folder / "folds"
        self.key = hash_value(json.dumps(identity, sort_keys=True))
        self._weights = weights
        self._first_weights = weights()
        start_or_resume(folder, identity, "run", resume=True)
        for path in self.folder.glob("*.json"):
            if _record(path)["identity"] != self.key:
                raise AffektError(
                    f"{path}: a fold of other data, settings or code; delete {self.folder}"
                )

    def __contains__(self, job: Job) -> bool:
        return all(path.is_file() for path in self._paths(job))

    def save(self, job: Job, result: Result) -> None:
        """Write the result of one job atomically.

        Raises:
            AffektError: It cannot be written, or a file of weights changed since the first fold.
        """
        if self._weights() != self._first_weights:
            raise AffektError(
                f"{self.folder.parent}: a file of weights changed during the evaluation; delete "
                "the folder to start again, or restore the file to continue"
            )
        rows, training_info = result
        table, record = self._paths(job)
        write(table, partial(rows.to_parquet, index=False))
        content = {"identity": self.key, "training": training_info}
        write(record, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def collect(self, jobs: Sequence[Job]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
        """All rows, and the records of all trainings, in the order of the jobs."""
        paths = [self._paths(job) for job in jobs]
        rows = [pd.read_parquet(table) for table, _ in paths]
        training_info = [_record(record)["training"] for _, record in paths]
        return pd.concat(rows, ignore_index=True), training_info

    def clear(self) -> None:
        """Remove the single folds, once metrics.json is written."""
        shutil.rmtree(self.folder)
        (self.folder.parent / RUN).unlink()

    def _paths(self, job: Job) -> tuple[Path, Path]:
        name = f"seed{job.seed}-fold{job.fold}"
        return self.folder / f"{name}.parquet", self.folder / f"{name}.json"


def _record(path: Path) -> dict[str, Any]:
    """The record of a finished fold: its identity and its training.

    Raises:
        AffektError: It is damaged.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        return {key: content[key] for key in ("identity", "training")}
    except (ValueError, KeyError, TypeError) as error:
        raise AffektError(f"{path}: not the record of a fold ({error!r}); delete it") from error
