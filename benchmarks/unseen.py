"""Scores of the default recipe on unseen corpora, and on degraded recordings of them.

python benchmarks/unseen.py CORPORA [--seeds N --workers N] > results/unseen.md

Each of five corpora in turn is left out of training, and all of it is tested on four classes:
without normalisation ("plain"), with statistics of its own unlabelled clips ("source"; 1 to all of
them, mixed and skewed; of each speaker; of a speaker's neutral clips), after adaptation to ten
labelled clips for each class of one of its speakers (or as many speakers as needed), and on
degraded recordings. There is one model for each left-out corpus.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affekt.audio.resampling import Wave
from affekt.config import Config
from affekt.corpora.combine import pool
from affekt.inference.classifier import EncodedRecording
from affekt.inference.normalisation import NormalisationStatistics
from affekt.inference.recognizer import Recognizer
from affekt.metrics import calibration_error, uar
from affekt.nn.checkpoint import Checkpoint
from affekt.nn.emotion_model import prepare
from affekt.nn.encoders.weights import cache_folder
from affekt.recipe import read_config
from affekt.training import degradation
from affekt.training.adapt import adapt
from affekt.training.clips import Clip, load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import train

FOUR = ("anger", "happiness", "neutral", "sadness")
TESTED = ("emodb", "casia", "nemo", "turev", "urdu")
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
        waves, spans = prepare(recordings, self.config)
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

    def by_speaker(self, neutral: int = 0) -> tuple[float, float]:
        """UAR and calibration error where each speaker is a source.

        Args:
            neutral: Of how many neutral clips the statistics are, which are not tested then; or
                0, of all clips.
        """
        told, right = [], []
        for voice in sorted({c.example.speaker for c in self.clips}):
            rows = [i for i, c in enumerate(self.clips) if c.example.speaker == voice]
            encoded = rows
            if neutral:
                calm = self.rng.permutation([i for i in rows if self.truth[i] == "neutral"])
                encoded = calm[:neutral].tolist()
                rows = [i for i in rows if i not in set(encoded)]
            if len(encoded) < neutral or not rows:
                continue
            source = replace(self.source(encoded), neutral=neutral > 0)
            told.append(self.probabilities([self.encoded[i] for i in rows], source))
            right += [FOUR.index(self.truth[i]) for i in rows]
        if not told:
            return float("nan"), float("nan")
        p, truth = np.concatenate(told), np.array(right)
        return uar(truth, p.argmax(1)), calibration_error(p, truth)

    def by_number(self) -> dict[str, float]:
        """UAR by how many unlabelled clips the statistics are of; all of one class at the end."""
        everything = np.arange(len(self.clips))
        results = {"0": self.scored(None)[0]}
        for number in (1, 3, 10, 30, 100):
            draws = (self.rng.choice(everything, number, replace=False) for _ in range(DRAWS))
            results[str(number)] = _mean(self.scored(self.source(d.tolist()))[0] for d in draws)
        results["all"] = self.scored(self.source(everything.tolist()))[0]
        results["all of each speaker"] = self.by_speaker()[0]
        for number in (1, 5):
            results[f"{number} of each speaker, neutral"] = self.by_speaker(number)[0]
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
        """UAR on the other speakers, before and after `each` clips per class of two speakers."""
        before, known, after = [], [], []
        for _ in range(DRAWS):
            taught = self._teachers(each)
            if taught is None:
                continue
            rows, voices = taught
            test = [i for i, c in enumerate(self.clips) if c.example.speaker not in voices]
            encoded, truth = [self.encoded[i] for i in test], [self.truth[i] for i in test]
            new = adapt(self.checkpoint, [self.clips[i] for i in rows], self.cache, "adapted")
            told = Recognizer(new.checkpoint)
            given = [told.classify(h).probabilities for h in encoded]
            labels = [max(p, key=p.__getitem__) for p in given]
            before.append(self.scored(None, encoded, truth)[0])
            known.append(self.scored(self.source(rows), encoded, truth)[0])
            after.append(uar(truth, labels))
        return {
            "before": _mean(before),
            "statistics of these clips": _mean(known),
            "adapted": _mean(after),
        }

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
                changed = replace(recording, wave=change(recording.wave, self.rng))
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
    left = Left(name, _clips, _config, seed)
    whole = left.source(range(len(left.clips)))
    tables = {
        "UAR by the unlabelled clips behind the statistics": left.by_number(),
        "Expected calibration error": {
            "recording by recording": left.scored(None)[1],
            "the corpus a source": left.scored(whole)[1],
            "each speaker a source": left.by_speaker()[1],
        },
    }
    if seed == 0:
        tables[f"UAR on other speakers after ten labelled clips for each class, {FIRST}"] = (
            left.adapted()
        )
        tables[f"UAR on degraded recordings, {LINED} clips of each corpus, plain, {FIRST}"] = (
            left.through_lines()
        )
    return tables


_clips: list[Clip]
_config: Config


def _load(corpora: Path, recipe: Path) -> None:
    """Of each worker, once."""
    global _clips, _config
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
    chosen = parser.parse_args()
    jobs = [(name, seed) for seed in range(chosen.seeds) for name in TESTED]
    tables: dict[str, Table] = {}
    context = multiprocessing.get_context("spawn")
    given = chosen.corpora, chosen.recipe
    with ProcessPoolExecutor(chosen.workers, context, _load, given) as workers:
        for (name, seed), told in zip(
            jobs, workers.map(measured, *zip(*jobs, strict=True)), strict=True
        ):
            for title, rows in told.items():
                table = tables.setdefault(title, {}).setdefault(name, {})
                for key, value in rows.items():
                    table.setdefault(key, []).append(value)
            print(f"{name}, seed {seed}: done", file=sys.stderr, flush=True)
    about = (__doc__ or "").split("\n\n", 2)[2].strip()
    print(f"# Corpora left out\n\n{about}\n\n{chosen.seeds} seeds; {DRAWS} draws each of what")
    print("is drawn; \u00b1 of the mean over seeds.")
    for title, table in tables.items():
        print_table(title, table)


if __name__ == "__main__":
    main()
