"""Score a system on unseen speakers: folds x seeds, then metrics.json and predictions.parquet."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..atomic import write
from ..config import Config, TestNormalisation
from ..corpora.corpus import Corpus
from ..dimension_result import DimensionResult
from ..errors import AffektError
from ..metrics import (
    SCORES,
    confusion_by_speaker,
    distribution_scores,
    intervals,
    mean_interval,
    rounded,
    scores,
    standard_deviation,
)
from ..progress import Report, silent
from ..provenance import comparable, provenance, weights_hashes
from ..run_result import FILE, RECORDINGS, RunResult, to_text
from ..training.clips import audio_warnings, load_clips
from .dimension_scores import measure_dimensions
from .folds import Experiment, Finished, Job, jobs_of
from .jobs import run_jobs
from .prediction_table import PROBABILITY, TARGET
from .protocol_text import marked_title, notes, protocol
from .systems.system import System


def evaluate(
    corpus: Corpus,
    make_system: Callable[[], System],
    config: Config,
    out: Path,
    *,
    system: str = "",
    title: str = "",
    workers: int = 1,
    report: Report = silent,
    recordings: Mapping[str, str] | None = None,
    instance: str = "",
    normalisations: Sequence[TestNormalisation] = (),
) -> RunResult | DimensionResult:
    """Run every fold with every seed and write the results to `out`.

    Finished folds are saved in ``out/folds``; called again with the same data, settings and code,
    only the missing ones are run. ``metrics.json`` is written last; ``recordings.json`` has the
    hash of each audio file.

    Args:
        corpus: Its folds are those of `Corpus.test_folds`.
        make_system: Returns a system that is not trained yet; it must pickle for several `workers`.
        config: Settings, among them the protocol.
        out: New folder, or one that an interrupted call left.
        system: Name of the system in the results.
        title: Its name in tables.
        workers: Number of processes; each runs complete folds.
        report: Called with each step.
        recordings: Hashes of the audio files, if the caller has just computed them.
        instance: Hash of the attributes of a system that is given as an object.
        normalisations: Test normalisations in place of that of the protocol: each trained model is
            tested with all of them, and each has its results in a folder of its name in `out`.

    Returns:
        The scores, as metrics.json holds them; of several normalisations those of the first.

    Raises:
        AffektError: `out` holds something else or cannot be written, a recording cannot be
            read, there are too few speakers, or torchrun started this process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise AffektError("an evaluation has processes of its own: use --workers, not torchrun")
    jobs, names = jobs_of(corpus, config.protocol), corpus.dimensions  # or why there are none
    recordings = corpus.audio_hashes() if recordings is None else recordings
    tested = normalisations or [config.protocol.test_normalisation]
    parts = [
        _Part(
            corpus,
            config.with_test_normalisation(normalisation),
            out / normalisation if normalisations else out,
            recordings,
            system,
            instance,
        )
        for normalisation in tested
    ]
    clips = load_clips([*corpus.examples, *corpus.train_only], report)
    experiment = Experiment(clips, corpus.labels, make_system, config.protocol, tested, names)
    run_jobs(experiment, jobs, [part.done for part in parts], workers, report)
    warnings = audio_warnings(clips)
    results = [part.finish(jobs, title, warnings) for part in parts]
    return results[0]


class _Part:
    """The results of an evaluation with one test normalisation.

    Args:
        corpus: The corpus.
        config: Settings with this test normalisation.
        out: Folder of the results.
        recordings: Hashes of the audio files.
        system: Name of the system in the results.
        instance: Hash of the attributes of a system that is given as an object.

    Attributes:
        done: The finished folds.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: Config,
        out: Path,
        recordings: Mapping[str, str],
        system: str,
        instance: str,
    ) -> None:
        self._corpus, self._config, self._out = corpus, config, out
        self._recordings, self._system = recordings, system
        # Before hours in which files may change.
        self._origin = provenance(corpus, config, recordings, system)
        if instance:
            self._origin["hashes"]["instance"] = instance
        content = {"system": system, **self._origin, "recordings": dict(recordings)}
        self.done = Finished(out, comparable(content), partial(weights_hashes, config))

    def finish(
        self, jobs: Sequence[Job], title: str, warnings: Mapping[str, list[str]]
    ) -> RunResult | DimensionResult:
        """Write the results of all jobs.

        Args:
            jobs: The finished jobs.
            title: Name of the system in tables.
            warnings: Clips with each warning.
        """
        table, training_info = self.done.collect(jobs)
        write(self._out / "predictions.parquet", partial(table.to_parquet, index=False))
        names, labels = self._corpus.dimensions, self._corpus.labels
        metrics = measure_dimensions(table, names) if names else measure(table, labels)
        metrics["system"] = self._system
        metrics |= description(self._corpus, self._config, title, training_info)
        metrics["runs"] = training_info
        metrics["audio_warnings"] = warnings
        kind = DimensionResult if names else RunResult
        result = kind.model_validate(metrics | self._origin)
        hashes = json.dumps(self._recordings, indent=0, ensure_ascii=False) + "\n"
        write(self._out / RECORDINGS, hashes)
        write(self._out / FILE, to_text(result))
        self.done.clear()
        return result


def description(
    corpus: Corpus, config: Config, title: str, training_info: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Title, protocol, notes and genders of an evaluation.

    Args:
        corpus: The corpus.
        config: Settings of the evaluation.
        title: Name of the system in tables.
        training_info: Record of each training.

    Raises:
        CorpusError: The corpus has no folds under these settings.
    """
    settings, folds = config.protocol, corpus.test_folds(config.protocol.folds)
    return {
        "title": marked_title(title, training_info, settings, corpus),
        "protocol": protocol(corpus, config, folds),
        "notes": notes(corpus, folds, training_info, settings.paper_protocol),
        "gender": {e.speaker: e.gender for e in corpus.examples if e.gender},
    }


