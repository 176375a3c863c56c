"""Likeness of voices: whether two names may be one speaker.

Clips are encoded by the first layer of the bundled encoder. The covariance of the clips of one name
measures what varies with sentence and emotion; it is divided out. The likeness of two names is the
cosine of their mean embeddings, corrected for the noise of means over few clips.
``results/voice-likeness.md`` has its error rates.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ...audio.level import rms_normalise
from ...audio.resampling import Wave
from ...audio.segmentation import SAMPLE_RATE, SEGMENT, uniform
from ...config import Encoder
from ...nn.encoders.batching import encode
from ...nn.encoders.protocol import SegmentEncoder
from ...nn.encoders.weights import build_encoder
from ...types import Example

LAYER = 1  # of the bundled encoder
SECONDS = 5.0  # of each clip
CLIPS = 40  # of each name
LEAST_CLIPS = 8  # of a name that is compared
LEAST_NAMES = 6  # voices are compared relative to the mean voice, which fewer determine poorly
SHRINKAGE = 0.3  # of the covariance towards a multiple of the identity
NOISE_LIMIT = 0.95  # largest share of noise in the squared length of a mean that is corrected
THRESHOLD = 0.5  # least likeness of a suspicion

Embeddings = NDArray[np.float64]  # (clips, dim)


class Pair(NamedTuple):
    """Two names and the likeness of their voices.

    Attributes:
        names: The names.
        likeness: 1 for one voice, around 0 or below for different ones.
        clips: Of each name, the index of the clip that most resembles the other name.
    """

    names: tuple[str, str]
    likeness: float
    clips: tuple[int, int]


def compared(examples: Sequence[Example]) -> list[int]:
    """Indices of the examples to compare: up to 40, evenly spaced, of each speaker.

    Speakers with fewer than 8 examples, and corpora with fewer than 6 others, are left out.
    """
    corpora: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, example in enumerate(examples):
        corpora[example.corpus][example.speaker].append(index)
    chosen = []
    for speakers in corpora.values():
        enough = [indices for indices in speakers.values() if len(indices) >= LEAST_CLIPS]
        for indices in enough if len(enough) >= LEAST_NAMES else ():
            spaced = np.linspace(0, len(indices) - 1, min(CLIPS, len(indices)))
            chosen += [indices[i] for i in spaced.round().astype(int).tolist()]
    return sorted(chosen)


def voice_embeddings(waves: Sequence[Wave]) -> Embeddings:
    """Embeddings ``(clips, 1024)`` of waves ``(samples,)``."""
    cut = [rms_normalise(wave[: round(SECONDS * SAMPLE_RATE)]) for wave in waves]
    spans = [uniform(len(wave) / SAMPLE_RATE, SEGMENT) for wave in cut]
    means = {i: vectors.mean(0).numpy() for i, vectors in encode(_encoder(), cut, spans)}
    return np.array([means[i] for i in range(len(cut))], np.float64)


@cache
def _encoder() -> SegmentEncoder:
    return build_encoder(Encoder(layer=LAYER, pooling="mean+sd")).eval()


def likenesses(embeddings: Embeddings, names: Sequence[str], corpora: Sequence[str]) -> list[Pair]:
    """The likeness of all pairs of names, the highest first.

    Args:
        embeddings: Of clips of at least 6 names.
        names: Name of the speaker of each clip; at least two clips of each.
        corpora: Corpus of each clip; channels differ, so voices are relative to its mean voice.
    """
    unique, first, own = np.unique(np.asarray(names), return_index=True, return_inverse=True)
    corpus = np.unique(np.asarray(corpora)[first], return_inverse=True)[1]
    clips = np.bincount(own)
    standard = (embeddings - embeddings.mean(0)) / (embeddings.std(0) + 1e-6)
    whitened = _without_variation(standard, own)
    means = _means(whitened, own)
    deviations = np.bincount(own, ((whitened - means[own]) ** 2).sum(1))
    noise = deviations / (clips * (clips - 1))  # expected share of the squared length of a mean
    centred = means - _means(means, corpus)[corpus]
    products = centred @ centred.T
    lengths = np.diag(products)
    true = np.sqrt(np.maximum(lengths - noise, (1 - NOISE_LIMIT) * lengths))
    likeness = products / np.outer(true, true)
    resemblance = whitened @ centred.T  # (clips, names)
    pairs = []
    for i, j in zip(*np.triu_indices(len(unique), 1), strict=True):
        one, other = np.flatnonzero(own == i), np.flatnonzero(own == j)
        typical = (
            int(one[resemblance[one, j].argmax()]),
            int(other[resemblance[other, i].argmax()]),
        )
        pairs.append(Pair((str(unique[i]), str(unique[j])), float(likeness[i, j]), typical))
    return sorted(pairs, key=lambda pair: -pair.likeness)


def _without_variation(embeddings: Embeddings, own: NDArray[np.intp]) -> Embeddings:
    """Embeddings in which the variation within a name is the same in all directions."""
    residuals = embeddings - _means(embeddings, own)[own]
    covariance = residuals.T @ residuals / max(1, len(own) - own.max() - 1)
    dim = len(covariance)
    covariance *= 1 - SHRINKAGE
    covariance[np.diag_indices(dim)] += SHRINKAGE / (1 - SHRINKAGE) * np.trace(covariance) / dim
    root = np.linalg.cholesky(covariance)
    return np.asarray(solve_triangular(root, embeddings.T, lower=True).T)


def _means(embeddings: Embeddings, own: NDArray[np.intp]) -> Embeddings:
    return np.array([embeddings[own == i].mean(0) for i in range(own.max() + 1)])
