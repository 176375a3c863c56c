"""Look at a corpus before trusting a number from it: what is there, and what would mislead."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from ...audio import decoding
from ...audio.recording import Recording
from ...corpora.corpus import Corpus
from ...corpora.registry import CORPORA
from ...corpora.splits import anonymous
from ...errors import AudioError
from ...progress import Event, Report, silent
from ...types import Example

CONFOUNDED = 0.5  # of the way from chance to certainty that a probe must get to be serious
LEVEL_FLOOR = 1e-6


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        corpus: As loaded.
        seconds: Duration of each readable clip, by id.
        rates: Clips by sampling rate in Hz.
        unreadable: Reason by id.
        warnings: Kinds of oddity (silent, clipped, short, truncated, ...) with the ids.
        duplicates: Groups of ids whose sound is the same, sample by sample.
        official: Class, clips found, clips published; where they differ.
        probes: How far speaker, length or level alone tell the class, by name.
    """

    corpus: Corpus
    seconds: Mapping[str, float]
    rates: Mapping[float, int]
    unreadable: Mapping[str, str]
    warnings: Mapping[str, Sequence[str]]
    duplicates: Sequence[Sequence[str]]
    official: Sequence[tuple[str, int, int]]
    probes: Mapping[str, "Probe"] = field(default_factory=dict)

    @property
    def serious(self) -> list[str]:
        """In words, what forbids trusting a score; empty if nothing was found."""
        found = [
            f"{name} alone tells the class: UAR {probe.uar:.2f}, chance {probe.chance:.2f}"
            for name, probe in self.probes.items()
            if probe.share > CONFOUNDED
        ]
        if self.unreadable:
            found.append(f"{len(self.unreadable)} clips cannot be read")
        label = {u.id: (u.label, u.speaker) for u in self.corpus.examples}
        if torn := [g for g in self.duplicates if len({label[i] for i in g}) > 1]:
            found.append(f"{len(torn)} recordings stand under two labels or speakers")
        return found


@dataclass(frozen=True)
class Probe:
    """A classifier that sees one thing that is not emotion.

    Attributes:
        uar: Its unweighted average recall.
        chance: That of guessing, one over the number of classes.
    """

    uar: float
    chance: float

    @property
    def share(self) -> float:
        """How much of the way from chance to certainty it goes."""
        return (self.uar - self.chance) / (1 - self.chance)


def check(corpus: Corpus, report: Report = silent) -> Check:
    """Decode every clip and look at it.

    Nothing is raised for a clip that cannot be read; it is listed.
    """
    sounds: dict[str, list[str]] = defaultdict(list)
    seconds: dict[str, float] = {}
    level: dict[str, float] = {}
    rates: Counter[float] = Counter()
    unreadable: dict[str, str] = {}
    warnings: dict[str, list[str]] = defaultdict(list)
    for done, example in enumerate(corpus.examples, 1):
        try:
            recording = decoding.read(example.path)
        except AudioError as error:
            unreadable[example.id] = str(error)
        else:
            sounds[hashlib.sha256(recording.wave.tobytes()).hexdigest()].append(example.id)
            seconds[example.id] = recording.seconds
            level[example.id] = loudness(recording)
            rates[recording.sampling_rate] += 1
            for warning in recording.warnings:
                warnings[warning.code].append(example.id)
        report(Event("look at recordings", done, len(corpus.examples)))
    read = [u for u in corpus.examples if u.id in seconds]
    return Check(
        corpus,
        seconds,
        dict(sorted(rates.items())),
        unreadable,
        dict(sorted(warnings.items())),
        [ids for ids in sounds.values() if len(ids) > 1],
        _against_official(corpus),
        probes(read, [seconds[u.id] for u in read], [level[u.id] for u in read]),
    )


def probes(
    examples: Sequence[Example], seconds: Sequence[float], levels: Sequence[float]
) -> dict[str, Probe]:
    """How well the class can be told without hearing an emotion."""
    known = {} if anonymous(examples) else {"the speaker": speaker_probe(examples)}
    return known | {
        "the length of a clip": value_probe(examples, seconds),
        "the level of a clip": value_probe(examples, levels),
    }


def speaker_probe(examples: Sequence[Example]) -> Probe:
    """Who speaks, if each speaker always had the class that he or she has most often.

    Speakers are in no second fold, so this one is not cross-validated: it says how much a
    model that recognises voices could gain on voices that it knows.
    """
    by_speaker: dict[str, Counter[str]] = defaultdict(Counter)
    for u in examples:
        by_speaker[u.speaker][u.label] += 1
    guess = {s: counts.most_common(1)[0][0] for s, counts in by_speaker.items()}
    truth = [u.label for u in examples]
    return _probe(truth, [guess[u.speaker] for u in examples])


def value_probe(examples: Sequence[Example], values: Sequence[float]) -> Probe:
    """One number of each clip, through a small tree that has not seen the clip's speaker."""
    truth = [u.label for u in examples]
    groups = [u.speaker for u in examples]
    if len(set(groups)) < 2:
        return Probe(float("nan"), 1 / len(set(truth)))
    tree = DecisionTreeClassifier(max_depth=4, class_weight="balanced", random_state=0)
    column = np.array(values)[:, None]
    return _probe(
        truth, cross_val_predict(tree, column, truth, groups=groups, cv=LeaveOneGroupOut())
    )


def _probe(truth: Sequence[str], guessed: Iterable[str]) -> Probe:
    return Probe(float(balanced_accuracy_score(truth, list(guessed))), 1 / len(set(truth)))


def loudness(recording: Recording) -> float:
    """RMS in dB."""
    return float(20 * np.log10(max(np.sqrt(np.mean(recording.wave**2)), LEVEL_FLOOR)))


def _against_official(corpus: Corpus) -> list[tuple[str, int, int]]:
    known = CORPORA.get(corpus.name)
    if known is None or not known.counts:
        return []
    found = Counter(u.label for u in corpus.examples)
    return [(c, found[c], n) for c, n in sorted(known.counts.items()) if found[c] != n]


def class_table(corpus: Corpus) -> dict[str, Counter[str]]:
    """Clips of each class, by speaker."""
    table: dict[str, Counter[str]] = {s: Counter() for s in corpus.speakers}
    for u in corpus.examples:
        table[u.speaker][u.label] += 1
    return table


def example(ids: Sequence[str], most: int = 3) -> str:
    """A few of many names."""
    shown = ", ".join(Path(i).name for i in ids[:most])
    return shown + (f" and {len(ids) - most} more" if len(ids) > most else "")
