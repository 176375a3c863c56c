"""Who speaks on one channel, and what it is worth: conversations made from left-out corpora.

    python benchmarks/conversations.py CORPORA > results/conversations.md

The conversations are made from clips of six acted corpora: each has one to four voices of one
corpus, 15 clips of each on average, in turns of one to four clips with random pauses of 0.2 to
1.5 s. The clips of a turn have one emotion in half of the turns, and otherwise each its own. The
utterances are those that voice activity detection finds in the joined audio, so that some have two
voices. These are real voices with played emotions, but no real conversations: nobody interrupts or
answers, and clips of one speaker may share a microphone that others of the corpus had not.

For each corpus the mean voice, the directions of emotion, the threshold of likeness and the head
are of the other five.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from voice_weights import emotion_directions, speech

from affekt.audio.recording import make_recording
from affekt.audio.segmentation import SAMPLE_RATE
from affekt.audio.vad import split_recordings
from affekt.corpora.combine import pool
from affekt.inference import speakers
from affekt.inference.classifier import EncodedRecording
from affekt.inference.normalisation import NormalisationStatistics
from affekt.inference.recognizer import Recognizer, load
from affekt.metrics import uar
from affekt.nn.emotion_model import Statistics
from affekt.nn.voice_encoder import raw_embeddings, without_emotion
from affekt.recipe import read_config
from affekt.training.clips import Clip, load_clips

FOUR = ("anger", "happiness", "neutral", "sadness")
TESTED = ("emodb", "casia", "nemo", "turev", "tess", "emovo")
RECORDINGS = {1: 2, 2: 2, 3: 1, 4: 1}  # number of voices: recordings of a corpus
CLIPS = 15  # of each voice
SHORT = 6  # utterances of each voice in the first part of a recording
EACH = 12  # clips of each speaker and emotion
PAUSE = (0.2, 1.5)  # s
THRESHOLDS = (0.50, 0.54, 0.58, 0.62, 0.66)  # of `speakers.ALIKE`
DRAWS = 500  # of the bootstrap
Groups = NDArray[np.intp]
ROWS = (
    "nothing known",
    "the whole recording",
    "voices found",
    "voices found, their number known",
    "voices known",
    "voices found, not drawn to the recording",
    "voices known, not drawn to the recording",
)


@dataclass
class Turn:
    """A clip in a conversation: start and end in s, its speaker and emotion."""

    start: float
    end: float
    speaker: str
    label: str


@dataclass
class Conversation:
    """A recording of several voices, and its utterances as they were found.

    Attributes:
        turns: What is in it.
        spans: ``(utterances, 2)``, start and end of the utterances, in s.
        voices: ``(utterances, 192)``, raw embeddings.
        encoded: The utterances for the model.
    """

    turns: list[Turn]
    spans: NDArray[np.float64]
    voices: NDArray[np.float64]
    encoded: list[EncodedRecording]

    @property
    def overlap(self) -> NDArray[np.float64]:
        """Seconds ``(utterances, turns)`` that an utterance and a turn share."""
        times = np.array([(t.start, t.end) for t in self.turns])
        start = np.maximum(self.spans[:, :1], times[:, 0])
        return np.maximum(0, np.minimum(self.spans[:, 1:], times[:, 1]) - start)

    def of_longest(self, attribute: str) -> NDArray[np.str_]:
        """Speaker or label of each utterance; of several turns in it, of the longest."""
        return np.array([getattr(self.turns[i], attribute) for i in self.overlap.argmax(1)])

    @property
    def number(self) -> int:
        """Number of voices."""
        return len({turn.speaker for turn in self.turns})

    def first(self, utterances: int) -> "Conversation":
        """The first utterances."""
        n = utterances
        return Conversation(self.turns, self.spans[:n], self.voices[:n], self.encoded[:n])

    def wrong(self, groups: Groups) -> tuple[float, float]:
        """Seconds that a speaker has wrongly, voices and groups matched best, and all seconds."""
        names = [turn.speaker for turn in self.turns]
        each = np.array([np.array(names) == name for name in sorted(set(names))], float)
        shared = each @ self.overlap.T @ np.eye(int(groups.max()) + 1)[groups]
        right = shared[linear_sum_assignment(-shared)].sum()
        return float(shared.sum() - right), float(shared.sum())


def drawn(clips: Sequence[Clip], voices: int, rng: np.random.Generator) -> list[int]:
    """Indices of the clips of a conversation, in their order."""
    names = rng.choice(sorted({c.example.speaker for c in clips}), voices, replace=False)
    order: list[int] = []
    last = None
    while len(order) < CLIPS * voices:
        last = rng.choice([name for name in names if name != last or voices == 1])
        labels = sorted({c.label for c in clips if c.example.speaker == last})
        label, one_emotion = rng.choice(labels), rng.random() < 0.5
        for _ in range(rng.integers(1, 5)):
            label = label if one_emotion else rng.choice(labels)
            own = [i for i, c in enumerate(clips) if (c.example.speaker, c.label) == (last, label)]
            order.append(int(rng.choice([i for i in own if i not in order] or own)))
    return order


def conversation(
    clips: Sequence[Clip], waves: Sequence[NDArray[np.float32]], order: Sequence[int],
    rng: np.random.Generator, recognizer: Recognizer,
) -> Conversation:  # fmt: skip
    """Join clips to a recording; find, embed and encode its utterances."""
    parts, turns, now = [], [], 0
    for i in order:
        pause = np.zeros(round(rng.uniform(*PAUSE) * SAMPLE_RATE), np.float32)
        start, end = now + len(pause), now + len(pause) + len(waves[i])
        speaker, label = clips[i].example.speaker, clips[i].label
        turns.append(Turn(start / SAMPLE_RATE, end / SAMPLE_RATE, speaker, label))
        parts += [pause, waves[i]]
        now = end
    [found] = split_recordings([np.concatenate(parts)])
    return Conversation(
        turns,
        np.array([(u.start, u.end) for u in found]),
        raw_embeddings([u.wave for u in found]),
        recognizer.encode([make_recording("conversation", u.wave) for u in found]),
    )


class Corpus:
    """Clips of one corpus, encoded, and the conversations made from them."""

    def __init__(self, clips: Sequence[Clip], recognizer: Recognizer) -> None:
        waves, rng = speech([c.recording for c in clips]), np.random.default_rng(0)
        recordings = [make_recording("clip", wave) for wave in waves]
        self.clips = recognizer.encode(recordings)
        self.labels = np.array([c.label for c in clips])
        self.speakers = np.array([c.example.speaker for c in clips])
        self.conversations = [
            conversation(clips, waves, drawn(clips, voices, rng), rng, recognizer)
            for voices, number in RECORDINGS.items()
            if voices <= len(set(self.speakers))
            for _ in range(number)
        ]

    def joined(self, attribute: str) -> NDArray[np.str_]:
        """Speaker or label of the utterances of all conversations."""
        return np.concatenate([c.of_longest(attribute) for c in self.conversations])


class Voices:
    """What telling voices apart has from corpora other than the tested one."""

    def __init__(self, others: Sequence[Corpus]) -> None:
        raw = [np.concatenate([c.voices for c in corpus.conversations]) for corpus in others]
        self._mean = np.mean([found.mean(0) for found in raw], axis=0)
        names = [corpus.joined("speaker") for corpus in others]
        self._emotion = emotion_directions(raw, names, [c.joined("label") for c in others])
        talks = [c for corpus in others for c in corpus.conversations]

        def errors(threshold: float) -> float:
            shares = [np.divide(*c.wrong(self.found(c, "auto", threshold))) for c in talks]
            numbers = [c.number for c in talks]
            return float(np.mean([np.mean(np.array(shares)[np.equal(numbers, n)])
                                  for n in RECORDINGS]))  # fmt: skip

        self.threshold = min(THRESHOLDS, key=errors)

    def found(
        self, talk: Conversation, number: speakers.SpeakerCount = "auto", alike: float = 0
    ) -> Groups:
        """The speaker of each utterance."""
        speakers.ALIKE = alike or self.threshold
        embeddings = without_emotion(talk.voices, self._mean, self._emotion)
        durations = talk.spans[:, 1] - talk.spans[:, 0]
        return speakers.tell_apart(embeddings, durations.tolist(), number).of_utterances


class LinearHead:
    """Gaussians with one covariance for all classes; differences between corpora count as noise.

    Trained on the mean embeddings of clips that are normalised by their speaker.
    """

    def __init__(self, others: Sequence[Corpus], recognizer: Recognizer) -> None:
        whole = [recognizer.statistics_of(corpus.clips) for corpus in others]
        mean = torch.stack([s.mean for s in whole]).mean(0)
        variance = torch.stack([s.variance + (s.mean - mean).square() for s in whole]).mean(0)
        self._prior = Statistics(mean.float(), variance.sqrt().float())
        means, covariance = [], 0.0
        for corpus in others:
            x = np.empty((len(corpus.clips), len(mean)))
            for name in set(corpus.speakers):
                own = np.flatnonzero(corpus.speakers == name)
                clips = [corpus.clips[i] for i in own]
                x[own] = self._standard(clips, recognizer.statistics_of(clips))
            centres = np.stack([x[corpus.labels == label].mean(0) for label in FOUR])
            residuals = x - centres[np.searchsorted(FOUR, corpus.labels)]
            covariance = covariance + residuals.T @ residuals / len(x) / len(others)
            means.append(centres)
        centre = np.mean(means, axis=0)
        between = (np.stack(means) - centre).reshape(-1, len(mean))
        covariance = covariance + 2 * between.T @ between / len(between)
        diagonal = 0.4 * np.trace(covariance) / len(mean) * np.eye(len(mean))
        self._weights = np.linalg.solve(0.6 * covariance + diagonal, centre.T)
        self._bias = -0.5 * np.einsum("kd,dk->k", centre, self._weights)

    def _standard(
        self, encoded: Sequence[EncodedRecording], statistics: NormalisationStatistics | None
    ) -> NDArray[np.float64]:
        by = statistics.statistics(self._prior) if statistics else self._prior
        means = torch.stack([one.own.mean(0) for one in encoded])
        return np.asarray(((means - by.mean) / by.sd).double().numpy())

    def __call__(
        self, encoded: Sequence[EncodedRecording], statistics: NormalisationStatistics | None
    ) -> Groups:
        """Index of the class of each utterance."""
        return (self._standard(encoded, statistics) @ self._weights + self._bias).argmax(1)


Model = Callable[[Sequence[EncodedRecording], NormalisationStatistics | None], Groups]


def bundled(recognizer: Recognizer) -> Model:
    """The bundled model, given that the emotion is one of the four."""

    def classes(
        encoded: Sequence[EncodedRecording], statistics: NormalisationStatistics | None
    ) -> Groups:
        told = [recognizer.classify(one, statistics).probabilities for one in encoded]
        return np.array([np.argmax([p[label] for label in FOUR]) for p in told])

    return classes


def told(
    talk: Conversation, groups: Groups, model: Model, recognizer: Recognizer, draw: bool = True
) -> Groups:
    """Classes of the utterances, normalised by groups of them."""
    result = np.empty(len(groups), np.intp)
    whole = recognizer.statistics_of(talk.encoded)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        encoded = [talk.encoded[i] for i in own]
        statistics = recognizer.statistics_of(encoded)
        if draw:
            statistics = speakers.drawn_to_recording(statistics, whole)
        result[own] = model(encoded, statistics)
    return result


def by_row(
    talk: Conversation, voices: Voices, model: Model, recognizer: Recognizer
) -> list[Groups]:
    """Classes of the utterances for each of `ROWS`."""
    found, number = voices.found(talk), voices.found(talk, talk.number)
    known = np.unique(talk.of_longest("speaker"), return_inverse=True)[1]
    one = np.zeros_like(found)
    divided = [told(talk, groups, model, recognizer) for groups in (one, found, number, known)]
    plain = [told(talk, groups, model, recognizer, False) for groups in (found, known)]
    return [model(talk.encoded, None), *divided, *plain]


def mean_uar(talks: Sequence[Sequence[tuple[Groups, Sequence[Groups]]]]) -> NDArray[np.float64]:
    """UAR ``(rows,)`` in the mean of corpora; of each its recordings: truth, classes by row."""
    scores = []
    for corpus in talks:
        truth = np.concatenate([t for t, _ in corpus])
        rows = [np.concatenate(row) for row in zip(*(r for _, r in corpus), strict=True)]
        scores.append([uar(truth, row) for row in rows])
    return np.mean(scores, axis=0)


def print_uar(talks: dict[int, list[list[tuple[Groups, Sequence[Groups]]]]], title: str) -> None:
    """One table of UAR, number of voices in columns, with intervals of differences below."""
    columns = {f"{n}": talks[n] for n in talks}
    many = [[t for n in talks if n > 1 for corpus in talks[n][i : i + 1] for t in corpus]
            for i in range(len(talks[1]))]  # fmt: skip
    columns["2 to 4"] = many
    scores = {name: mean_uar([c for c in of if c]) for name, of in columns.items()}
    print(f"\n### {title}\n\n| statistics | {' | '.join(scores)} |\n|{'---|' * (len(scores) + 1)}")
    for i, row in enumerate(ROWS):
        print(f"| {row} | {' | '.join(f'{s[i]:.3f}' for s in scores.values())} |")
    rng, draws = np.random.default_rng(0), []
    for _ in range(DRAWS):
        draws.append(mean_uar([[c[i] for i in rng.integers(len(c), size=len(c))] for c in many]))
    differences = np.array(draws)
    for a, b in ((2, 1), (4, 2)):
        low, high = np.percentile(differences[:, a] - differences[:, b], (2.5, 97.5))
        gain = scores["2 to 4"][a] - scores["2 to 4"][b]
        print(f"\n2 to 4 voices, {ROWS[a]} less {ROWS[b]}: {gain:+.3f} [{low:+.3f}, {high:+.3f}].")


def print_voices(corpora: dict[str, Corpus], voices: dict[str, Voices]) -> None:
    """The table of how well voices are told apart."""
    print("\n## Telling voices apart\n")
    print(
        "| voices | recordings | error | error, number known | error of whole utterances |", end=""
    )
    print(" number found | right number |\n|---|---|---|---|---|---|---|")
    for number in RECORDINGS:
        talks = [(v, t) for v, c in corpora.items() for t in c.conversations if t.number == number]
        found = [voices[v].found(t) for v, t in talks]
        given = [voices[v].found(t, number) for v, t in talks]
        best = [np.unique(t.of_longest("speaker"), return_inverse=True)[1] for _, t in talks]
        cells = [
            np.sum([t.wrong(g) for (_, t), g in zip(talks, groups, strict=True)], axis=0)
            for groups in (found, given, best)
        ]
        errors = " | ".join(f"{wrong / all:.1%}" for wrong, all in cells)
        counts = np.array([g.max() + 1 for g in found])
        right = f"{(counts == number).sum()} of {len(counts)}"
        print(f"| {number} | {len(talks)} | {errors} | {counts.mean():.2f} | {right} |")
    chosen = ", ".join(f"{v.threshold} ({name})" for name, v in voices.items())
    print(f"\nThreshold of likeness chosen on the other corpora: {chosen}.")


def main() -> None:
    """Make, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recognizer, names = load(), read_config(Path("recipes/default.toml")).labels
    examples = pool([f"{name}:{chosen.corpora / name}" for name in TESTED], names).examples
    corpora = {}
    for name in TESTED:
        own = [e for e in examples if e.corpus == name and e.label in FOUR]
        cells: dict[tuple[str, str], list] = {}
        for i in np.random.default_rng(0).permutation(len(own)):
            cells.setdefault((own[i].speaker, own[i].label), []).append(own[i])
        corpora[name] = Corpus(
            load_clips([e for c in cells.values() for e in c[:EACH]]), recognizer
        )
        print(f"{name}: made", file=sys.stderr, flush=True)
    others = {name: [c for n, c in corpora.items() if n != name] for name in TESTED}
    voices = {name: Voices(others[name]) for name in TESTED}
    heads = {name: LinearHead(others[name], recognizer) for name in TESTED}
    about = (__doc__ or "").replace("    python", "`python").replace(".md\n", ".md`\n", 1)
    print("# Conversations on one channel\n\n" + about.split("\n\n", 1)[1].strip())
    print(NOTES)
    print_voices(corpora, voices)
    model = bundled(recognizer)
    blind = "linear head that never saw the tested corpus"
    seen = "bundled model, which was trained on these corpora except EMOVO"
    print(
        "\n## UAR of four emotions\n\nMean of the corpora, of which TESS has two voices only; "
        "columns: number of voices."
    )
    for short in (False, True):
        part = f", the first {SHORT} utterances of each voice" if short else ""
        models = ((blind, heads), (seen, dict.fromkeys(TESTED, model)))
        for title, of in models[: 1 if short else 2]:
            tables: dict[int, list[list[tuple[Groups, Sequence[Groups]]]]] = {}
            for number in RECORDINGS:
                tables[number] = []
                for name, corpus in corpora.items():
                    talks = [t for t in corpus.conversations if t.number == number]
                    talks = [t.first(SHORT * number) if short else t for t in talks]
                    tables[number].append(
                        [
                            (
                                np.searchsorted(FOUR, t.of_longest("label")),
                                by_row(t, voices[name], of[name], recognizer),
                            )
                            for t in talks
                        ]
                    )
            print_uar(tables, f"{title[0].upper()}{title[1:]}{part}")
            print(f"{title}{part}: done", file=sys.stderr, flush=True)


NOTES = """
- Error: share of the speech in utterances that is given to a wrong speaker, voices and found
  speakers matched one to one as well as possible (the speaker confusion of a diarisation error
  rate; speech that no utterance has is not counted). An utterance has one speaker; "error of whole
  utterances" is what is left if each has the speaker who says most of it.
- Speakers are drawn to the recording: in the statistics of a speaker, those of the whole recording
  count as 80 segments. That number, the method and the other thresholds were found on simpler
  conversations of the same six corpora, so that they are not blind; the results hardly change
  between 40 and 320 segments.
- Intervals are a bootstrap over the recordings of each corpus."""


if __name__ == "__main__":
    main()
