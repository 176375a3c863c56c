"""Losses and scores against targets other than one class, against numbers computed by hand."""

from dataclasses import replace
from math import log
from types import SimpleNamespace

import pytest
import torch

from affekt.training.clips import Clip
from affekt.training.targets import ClassTargets, classes_of
from affekt.types import Example


def clip(label, targets=(), corpus=""):
    return Clip(Example("x", "x", label, "s", corpus=corpus, targets=targets), SimpleNamespace())


def test_the_loss_of_soft_labels_is_the_cross_entropy_to_the_shares():
    shares = torch.tensor([[0.75, 0.25], [0.0, 1.0]])
    known = torch.ones(2, 2, dtype=torch.bool)
    targets = ClassTargets(torch.tensor([0, 1]), known, shares)
    logits = torch.tensor([[log(0.6), log(0.4)], [log(0.2), log(0.8)]])
    by_hand = (-0.75 * log(0.6) - 0.25 * log(0.4) - log(0.8)) / 2
    assert targets.loss(logits).item() == pytest.approx(by_hand)
    assert targets.score(logits).uar == 1
    assert targets.repeat([2, 1]).loss(logits[[0, 0, 1]]).item() == pytest.approx(
        (2 * (-0.75 * log(0.6) - 0.25 * log(0.4)) - log(0.8)) / 3
    )


def test_hard_labels_have_the_same_loss_as_shares_of_one():
    hard = ClassTargets(torch.tensor([2, 0]), torch.tensor([[True] * 3, [True, True, False]]))
    soft = replace(hard, shares=torch.eye(3)[hard.indices])
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert soft.loss(logits).item() == pytest.approx(hard.loss(logits).item())
    gradient = torch.autograd.grad(soft.loss(logits), logits)[0]  # a class of another corpus
    assert gradient[1, 2] == 0
    assert gradient.isfinite().all()


def test_clips_without_votes_count_as_certain():
    clips = [clip("anger", (("anger", 0.5), ("fear", 0.5))), clip("joy", corpus="b")]
    classes = classes_of(clips)
    assert classes.labels == ["anger", "fear", "joy"]
    targets = classes.targets(clips)
    assert targets.shares.tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert targets.known.tolist() == [[True, True, False], [False, False, True]]
