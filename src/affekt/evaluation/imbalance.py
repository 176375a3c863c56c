"""Training parts made unbalanced, to test what helps against it."""

from collections.abc import Sequence

import numpy as np

from ..training.clips import Clip


def unbalanced(clips: Sequence[Clip], ratio: float, seed: int) -> list[Clip]:
    """Drop clips at random until the classes are unbalanced; the order of the rest stays.

    The classes are put in a random order. Their numbers then fall exponentially, as in the
    long-tailed data of Cui et al. (2019): class k of K keeps ``n * ratio ** (-k / (K - 1))`` clips,
    rounded down, where n is as large as the classes allow.

    Args:
        clips: The training part.
        ratio: Number of clips of the largest class divided by that of the smallest.
        seed: Seed of the order of the classes and of the dropped clips.
    """
    rng = np.random.default_rng(seed)
    labels = sorted({c.label for c in clips})
    own = {label: [i for i, c in enumerate(clips) if c.label == label] for label in labels}
    order = [labels[i] for i in rng.permutation(len(labels))]
    falling = {label: ratio ** (-k / max(len(labels) - 1, 1)) for k, label in enumerate(order)}
    largest = min(len(own[label]) / share for label, share in falling.items())
    kept: set[int] = set()
    for label in labels:
        number = max(1, int(largest * falling[label] + 1e-9))
        kept.update(rng.permutation(own[label])[:number].tolist())
    return [c for i, c in enumerate(clips) if i in kept]
