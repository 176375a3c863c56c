"""Who speaks: the voices on one channel of a recording, told apart.

Utterances are clustered by the cosine of their voice embeddings (agglomerative, average linkage,
weighted by duration) as far as they are certainly alike. Then groups are merged by how alike they
are relative to the utterances within each: short utterances and changing emotions make both less
alike. A wrong split is worse for emotion recognition than none, so that doubtful groups are one
speaker (``results/conversations.md``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .normalisation import NormalisationStatistics

CERTAIN = 0.4  # mean cosine of two groups from which on they are one voice
ALIKE = 0.58  # likeness of two groups relative to that within them, from which on they are one
WITHIN = 0.45  # mean cosine of two utterances of one voice, where a group has few
PAIRS = 5  # pairs of utterances that `WITHIN` counts as
LEAST_SPEECH = 4.0  # s of a voice; less is given to the nearest other
RECORDING = 80  # segments that the whole recording counts as, in the statistics of a speaker
MOST = 20  # speakers of a channel; a larger number is taken for a mistake
CLUSTERED = 600.0  # s of speech that are clustered; later utterances are assigned

SpeakerCount = int | Literal["auto"]
Embeddings = NDArray[np.float64]  # (utterances, dim), rows of unit length
Indices = NDArray[np.intp]


def check_speakers(speakers: SpeakerCount) -> None:
    """Raise `ValueError` unless a number of speakers is 1 to `MOST`, or "auto"."""
    if speakers != "auto" and not 1 <= speakers <= MOST:
        raise ValueError(f"speakers is {speakers}; it must be 1 to {MOST}, or 'auto'")


@dataclass(frozen=True)
class Speakers:
    """The voices of one channel.

    Attributes:
        of_utterances: Speaker ``(utterances,)`` of each utterance, from 0 on in the order in which
            they first speak.
        centroids: Mean voice ``(speakers, dim)`` of each speaker, of unit length.
    """

    of_utterances: Indices
    centroids: Embeddings

    @property
    def number(self) -> int:
        """Number of speakers."""
        return len(self.centroids)

    def assign(self, embedding: ArrayLike) -> int:
        """The speaker whose voice is nearest to the embedding ``(dim,)`` of an utterance."""
        return int((self.centroids @ np.asarray(embedding)).argmax())


def tell_apart(
    embeddings: Embeddings, seconds: Sequence[float], speakers: SpeakerCount = "auto"
) -> Speakers:
    """Find the speakers of the utterances of one channel.

    Args:
        embeddings: ``(utterances, dim)`` from `affekt.nn.voice_encoder.voice_embeddings`, in the
            order of the utterances.
        seconds: Duration of each utterance.
        speakers: Number of speakers, or "auto" to find it; in doubt it is one.

    Raises:
        ValueError: There is no utterance, or there are not 1 to `MOST` speakers.
    """
    if len(embeddings) == 0:
        raise ValueError("no utterance: there is no speaker to find")
    check_speakers(speakers)
    durations = np.asarray(seconds, np.float64)
    number = max(1, int(np.searchsorted(np.cumsum(durations), CLUSTERED, "right")))
    own, weights = embeddings[:number], durations[:number]
    least, alike = (1, ALIKE) if speakers == "auto" else (speakers, -np.inf)
    groups = _without_short(_clustered(own, weights), own, weights, least)
    if groups.max() + 1 < least:  # speakers who are certainly alike, or say little
        groups = _by_first(_clustered(own, weights, least))
    groups = _by_first(_merged(groups, own, weights, least, alike))
    centroids = _centroids(groups, own, weights)
    later = (embeddings[number:] @ centroids.T).argmax(1)
    return Speakers(np.concatenate([groups, later]), centroids)


def drawn_to_recording(
    speaker: NormalisationStatistics, recording: NormalisationStatistics
) -> NormalisationStatistics:
    """Statistics of a speaker, drawn to those of all speakers of the recording.

    The recording counts as `RECORDING` segments, so that a speaker who says little, or shows one
    emotion only, is normalised nearly as the whole recording, and an error in telling voices apart
    costs little. With a single speaker both are the same.

    Args:
        speaker: Of the utterances of one speaker.
        recording: Of all utterances of the channel.
    """
    weight = min(RECORDING, recording.segments)
    total = speaker.segments + weight
    if not total:
        return speaker
    share = weight / total
    mean = (1 - share) * speaker.mean + share * recording.mean
    own = speaker.variance + (speaker.mean - mean).square()
    others = recording.variance + (recording.mean - mean).square()
    variance = (1 - share) * own + share * others
    shares = speaker.shares
    if shares is not None and recording.shares is not None:
        shares = (1 - share) * shares + share * recording.shares
    segments = min(total, recording.segments)
    return replace(speaker, segments=segments, mean=mean, variance=variance, shares=shares)


def _clustered(embeddings: Embeddings, weights: Embeddings, least: int = 1) -> Indices:
    """Group ``(utterances,)`` of each utterance; those that are certainly alike are merged.

    Args:
        embeddings: Of the utterances.
        weights: Of the utterances, ``(utterances,)``.
        least: Number of groups at the end, whether they are alike or not; 1 if it is not known.
    """
    groups, weights = np.arange(len(embeddings)), weights.copy()
    likeness = embeddings @ embeddings.T
    np.fill_diagonal(likeness, -np.inf)
    for _ in range(len(groups) - least):
        into, merged = divmod(int(likeness.argmax()), len(groups))
        if least == 1 and likeness[into, merged] < CERTAIN:
            break
        share = weights[into] / (weights[into] + weights[merged])
        mean = share * likeness[into] + (1 - share) * likeness[merged]
        likeness[into] = likeness[:, into] = mean
        likeness[merged] = likeness[:, merged] = likeness[into, into] = -np.inf
        weights[into] += weights[merged]
        groups[groups == merged] = into
    return groups


def _without_short(
    groups: Indices, embeddings: Embeddings, weights: Embeddings, least: int
) -> Indices:
    """Give the utterances of groups with little speech to the nearest other group.

    Args:
        groups: Of the utterances.
        embeddings: Of the utterances.
        weights: Their seconds.
        least: Number of groups that are left.
    """
    while True:
        groups = _by_first(groups)
        speech = np.bincount(groups, weights)
        if len(speech) <= least or speech.min() >= LEAST_SPEECH:
            return groups
        likeness = embeddings @ _centroids(groups, embeddings, weights).T
        shortest = int(speech.argmin())
        likeness[:, shortest] = -np.inf
        groups = np.where(groups == shortest, likeness.argmax(1), groups)


def _merged(
    groups: Indices, embeddings: Embeddings, weights: Embeddings, least: int, alike: float
) -> Indices:
    """Merge groups whose likeness, relative to that within them, is high enough.

    Args:
        groups: Of the utterances.
        embeddings: Of the utterances.
        weights: Their seconds.
        least: Number of groups that are left.
        alike: Least relative likeness of groups that are merged.
    """
    while groups.max() + 1 > least:
        likeness = _relative_likeness(groups, embeddings, weights)
        into, merged = divmod(int(likeness.argmax()), len(likeness))
        if likeness[into, merged] < alike:
            break
        groups = _by_first(np.where(groups == merged, into, groups))
    return groups


def _relative_likeness(
    groups: Indices, embeddings: Embeddings, weights: Embeddings
) -> NDArray[np.float64]:
    """Mean cosine between groups, divided by the geometric mean of those within the two groups.

    Args:
        groups: Of the utterances, from 0 on.
        embeddings: Of the utterances.
        weights: Their seconds.

    Returns:
        ``(groups, groups)``, with minus infinity on the diagonal.
    """
    members = np.eye(int(groups.max()) + 1)[groups] * weights[:, None]
    speech, sums = members.sum(0), members.T @ embeddings
    products, own = sums @ sums.T, np.square(members).sum(0)
    pairs = np.bincount(groups) * (np.bincount(groups) - 1) / 2
    cosine = (np.diag(products) - own) / np.maximum(speech**2 - own, 1e-9)  # without themselves
    within = np.maximum((pairs * cosine + PAIRS * WITHIN) / (pairs + PAIRS), 0.05)
    likeness = products / np.outer(speech, speech) / np.sqrt(np.outer(within, within))
    np.fill_diagonal(likeness, -np.inf)
    return np.asarray(likeness)


def _by_first(groups: Indices) -> Indices:
    """Groups numbered from 0 on in the order of their first utterance."""
    _, first, own = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[own]


def _centroids(groups: Indices, embeddings: Embeddings, weights: Embeddings) -> Embeddings:
    """Weighted mean of the embeddings of each group ``(groups, dim)``, of unit length."""
    sums = (np.eye(int(groups.max()) + 1)[groups] * weights[:, None]).T @ embeddings
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12))
