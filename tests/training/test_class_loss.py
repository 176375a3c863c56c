"""Class weights and focal loss, against numbers computed by hand and torch's own functions."""

from math import log

import pytest
import torch
import torch.nn.functional as F

from affekt.config import Config, Loss
from affekt.corpora.registry import load_corpus
from affekt.training.calibration import temperature
from affekt.training.class_loss import PLAIN, ClassLoss, class_weights
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import train
from affekt.training.targets import ClassTargets


def targets(indices, classes=3):
    return ClassTargets(torch.tensor(indices), torch.ones(len(indices), classes).bool())


def test_weights_by_hand():
    assert class_weights("none", torch.tensor([8.0, 2.0])) is None
    inverse = class_weights("inverse", torch.tensor([8.0, 2.0]))
    assert inverse.tolist() == pytest.approx([10 / (2 * 8), 10 / (2 * 2)])
    # (1 - 0.99) / (1 - 0.99^n) is 1 and 1 / 1.99; 3 items have the mean weight 1
    effective = class_weights("effective-number", torch.tensor([1.0, 2.0]))
    assert effective.tolist() == pytest.approx([3 / (1 + 2 / 1.99), 3 / 1.99 / (1 + 2 / 1.99)])


def test_the_effective_number_lies_between_no_weights_and_inverse_ones():
    counts = torch.tensor([110.0, 40.0, 10.0])
    inverse, effective = (class_weights(k, counts) for k in ("inverse", "effective-number"))
    assert inverse[2] / inverse[0] == pytest.approx(11)
    assert 1 < effective[2] / effective[0] < 11
    for weights in (inverse, effective):
        assert (weights * counts).sum() == pytest.approx(counts.sum())


def test_a_class_that_only_validation_has_gets_a_finite_weight():
    assert class_weights("inverse", torch.tensor([4.0, 0.0])).tolist() == [1, 4]


def test_weighted_loss_is_torchs_cross_entropy_with_the_weights():
    few = targets([0, 0, 0, 1, 2])
    class_loss = few.class_loss(Loss(class_weights="inverse"))
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    reference = F.cross_entropy(logits, few.indices, class_loss.weights, reduction="sum") / 5
    assert few.loss(logits, class_loss).item() == pytest.approx(reference.item())
    parts = [few.select(i).loss(logits[i], class_loss) * len(i) / 5 for i in ([0, 3], [1, 2, 4])]
    assert sum(parts).item() == pytest.approx(reference.item())  # of accumulated gradients
    assert few.loss(logits) == F.cross_entropy(logits, few.indices)


def test_focal_loss_by_hand():
    logits = torch.tensor([[log(0.9), log(0.1)], [log(0.6), log(0.4)]])
    focal = ClassLoss(gamma=2.0)
    by_hand = (-(0.1**2) * log(0.9) - (0.6**2) * log(0.4)) / 2
    assert targets([0, 1], 2).loss(logits, focal).item() == pytest.approx(by_hand, rel=1e-5)
    assert targets([0, 1], 2).score(logits, focal).loss == pytest.approx(by_hand, rel=1e-5)
    weighted = ClassLoss(torch.tensor([2.0, 0.0]), 2.0)
    expected = -(0.1**2) * log(0.9)
    assert targets([0, 1], 2).loss(logits, weighted).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_gradients_are_finite_for_certain_predictions_and_classes_of_other_corpora(gamma):
    logits = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 0.0]], requires_grad=True)
    some = ClassTargets(torch.tensor([0, 0]), torch.tensor([[True, True, False]] * 2))
    some.loss(logits, ClassLoss(gamma=gamma)).backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, 2] == 0).all()


def test_soft_labels_count_and_are_weighted_by_their_shares():
    shares = torch.tensor([[0.75, 0.25], [1.0, 0.0]])
    soft = ClassTargets(torch.tensor([0, 0]), torch.ones(2, 2).bool(), shares)
    class_loss = soft.class_loss(Loss(class_weights="inverse"))
    # of 1.75 and 0.25 items, the latter weighed as one: 1 / 1.75 and 1, times 2 / (1 + 0.25)
    assert class_loss.weights.tolist() == pytest.approx([1.6 / 1.75, 1.6])


def test_calibration_is_by_plain_cross_entropy():
    logits = 5 * torch.eye(3)[[0, 1, 1]]
    own = targets([0, 1, 2])
    best = temperature(logits, own)
    losses = {t: F.cross_entropy(logits / t, own.indices) for t in (best / 1.05, best, best * 1.05)}
    assert min(losses, key=losses.get) == best


def test_the_scope_says_in_which_stages_the_loss_is_used(manifest, tiny_config, tmp_path):
    clips = load_clips(load_corpus(str(manifest)).examples)[::2]
    context = TrainingContext(embedding_cache=tmp_path)

    def trained(**loss):
        settings = tiny_config.model_dump() | {"loss": loss}
        settings["protocol"] |= {"refit": False}
        settings["stage1"] |= {"epochs": 2}
        settings["stage2"] |= {"epochs": 1}
        return train(clips, Config.model_validate(settings), context, seed=0)

    plain, encoder, both = (
        trained(**loss) for loss in ({}, {"focal_gamma": 2, "scope": "encoder"}, {"focal_gamma": 2})
    )
    assert encoder.stage1.loss == both.stage1.loss
    assert encoder.stage1.loss[0] < plain.stage1.loss[0]  # (1 - p)^2 is below 1
    assert encoder.stage2.loss[0] > 0.9 * plain.stage2.loss[0]
    assert both.stage2.loss[0] < 0.7 * plain.stage2.loss[0]  # chance: (2 / 3)^2
    assert PLAIN.weights is None
