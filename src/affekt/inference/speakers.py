"""Who speaks: the voices on one channel of a recording, told apart.

Utterances are clustered by the cosine of their voice embeddings (agglomerative, average linkage,
weighted by duration). Voice embeddings carry some emotion, so that an angry and a sad utterance of
one speaker may look like two voices, and a wrong split is worse for emotion recognition than none:
the threshold is on the side of one speaker (``results/conversations.md``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIKENESS = 0.27  # least mean cosine of two groups of utterances of one voice
LEAST_SPEECH = 4.0  # s of a voice; less is given to the nearest other
CLUSTERED = 600.0  # s of speech that are clustered; later utterances are assigned

SpeakerCount = int | Literal["auto"]
Embeddings = NDArray[np.float64]  # (utterances, dim), rows of unit length
Indices = NDArray[np.intp]


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
        ValueError: There is no utterance, or `speakers` is below 1.
    """
    if len(embeddings) == 0:
        raise ValueError("no utterance: there is no speaker to find")
    if speakers != "auto" and speakers < 1:
        raise ValueError(f"speakers is {speakers}; it must be at least 1, or 'auto'")
    weights = np.asarray(seconds, np.float64)
    clustered = max(1, int(np.searchsorted(np.cumsum(weights), CLUSTERED, "right")))
    groups = _clustered(embeddings[:clustered], weights[:clustered], speakers)
    if speakers == "auto":
        groups = _without_short(groups, embeddings, weights)
    groups = _by_first(groups)
    centroids = _centroids(groups, embeddings, weights)
    later = (embeddings[clustered:] @ centroids.T).argmax(1)
    return Speakers(np.concatenate([groups, later]), centroids)


def _clustered(embeddings: Embeddings, weights: Embeddings, speakers: SpeakerCount) -> Indices:
    """Group ``(utterances,)`` of each utterance; groups are merged until none are alike.

    Args:
        embeddings: Of the utterances.
        weights: Of the utterances, ``(utterances,)``.
        speakers: Number of groups at the end, or "auto" to merge those above the threshold.
    """
    groups, weights = np.arange(len(embeddings)), weights.copy()
    likeness = embeddings @ embeddings.T
    np.fill_diagonal(likeness, -np.inf)
    for number in range(len(groups), 1, -1):
        into, merged = divmod(int(likeness.argmax()), len(groups))
        unlike = likeness[into, merged] < LIKENESS
        if unlike if speakers == "auto" else number <= speakers:
            break
        share = weights[into] / (weights[into] + weights[merged])
        mean = share * likeness[into] + (1 - share) * likeness[merged]
        likeness[into] = likeness[:, into] = mean
        likeness[merged] = likeness[:, merged] = likeness[into, into] = -np.inf
        weights[into] += weights[merged]
        groups[groups == merged] = into
    return groups


def _without_short(groups: Indices, embeddings: Embeddings, weights: Embeddings) -> Indices:
    """Give the utterances of groups with little speech to the nearest other group.

    Args:
        groups: Of the first utterances.
        embeddings: Of all utterances.
        weights: Seconds of all utterances.
    """
    while True:
        groups = _by_first(groups)
        speech = np.bincount(groups, weights[: len(groups)])
        if len(speech) == 1 or speech.min() >= LEAST_SPEECH:
            return groups
        likeness = embeddings[: len(groups)] @ _centroids(groups, embeddings, weights).T
        least = int(speech.argmin())
        likeness[:, least] = -np.inf
        groups = np.where(groups == least, likeness.argmax(1), groups)


def _by_first(groups: Indices) -> Indices:
    """Groups numbered from 0 on in the order of their first utterance."""
    _, first, own = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[own]


def _centroids(groups: Indices, embeddings: Embeddings, weights: Embeddings) -> Embeddings:
    """Weighted mean of the embeddings of each group ``(groups, dim)``, of unit length.

    Args:
        groups: Of the first utterances, from 0 on.
        embeddings: Of all utterances.
        weights: Of all utterances.
    """
    members = np.eye(int(groups.max()) + 1)[groups].T * weights[: len(groups)]
    sums = members @ embeddings[: len(groups)]
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12))
