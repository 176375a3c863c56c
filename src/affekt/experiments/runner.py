"""Score a method on unheard speakers: folds x seeds, then metrics.json and predictions.parquet."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config import Config
from ..corpora import Corpus
from ..files import new_folder, write
from ..metrics import SCORES, confusion_by_speaker, intervals, rounded, scores, spread
from ..progress import Event, Report, silent
from ..provenance import provenance
from ..splits import speaker_folds
from ..training.data import Clip, audio_warnings, load_clips
from ..types import Utterance
from .methods import Method

PROTOCOL = (
    "Test speakers in no training, validation or statistic; {folds}; every "
    "choice (epochs) on inner validation speakers ({validation}); "
    "uniform segments at test; {seeds} seeds, mean over seeds of scores pooled over folds; "
    "intervals: 95 % percentile bootstrap over speakers."
)


def evaluate(
    corpus: Corpus,
    make_method: Callable[[], Method],
    config: Config,
    out: Path,
    report: Report = silent,
) -> dict[str, Any]:
    """Run every fold with every seed and write the results to `out`.

    ``predictions.parquet`` grows with each fold; ``metrics.json`` comes last.

    Returns:
        What metrics.json holds.

    Raises:
        AffektError: `out` is not empty or cannot be written, a recording cannot be read, or
            there are too few speakers.
    """
    new_folder(out)
    origin = provenance(corpus, config)  # of the code as it is now, not after hours of work
    number = config.protocol.folds or corpus.folds
    folds = speaker_folds(corpus.utterances, number, corpus.fixed)
    clips = load_clips(corpus.utterances, report)
    seeds = range(config.protocol.seed, config.protocol.seed + config.protocol.seeds)
    rows: list[pd.DataFrame] = []
    facts = []
    report(Event("folds", 0, len(seeds) * len(folds)))
    for seed in seeds:
        for fold, speakers in enumerate(folds):
            name = f"seed {seed - seeds.start + 1}/{len(seeds)} fold {fold + 1}/{len(folds)}"
            method = make_method()
            rows.append(_fold(clips, speakers, method, corpus.labels, seed, _under(name, report)))
            rows[-1].insert(2, "fold", fold)
            facts.append({"seed": seed, "fold": fold, **method.facts})
            table = pd.concat(rows, ignore_index=True)
            report(Event("folds", len(rows), len(seeds) * len(folds)))
            write(out / "predictions.parquet", partial(table.to_parquet, index=False))
    metrics = measure(table, corpus.labels, folds)
    metrics["majority"] = round(_majority(corpus.utterances, folds), 4)
    metrics["protocol"] = _protocol(corpus, config, len(folds))
    metrics["runs"] = facts
    metrics["audio_warnings"] = audio_warnings(clips)
    metrics |= origin
    write(out / "metrics.json", json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
    return metrics


def _under(name: str, report: Report) -> Report:
    return lambda event: report(event._replace(stage=f"{name}, {event.stage}"))


def _fold(
    clips: Sequence[Clip],
    test_speakers: Sequence[str],
    method: Method,
    labels: Sequence[str],
    seed: int,
    report: Report,
) -> pd.DataFrame:
    training = [c for c in clips if c.utterance.speaker not in test_speakers]
    test = [c for c in clips if c.utterance.speaker in test_speakers]
    method.fit(training, seed, report)
    probabilities = method.predict([c.recording for c in test])
    rows = pd.DataFrame(
        {
            "utterance": [c.utterance.id for c in test],
            "speaker": [c.utterance.speaker for c in test],
            "seed": seed,
            "label": [c.label for c in test],
            "predicted": [method.labels[i] for i in probabilities.argmax(1)],
        }
    )
    for label in labels:  # a class that no training speaker had is never predicted
        known = label in method.labels
        rows[f"prob_{label}"] = probabilities[:, method.labels.index(label)] if known else 0.0
    return rows


def measure(
    table: pd.DataFrame, labels: Sequence[str], folds: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """All scores from the table of predictions, and nothing else."""
    by_seed = [
        confusion_by_speaker(labels, rows["label"], rows["predicted"], rows["speaker"])
        for _, rows in table.groupby("seed")
    ]
    speakers = sorted(by_seed[0])
    # (speakers, seeds, classes, classes)
    confusions = np.array([[matrices[s] for matrices in by_seed] for s in speakers])
    pooled = scores(confusions.sum(0))
    total = confusions.sum((0, 1))
    recall = np.diagonal(total) / np.maximum(total.sum(1), 1)
    precision = np.diagonal(total) / np.maximum(total.sum(0), 1)
    first = table[table["seed"] == table["seed"].min()]
    return {
        **rounded({name: pooled[name].mean() for name in SCORES}),
        "chance_UAR": round(1 / len(labels), 4),
        "sd": {name: spread(pooled[name]) for name in SCORES},
        "ci95": intervals(confusions),
        "seeds": len(by_seed),
        "clips": len(first),
        "folds": [
            {"test_speakers": list(group)}
            | rounded(
                {
                    name: values.mean()
                    for name, values in scores(
                        confusions[[speakers.index(s) for s in group]].sum(0)
                    ).items()
                }
            )
            for group in folds
        ],
        "per_class": {
            label: {"recall": round(float(r), 4), "precision": round(float(p), 4), "clips": int(n)}
            for label, r, p, n in zip(
                labels, recall, precision, total.sum(1) / len(by_seed), strict=True
            )
        },
        "per_speaker": {
            s: rounded({n: v.mean() for n, v in scores(confusions[i]).items()})
            | {"clips": int(confusions[i, 0].sum())}
            for i, s in enumerate(speakers)
        },
        "confusion": {"labels": list(labels), "counts": total.tolist()},
    }


def _majority(utterances: Sequence[Utterance], folds: Sequence[Sequence[str]]) -> float:
    """Accuracy of always saying the most frequent class of the training part."""
    hits = clips = 0
    for group in folds:
        training = Counter(u.label for u in utterances if u.speaker not in group)
        test = Counter(u.label for u in utterances if u.speaker in group)
        hits += test[training.most_common(1)[0][0]]
        clips += test.total()
    return hits / clips


def _protocol(corpus: Corpus, config: Config, number: int) -> str:
    marked = {u.split for u in corpus.utterances}
    folds = f"{number} folds by speaker"
    if "test" in marked:
        folds = "one fold, the test speakers of the corpus"
    validation = f"{config.protocol.validation:.0%} of the training speakers"
    if "val" in marked:
        validation = "those of the corpus where they are in training"
    return PROTOCOL.format(folds=folds, validation=validation, seeds=config.protocol.seeds)