def measure(table: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """All scores from the table of predictions, and nothing else."""
    speakers, confusions = _confusions(table, labels)
    pooled = scores(confusions.sum(0))
    total = confusions.sum((0, 1))
    recall = np.diagonal(total) / np.maximum(total.sum(1), 1)
    precision = np.diagonal(total) / np.maximum(total.sum(0), 1)
    first = table[table["seed"] == table["seed"].min()]
    return {
        **rounded({name: pooled[name].mean() for name in SCORES}),
        "majority": round(float(total.sum(1).max() / total.sum()), 4),
        "chance_UAR": round(1 / len(labels), 4),
        "sd": {name: standard_deviation(pooled[name]) for name in SCORES},
        "ci95": intervals(confusions),
        "seeds": confusions.shape[1],
        "clips": len(first),
        "folds": [_fold_scores(rows, labels) for _, rows in table.groupby("fold")],
        "per_class": {
            label: {"recall": round(float(r), 4), "precision": round(float(p), 4), "clips": int(n)}
            for label, r, p, n in zip(
                labels, recall, precision, total.sum(1) / confusions.shape[1], strict=True
            )
        },
        "per_speaker": {
            s: rounded({n: v.mean() for n, v in scores(confusions[i]).items()})
            | {"clips": int(confusions[i, 0].sum())}
            for i, s in enumerate(speakers)
        },
        "confusion": {"labels": list(labels), "counts": total.tolist()},
        **_soft_scores(table, labels),
    }


def _soft_scores(table: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """Scores against soft labels, as `affekt.run_result.SoftScores`; none for single labels."""
    if TARGET + labels[0] not in table:
        return {}
    shares, p = (
        table[[prefix + label for label in labels]].to_numpy(np.float64)
        for prefix in (TARGET, PROBABILITY)
    )
    values = distribution_scores(shares, p)
    units = table["speaker"].to_numpy()
    return {
        "soft": {
            **rounded({name: each.mean() for name, each in values.items()}),
            "ci95": {name: mean_interval(each, units) for name, each in values.items()},
        }
    }


def rejection_scores(table: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """Share of the clips that an existing model accepted, and the scores on these clips.

    Args:
        table: Predictions with the column ``accepted``.
        labels: Classes.

    Returns:
        As ``coverage`` and ``accepted`` of `affekt.run_result.ExistingModel`.
    """
    rows = table[table["accepted"]]
    accepted = None
    if len(rows) not in (0, len(table)):
        matrices = confusion_by_speaker(labels, rows["label"], rows["predicted"], rows["speaker"])
        accepted = rounded(scores(np.sum(list(matrices.values()), axis=0)))
    return {"coverage": round(float(table["accepted"].mean()), 4), "accepted": accepted}


def _confusions(
    table: pd.DataFrame, labels: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Speakers, and confusion matrices ``(speakers, seeds, classes, classes)``."""
    by_seed = [
        confusion_by_speaker(labels, rows["label"], rows["predicted"], rows["speaker"])
        for _, rows in table.groupby("seed")
    ]
    speakers = sorted(by_seed[0])
    return speakers, np.array([[matrices[s] for matrices in by_seed] for s in speakers])


def _fold_scores(rows: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    speakers, confusions = _confusions(rows, labels)
    values = scores(confusions.sum(0))
    return {"test_speakers": speakers} | rounded({n: v.mean() for n, v in values.items()})
