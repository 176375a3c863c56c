"""Scores of the default recipe on unseen corpora, and on degraded recordings of them.

python benchmarks/unseen.py CORPORA [--seeds N --workers N --kept FOLDER] > results/unseen.md

A folder of --kept has the tables of each model, so that a run that was stopped goes on.

Each of six corpora in turn is left out of training, and all of it is tested on four classes: with
the statistics of the training corpora ("nothing"), or with unlabelled statistics of groups of its
own clips: each clip alone, ten clips of a speaker, all clips of a speaker, the whole corpus, some
of it (mixed and skewed), neutral clips of a speaker. In "one emotion" a group is the clips of a
speaker in one class, as in calls that are angry, or calm, throughout; that grouping uses the labels
of the test clips, so that it is no score, but the worst case. Then after adaptation to ten labelled
clips for each class of one of its speakers (or as many speakers as needed), and on degraded
recordings. There is one model for each left-out corpus.
"""

import argparse
import copy
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affekt.atomic import write
from affekt.audio.recording import Recording
from affekt.audio.resampling import Wave
from affekt.config import Config
from affekt.corpora.combine import pool
from affekt.inference.classifier import EncodedRecording
from affekt.inference.normalisation import NormalisationStatistics
from affekt.inference.recognizer import Recognizer
from affekt.metrics import calibration_error, uar
from affekt.nn.checkpoint import Checkpoint
from affekt.nn.encoders.weights import cache_folder
from affekt.recipe import read_config
from affekt.training import degradation
from affekt.training.adapt import adapt
from affekt.training.clips import Clip, load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import train
from affekt.training.waves import prepared

FOUR = ("anger", "happiness", "neutral", "sadness")
TESTED = ("emodb", "casia", "nemo", "turev", "urdu", "emovo")
ALWAYS = ("tess",)
DRAWS = 5  # of what is drawn at random

Table = dict[str, dict[str, list[float]]]  # corpus, row, seeds
Change = Callable[[Wave, np.random.Generator], Wave]
LINES: dict[str, Change] = {
    "not degraded": lambda w, rng: w,
    "telephone": lambda w, rng: degradation.telephone(w),
    "Opus, 8 kHz": lambda w, rng: degradation.opus(w, 8000),
    "pink noise, 20 dB": lambda w, rng: degradation.noise(w, 20, rng, "pink"),
    "pink noise, 10 dB": lambda w, rng: degradation.noise(w, 10, rng, "pink"),
    "pink noise, 5 dB": lambda w, rng: degradation.noise(w, 5, rng, "pink"),
    "telephone and pink noise, 10 dB": lambda w, rng: degradation.telephone(
        degradation.noise(w, 10, rng, "pink")
    ),
    "room, 0.5 s": lambda w, rng: degradation.reverb(w, 0.5, rng),
    "clipped, 5 %": lambda w, rng: degradation.clip(w, 0.05),
    "10 % slower": lambda w, rng: degradation.speed(w, 0.9),
    "10 % faster": lambda w, rng: degradation.speed(w, 1.1),
}
FIRST = "first seed"
LINED = 300  # clips of each corpus that go through every line


