"""One fold with one seed, and the folds that are done."""

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from ..atomic import write
from ..config import Protocol, explain
from ..errors import AffektError
from ..nn.training_info import TrainingInfo
from ..progress import Report
from ..run_manifest import RUN, start_or_resume
from ..training.clips import Clip, speakers
from .systems.system import System, predict

Result = tuple[pd.DataFrame, dict[str, Any]]


class Job(NamedTuple):
    """One training and one test."""

    seed: int
    fold: int
    test_speakers: list[str]


def run_fold(
    clips: Sequence[Clip],
    labels: Sequence[str],
    system_: System,
    job: Job,
    report: Report,
    rules: Protocol,
) -> Result:
    """Train on all but the test speakers and predict these; rows of predictions, and facts."""
    training = [c for c in clips if c.example.speaker not in job.test_speakers]
    test = [
        c for c in clips if c.example.speaker in job.test_speakers and c.example.label in labels
    ]
    system_.fit(training, job.seed, report, test if rules.paper_protocol else None)
    told = _by_source(system_, test, rules.test_normalisation == "speaker")
    probabilities = among(labels, system_.labels, told)
    rows = pd.DataFrame(
        {
            "utterance": [c.example.id for c in test],
            "speaker": [c.example.speaker for c in test],
            "fold": job.fold,
            "seed": job.seed,
            "label": [c.label for c in test],
            "predicted": [labels[i] for i in probabilities.argmax(1)],
        }
    )
    for label, column in zip(labels, probabilities.T, strict=True):
        rows[f"prob_{label}"] = column
    training_info: dict[str, Any] = {
        "seed": job.seed,
        "fold": job.fold,
        "training_speakers": speakers(training),
    }
    training_info |= system_.training_info
    training_info |= _lacking(training, set(training_info.get("validation_speakers", ())))
    return rows, _checked(training_info, type(system_).__name__)


def _checked(training_info: dict[str, Any], system: str) -> dict[str, Any]:
    """The record of a training, refused at the first fold if metrics.json could not hold it."""
    try:
        TrainingInfo.model_validate(training_info)
    except ValidationError as error:
        raise AffektError(f"{system}.training_info: {explain(error)}") from error
    return training_info


def _by_source(system_: System, test: Sequence[Clip], by_speaker: bool) -> NDArray[np.float64]:
    """Probabilities ``(clips, classes)`` of test clips, predicted together with their source's."""
    if not by_speaker:
        return _predicted(system_, test)
    told = np.zeros((len(test), len(system_.labels)))
    for voice in speakers(test):
        rows = [i for i, c in enumerate(test) if c.example.speaker == voice]
        told[rows] = _predicted(system_, [test[i] for i in rows])
    return told


def _predicted(system_: System, test: Sequence[Clip]) -> NDArray[np.float64]:
    return predict(system_, [c.recording for c in test])


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
    all_of_them = {c.label for c in training}
    chosen_by = {c.label for c in training if c.example.speaker in validation_part}
    learned = {c.label for c in training if c.example.speaker not in validation_part}
    lacks = {"validation_lacks": all_of_them - chosen_by, "training_lacks": all_of_them - learned}
    return {key: sorted(labels) for key, labels in lacks.items() if labels}


class Finished:
    """The folds of one evaluation that are done, on disk.

    ``run.json`` says what is being run; another run never mixes with it.

    Raises:
        AffektError: The folder holds something else, or a run of other data, settings or code.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder / "folds"
        start_or_resume(folder, identity, "run", resume=True)

    def __contains__(self, job: Job) -> bool:
        return all(path.is_file() for path in self._paths(job))

    def keep(self, job: Job, result: Result) -> None:
        """Write the result of one job, whole or not at all."""
        rows, training_info = result
        table, beside = self._paths(job)
        write(table, partial(rows.to_parquet, index=False))
        write(beside, json.dumps(training_info, indent=2, ensure_ascii=False) + "\n")

    def collect(self, jobs: Sequence[Job]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
        """All rows, and the facts of all jobs, in the order of the jobs."""
        paths = [self._paths(job) for job in jobs]
        rows = [pd.read_parquet(table) for table, _ in paths]
        training_info = [json.loads(beside.read_text("utf-8")) for _, beside in paths]
        return pd.concat(rows, ignore_index=True), training_info

    def clear(self) -> None:
        """Forget the single folds, once their sum is written."""
        shutil.rmtree(self.folder)
        (self.folder.parent / RUN).unlink()

    def _paths(self, job: Job) -> tuple[Path, Path]:
        name = f"seed{job.seed}-fold{job.fold}"
        return self.folder / f"{name}.parquet", self.folder / f"{name}.json"
