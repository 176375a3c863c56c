"""Check of a corpus before training: unreadable and repeated clips, and what predicts the class."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from ...audio.recording import Recording
from ...corpora.corpus import Corpus
from ...corpora.parts import read_examples
from ...corpora.registry import CORPORA
from ...corpora.splits import anonymous
from ...errors import AudioError
from ...plural import counted
from ...progress import Event, Report, silent
from ...types import Example

CONFOUNDED = 0.5  # a probe is serious if its UAR is above the mean of chance and 1
RMS_FLOOR = 1e-6


@dataclass(frozen=True)
class Check:
    """The result of `check`.

    Attributes:
        corpus: The corpus.
        seconds: Duration of each readable clip, by id.
        sampling_rates: Number of clips by sampling rate in Hz.
        unreadable: Reason by id of each clip that cannot be read.
        warnings: Ids of clips with a warning, by its code (silent, clipped, short, ...).
        duplicates: Groups of ids whose samples are equal.
        official: Class, number of clips found and number published, where they differ.
        probes: How well speaker, length and level alone predict the class.
    """

    corpus: Corpus
    seconds: Mapping[str, float]
    sampling_rates: Mapping[float, int]
    unreadable: Mapping[str, str]
    warnings: Mapping[str, Sequence[str]]
    duplicates: Sequence[Sequence[str]]
    official: Sequence[tuple[str, int, int]]
    probes: Mapping[str, "Probe"] = field(default_factory=dict)

    @property
    def serious(self) -> list[str]:
        """Sentences on what invalidates a score; empty if nothing was found."""
        found = list(confounded(self.probes).values())
        if self.unreadable:
            found.append(f"{counted(len(self.unreadable), 'clip')} cannot be read")
        label = {e.id: (e.label, e.speaker) for e in self.corpus.examples}
        if conflicts := [g for g in self.duplicates if len({label[i] for i in g}) > 1]:
            recordings = counted(len(conflicts), "recording")
            found.append(f"{recordings} with several labels or speakers")
        return found


@dataclass(frozen=True)
class Probe:
    """Score of predicting the class from one property other than emotion.

    Attributes:
        uar: Unweighted average recall.
        chance: UAR of guessing: one over the number of classes.
    """

    uar: float
    chance: float

    @property
    def normalised(self) -> float:
        """UAR scaled so that chance is 0 and a perfect prediction is 1."""
        return (self.uar - self.chance) / (1 - self.chance)


def check(corpus: Corpus, report: Report = silent) -> Check:
    """Decode every clip of a corpus and check it; clips that cannot be read are listed.

    Args:
        corpus: The corpus.
        report: Called after each clip.
    """
    by_samples: dict[str, list[str]] = defaultdict(list)
    seconds: dict[str, float] = {}
    level: dict[str, float] = {}
    sampling_rates: Counter[float] = Counter()
    unreadable: dict[str, str] = {}
    warnings: dict[str, list[str]] = defaultdict(list)
    for done, (index, recording) in enumerate(read_examples(corpus.examples), 1):
        example = corpus.examples[index]
        if isinstance(recording, AudioError):
            unreadable[example.id] = str(recording)
        else:
            by_samples[hashlib.sha256(recording.wave.tobytes()).hexdigest()].append(example.id)
            seconds[example.id] = recording.seconds
            level[example.id] = rms_level(recording)
            sampling_rates[recording.sampling_rate] += 1
            for warning in recording.warnings:
                warnings[warning.code].append(example.id)
        report(Event("check recordings", done, len(corpus.examples)))
    readable = [e for e in corpus.examples if e.id in seconds]
    return Check(
        corpus,
        seconds,
        dict(sorted(sampling_rates.items())),
        unreadable,
        dict(sorted(warnings.items())),
        [ids for ids in by_samples.values() if len(ids) > 1],
        _against_official(corpus),
        probes(readable, [seconds[e.id] for e in readable], [level[e.id] for e in readable]),
    )


def probes(
    examples: Sequence[Example], seconds: Sequence[float], levels: Sequence[float]
) -> dict[str, Probe]:
    """How well speaker, length and level alone predict the class.

    Args:
        examples: Examples of at least two classes.
        seconds: Duration of each.
        levels: RMS level of each in dB.

    Returns:
        A probe for each property; none of the speaker where speakers are unknown.
    """
    known = {} if anonymous(examples) else {"the speaker": speaker_probe(examples)}
    return known | {
        "the length of a clip": value_probe(examples, seconds),
        "the level of a clip": value_probe(examples, levels),
    }


def confounded(probes: Mapping[str, Probe]) -> dict[str, str]:
    """A sentence on each property that predicts the class too well, by its name."""
    return {
        name: f"{name} alone predicts the class: UAR {probe.uar:.2f}, chance {probe.chance:.2f}"
        for name, probe in probes.items()
        if probe.normalised > CONFOUNDED
    }


def speaker_probe(examples: Sequence[Example]) -> Probe:
    """Predict for each speaker the class that he or she has most often.

    A speaker is in one fold only, so there is no cross-validation. The score is what a model can
    reach that recognises known speakers.
    """
    by_speaker: dict[str, Counter[str]] = defaultdict(Counter)
    for e in examples:
        by_speaker[e.speaker][e.label] += 1
    most_common = {s: counts.most_common(1)[0][0] for s, counts in by_speaker.items()}
    return _probe([e.label for e in examples], [most_common[e.speaker] for e in examples])


def value_probe(examples: Sequence[Example], values: Sequence[float]) -> Probe:
    """Predict the class from one number of each clip: a small tree, tested on unseen speakers."""
    targets = [e.label for e in examples]
    groups = [e.speaker for e in examples]
    if len(set(groups)) < 2:
        return Probe(float("nan"), 1 / len(set(targets)))
    tree = DecisionTreeClassifier(max_depth=4, class_weight="balanced", random_state=0)
    column = np.array(values)[:, None]
    return _probe(
        targets, cross_val_predict(tree, column, targets, groups=groups, cv=LeaveOneGroupOut())
    )


def _probe(targets: Sequence[str], predicted: Iterable[str]) -> Probe:
    return Probe(float(balanced_accuracy_score(targets, list(predicted))), 1 / len(set(targets)))


def rms_level(recording: Recording) -> float:
    """RMS level in dB."""
    return float(20 * np.log10(max(np.sqrt(np.mean(recording.wave**2)), RMS_FLOOR)))


def _against_official(corpus: Corpus) -> list[tuple[str, int, int]]:
    known = CORPORA.get(corpus.name)
    if known is None or not known.counts:
        return []
    found = Counter(e.label for e in corpus.examples)
    return [(c, found[c], n) for c, n in sorted(known.counts.items()) if found[c] != n]


def class_table(corpus: Corpus) -> dict[str, Counter[str]]:
    """Number of clips of each class, by speaker."""
    table: dict[str, Counter[str]] = {s: Counter() for s in corpus.speakers}
    for e in corpus.examples:
        table[e.speaker][e.label] += 1
    return table


def abridged(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, and the number of the others."""
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
