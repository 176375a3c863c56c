"""Losses and scores against targets other than one class, against numbers computed by hand."""

from dataclasses import replace
from math import log
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from affekt import CorpusError
from affekt.metrics import ccc
from affekt.training.clips import Clip
from affekt.training.targets import ClassTargets, DimensionTargets, task_of
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
    assert targets.score(logits).value == 1
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
    classes = task_of(clips)
    assert classes.labels == ["anger", "fear", "joy"]
    targets = classes.targets(clips)
    assert targets.shares.tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert targets.known.tolist() == [[True, True, False], [False, False, True]]


def test_the_loss_of_dimensions_is_one_less_their_concordance():
    values = torch.tensor([[1.0, 0.0], [2.0, 1.0], [3.0, 2.0]])
    predicted = torch.tensor([[1.0, 2.0], [3.0, 1.0], [5.0, 0.0]])
    targets = DimensionTargets(values)
    # 8/13 as in test_metrics, and -1 of the second, which is reversed
    assert targets.loss(predicted).item() == pytest.approx((1 - 8 / 13 + 2) / 2)
    assert targets.score(predicted).value == pytest.approx((8 / 13 - 1) / 2)
    by_metric = [ccc(values[:, i], predicted[:, i]) for i in range(2)]
    assert targets.score(predicted).value == pytest.approx(sum(by_metric) / 2)
    assert targets.score(predicted).name == "CCC"
    single = targets.select([1]).loss(predicted[[1]].requires_grad_())  # the rest of an epoch
    assert single.item() == 1
    assert targets.repeat([0, 2, 1]).values.tolist() == values[[1, 1, 2]].tolist()


def test_outputs_are_rescaled_to_the_corpus():
    clips = [clip("", (("a", a), ("b", b))) for a, b in [(1.0, -2.0), (3.0, 0.0), (8.0, 10.0)]]
    task = task_of(clips)
    assert task.names == ["a", "b"]
    assert task.targets(clips).values.mean(0).abs().max() < 1e-6
    layer = nn.Linear(2, 2)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    task.rescale(layer)  # from the scale of training
    expected = torch.tensor([[1.0, -2.0], [3.0, 0.0], [8.0, 10.0]])
    assert torch.allclose(layer(task.targets(clips).values), expected, atol=1e-5)


def test_targets_that_do_not_go_together_are_refused():
    with pytest.raises(CorpusError, match="different targets: classes and a"):
        task_of([clip("", (("a", 1.0),)), clip("joy")])
    with pytest.raises(CorpusError, match="b is the same for all"):
        task_of([clip("", (("a", 1.0), ("b", 2.0))), clip("", (("a", 3.0), ("b", 2.0)))])
