"""Significance tests: paired permutation test over speakers, and Holm's correction."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..metrics import scores

EXACT = 14  # largest number of speakers for which all permutations are computed
DRAWS = 10_000  # random permutations of more speakers


def permutation_test(
    one: NDArray[np.number], other: NDArray[np.number], score: str = "UAR", seed: int = 0
) -> float:
    """Paired permutation test of the difference between two systems, two-sided.

    Under the null hypothesis the systems can be exchanged for each speaker. All predictions for a
    speaker are exchanged together, since clips of one speaker are not independent. The statistic is
    the difference of the pooled scores.

    Args:
        one: Confusion matrices ``(speakers, classes, classes)``, averaged over seeds.
        other: Those of the other system, for the same speakers.
        score: One of `affekt.metrics.SCORES`.
        seed: Seed of the random permutations of more than 14 speakers.

    Returns:
        The p-value.
    """
    speakers = len(one)
    if speakers <= EXACT:
        swap = np.array(list(product((0.0, 1.0), repeat=speakers)))
    else:
        rng = np.random.default_rng(seed)
        swap = rng.integers(0, 2, (DRAWS, speakers)).astype(float)
        swap[0] = 0  # the observed assignment is one of the permutations
    moved = np.einsum("ps,sij->pij", swap, np.asarray(other, float) - np.asarray(one, float))
    total = np.asarray(one, float).sum(0), np.asarray(other, float).sum(0)
    difference = scores(total[0] + moved)[score] - scores(total[1] - moved)[score]
    observed = float(scores(total[0])[score] - scores(total[1])[score])
    return float(np.mean(np.abs(difference) >= abs(observed) - 1e-12))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple tests by the step-down method of Holm (1979)."""
    order = np.argsort(p_values)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        corrected[i] = highest
    return corrected
