"""The permutation test against its definition, and Holm's correction against hand calculation."""

from itertools import product

import numpy as np
import pytest

from affekt.evaluation.significance import holm, permutation_test
from affekt.metrics import scores


def confusions(speakers, seed, skill):
    rng = np.random.default_rng(seed)
    return np.array([rng.multinomial(20, np.full(9, 1 / 9)).reshape(3, 3) + skill * np.eye(3)
                     for _ in range(speakers)])  # fmt: skip


def test_the_permutation_test_is_that_of_the_definition():
    one, other = confusions(6, 0, 4), confusions(6, 1, 0)

    def difference(swapped):
        a = sum(o if s else e for s, e, o in zip(swapped, one, other, strict=True))
        b = sum(e if s else o for s, e, o in zip(swapped, one, other, strict=True))
        return scores(a)["UAR"] - scores(b)["UAR"]

    observed = abs(difference([False] * 6))
    every = [abs(difference(s)) >= observed - 1e-12 for s in product([False, True], repeat=6)]
    assert permutation_test(one, other) == pytest.approx(np.mean(every))
    assert permutation_test(one, one) == 1


def test_many_speakers_are_permuted_at_random_and_never_give_zero():
    p = permutation_test(confusions(30, 0, 60), confusions(30, 1, 0))
    assert 1 / 10_000 <= p < 0.001  # the observed assignment counts
    assert permutation_test(confusions(30, 2, 0), confusions(30, 3, 0)) > 0.01


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