class Left:
    """One corpus that was left out, and the model that learned from the others."""

    def __init__(self, name: str, clips: Sequence[Clip], config: Config, seed: int) -> None:
        embeddings = cache_folder() / "vectors"
        learned = [c for c in clips if c.example.corpus != name]
        context = TrainingContext(embedding_cache=embeddings)
        trained = train(learned, config, context, seed=seed)
        self.checkpoint = Checkpoint(trained.model, trained.labels, config, "under test")
        self.recognizer = Recognizer(self.checkpoint)
        self.cache = context.cache_of(trained.model.encoder)
        self.clips = [c for c in clips if c.example.corpus == name and c.label in FOUR]
        self.config, self.rng = config, np.random.default_rng(seed)
        self.encoded = self._encode()
        self.truth = [c.label for c in self.clips]

    def _encode(self) -> list[EncodedRecording]:
        """As `Recognizer.encode`, by stored vectors: they are the same for every seed."""
        recordings = [c.recording for c in self.clips]
        waves, spans = prepared(recordings, self.config)
        embeddings = self.cache.encode(waves, spans)
        return [
            EncodedRecording(r.name, r.seconds, r.warnings, s, v, [np.arange(len(s))])
            for r, s, v in zip(recordings, spans, embeddings, strict=True)
        ]

    def probabilities(
        self, encoded: Sequence[EncodedRecording], source: NormalisationStatistics | None
    ) -> NDArray[np.float64]:
        """Of the four classes, given that it is one of them ``(clips, 4)``."""
        told = [self.recognizer.classify(h, source).probabilities for h in encoded]
        chosen = np.array([[p[label] for label in FOUR] for p in told])
        return chosen / chosen.sum(1, keepdims=True)

    def scored(
        self,
        source: NormalisationStatistics | None,
        encoded: Sequence[EncodedRecording] | None = None,
        truth: Sequence[str] | None = None,
    ) -> tuple[float, float]:  # fmt: skip
        """UAR and expected calibration error."""
        p = self.probabilities(encoded or self.encoded, source)
        right = np.array([FOUR.index(label) for label in truth or self.truth])
        return uar(right, p.argmax(1)), calibration_error(p, right)

    def source(self, rows: Sequence[int]) -> NormalisationStatistics:
        """Statistics of some clips."""
        return self.recognizer.statistics_of([self.encoded[i] for i in rows])

    def grouped(self, groups: Sequence[str], rows: Sequence[int] = ()) -> tuple[float, float]:
        """UAR and calibration error where the clips of each group share their statistics.

        Args:
            groups: Group of each clip.
            rows: The clips; all unless given.
        """
        clips = np.array(rows or range(len(self.clips)))
        names = np.array(groups)[clips]
        p = np.empty((len(clips), len(FOUR)))
        for name in np.unique(names):
            own = np.flatnonzero(names == name)
            encoded = [self.encoded[i] for i in clips[own]]
            p[own] = self.probabilities(encoded, self.recognizer.statistics_of(encoded))
        right = np.array([FOUR.index(self.truth[i]) for i in clips])
        return uar(right, p.argmax(1)), calibration_error(p, right)

    def groupings(self) -> dict[str, list[str]]:
        """Group of each clip, by name of the grouping."""
        speakers = np.array([c.example.speaker for c in self.clips])
        tens = np.empty(len(speakers), int)
        for speaker in np.unique(speakers):
            own = self.rng.permutation(np.flatnonzero(speakers == speaker))
            tens[own] = np.arange(len(own)) // 10
        return {
            "each clip": [c.example.id for c in self.clips],
            "ten clips of a speaker": [f"{s} {t}" for s, t in zip(speakers, tens, strict=True)],
            "speaker": speakers.tolist(),
            "corpus": [""] * len(speakers),
            "one emotion": [f"{s} {t}" for s, t in zip(speakers, self.truth, strict=True)],
        }

    def by_neutral(self, neutral: int) -> float:
        """UAR with statistics of some neutral clips of each speaker, which are not tested."""
        told, right = [], []
        for voice in sorted({c.example.speaker for c in self.clips}):
            rows = [i for i, c in enumerate(self.clips) if c.example.speaker == voice]
            calm = self.rng.permutation([i for i in rows if self.truth[i] == "neutral"])[:neutral]
            rows = [i for i in rows if i not in set(calm)]
            if len(calm) == neutral and rows:
                source = replace(self.source(calm.tolist()), neutral=True)
                told.append(self.probabilities([self.encoded[i] for i in rows], source))
                right += [FOUR.index(self.truth[i]) for i in rows]
        return uar(right, np.concatenate(told).argmax(1)) if told else float("nan")

    def by_number(self) -> dict[str, float]:
        """UAR by how many unlabelled clips of the corpus the statistics are of."""
        everything = np.arange(len(self.clips))
        results = {"0": self.scored(None)[0]}
        for number in (1, 3, 10, 30, 100):
            draws = (self.rng.choice(everything, number, replace=False) for _ in range(DRAWS))
            results[str(number)] = _mean(self.scored(self.source(d.tolist()))[0] for d in draws)
        for number in (1, 5):
            results[f"{number} of each speaker, neutral"] = self.by_neutral(number)
        for share in (0.5, 0.8, 1.0):
            key = f"100, {share:.0%} of one class"
            results[key] = _mean(
                self.scored(self.source(self._skewed(label, share)))[0] for label in FOUR
            )
        return results

    def _skewed(self, label: str, share: float, number: int = 100) -> list[int]:
        own = [i for i, t in enumerate(self.truth) if t == label]
        others = [i for i, t in enumerate(self.truth) if t != label]
        most = min(round(share * number), len(own))
        rest = round(most * (1 - share) / share)
        drawn = [
            self.rng.choice(own, most, replace=False),
            self.rng.choice(others, rest, replace=False),
        ]
        return np.concatenate(drawn).astype(int).tolist()

    def adapted(self, each: int = 10) -> dict[str, float]:
        """UAR on the other speakers, before and after `each` clips per class of some speakers."""
        results: dict[str, list[float]] = {}
        speakers = self.groupings()["speaker"]
        for _ in range(DRAWS):
            if (taught := self._teachers(each)) is None:
                continue
            rows, voices = taught
            test = [i for i, c in enumerate(self.clips) if c.example.speaker not in voices]
            new = adapt(self.checkpoint, [self.clips[i] for i in rows], self.cache, "adapted")
            models = {"before": self, "adapted": self.with_model(new.checkpoint)}
            encoded, truth = [self.encoded[i] for i in test], [self.truth[i] for i in test]
            for when, model in models.items():
                found = {
                    "nothing": model.scored(None, encoded, truth)[0],
                    "speaker": model.grouped(speakers, test)[0],
                }
                for what, score in found.items():
                    results.setdefault(f"{when}, {what}", []).append(score)
        return {key: _mean(scores) for key, scores in results.items()}

    def with_model(self, checkpoint: Checkpoint) -> "Left":
        """The same clips with another model on the same encoder."""
        other = copy.copy(self)
        other.checkpoint, other.recognizer = checkpoint, Recognizer(checkpoint)
        return other

    def _teachers(self, each: int) -> tuple[list[int], set[str]] | None:
        """Clips of one or, where one has too few, two or more speakers, drawn at random."""
        voices: set[str] = set()
        for speaker in self.rng.permutation(sorted({c.example.speaker for c in self.clips})):
            voices.add(str(speaker))
            own = {label: self._of(label, voices) for label in FOUR}
            if all(len(rows) >= each for rows in own.values()):
                drawn = [self.rng.choice(rows, each, replace=False) for rows in own.values()]
                return np.concatenate(drawn).tolist(), voices
        return None

    def _of(self, label: str, voices: set[str]) -> list[int]:
        return [
            i for i, c in enumerate(self.clips) if c.label == label and c.example.speaker in voices
        ]

    def through_lines(self) -> dict[str, float]:
        """UAR of some clips through each line."""
        rows = self.rng.permutation(len(self.clips))[:LINED]
        truth = [self.truth[i] for i in rows]
        results = {}
        for name, change in LINES.items():
            encoded = []
            for i in rows:
                recording = self.clips[i].recording
                changed = Recording(recording.name, change(recording.wave, self.rng))
                encoded += self.recognizer.encode([changed])
            results[name] = self.scored(None, encoded, truth)[0]
        return results


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")


def print_table(title: str, rows: Table) -> None:
    """Corpora in columns, and their mean; over seeds, with the deviation of the mean."""
    names = list(rows)
    print(f"\n## {title}\n\n| | {' | '.join(names)} | mean |\n|{'---|' * (len(names) + 2)}")
    for key in rows[names[0]]:
        values = np.array([rows[name][key] for name in names])  # (corpora, seeds)
        means = np.nanmean(values, axis=0)
        cells = " | ".join(f"{v:.3f}" for v in values.mean(1))
        standard_deviation = f" \u00b1 {means.std(ddof=1):.3f}" if len(means) > 1 else ""
        print(f"| {key} | {cells} | {means.mean():.3f}{standard_deviation} |", flush=True)


def measured(name: str, seed: int) -> dict[str, dict[str, float]]:
    """All that is asked of one model, by table; what is slow, of the first seed alone."""
    kept = _kept / f"{name}-{seed}.json"
    if kept.exists():
        return json.loads(kept.read_text())  # type: ignore[no-any-return]
    left = Left(name, _clips, _config, seed)
    states = {"nothing": left.scored(None)}
    states |= {what: left.grouped(groups) for what, groups in left.groupings().items()}
    tables = {
        "UAR by whose unlabelled clips the statistics are of": {k: v[0] for k, v in states.items()},
        "Expected calibration error": {k: v[1] for k, v in states.items()},
        "UAR by the number of clips of the corpus behind the statistics": left.by_number(),
    }
    if seed == 0:
        tables[f"UAR on other speakers after ten labelled clips for each class, {FIRST}"] = (
            left.adapted()
        )
        tables[f"UAR on degraded recordings, {LINED} clips of each corpus, plain, {FIRST}"] = (
            left.through_lines()
        )
    write(kept, json.dumps(tables))
    return tables


_clips: list[Clip]
_config: Config
_kept: Path


def _load(corpora: Path, recipe: Path, kept: Path) -> None:
    """Of each worker, once."""
    global _clips, _config, _kept
    _kept = kept
    torch.set_num_threads(1)
    _config = read_config(recipe)
    sources = [f"{name}:{corpora / name}" for name in (*TESTED, *ALWAYS)]
    _clips = load_clips(pool(sources, _config.labels).examples)


def main() -> None:
    """Train, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/default.toml"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kept", type=Path, default=Path("runs/unseen"))
    chosen = parser.parse_args()
    jobs = [(name, seed) for seed in range(chosen.seeds) for name in TESTED]
    tables: dict[str, Table] = {}
    context = multiprocessing.get_context("spawn")
    given = chosen.corpora, chosen.recipe, chosen.kept
    with ProcessPoolExecutor(chosen.workers, context, _load, given) as workers:
        for (name, seed), told in zip(
            jobs, workers.map(measured, *zip(*jobs, strict=True)), strict=True
        ):
            for title, rows in told.items():
                table = tables.setdefault(title, {}).setdefault(name, {})
                for key, value in rows.items():
                    table.setdefault(key, []).append(value)
            print(f"{name}, seed {seed}: done", file=sys.stderr, flush=True)
    about = (__doc__ or "").split("\n\n", 3)[3].strip()
    print(f"# Corpora left out\n\n{about}\n\n{chosen.seeds} seeds; {DRAWS} draws each of what")
    print("is drawn; \u00b1 of the mean over seeds.")
    for title, table in tables.items():
        print_table(title, table)


if __name__ == "__main__":
    main()
