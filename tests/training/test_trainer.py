"""The training loop: epochs, early stopping, batches, Ctrl-C."""

import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from affekt import AffektError
from affekt.training.context import TrainingContext
from affekt.training.targets import Score
from affekt.training.trainer import Stage, Trainer

INTERACTIVE = TrainingContext(keep_interrupted=True)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def one_weight(
    validation=None, *, patience=9, epochs=10, steps=1, interrupt_at=(), context=INTERACTIVE, **more
):
    """Train one number from 0 towards 5; validation gives the losses listed, one an epoch."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    losses, step = iter(validation or ()), iter(range(1000))

    def loss(batch):
        if next(step) in interrupt_at:
            interrupt()
        return (model.weight - 5).square().sum()

    stage = Stage(
        name="test", model=model, optimizer=torch.optim.SGD(model.parameters(), 0.1),
        sizes=[1] * steps, batch_size=1, loss=loss,
        validate=(lambda: Score(next(losses), 0.5)) if validation else None,
        epochs=epochs, patience=patience, **more,
    )  # fmt: skip
    history = Trainer(context, np.random.default_rng(0)).fit(stage)
    return model.weight.item(), history


def after(steps):
    """The weight after so many steps of gradient descent from 0."""
    return pytest.approx(5 - 5 * 0.8**steps)


def test_the_best_epoch_is_kept_and_patience_ends_training():
    weight, history = one_weight([-0.1, -0.5, -0.9, -0.3, -0.2, -0.8], patience=2)
    assert history.epochs == 3
    assert len(history.loss) == 5
    assert weight == after(3)
    assert not history.interrupted


def test_without_validation_every_epoch_is_run():
    weight, history = one_weight(patience=1, epochs=4)
    assert history.epochs == 4
    assert weight == after(4)


def test_ctrl_c_ends_the_stage_with_its_best_epoch():
    weight, history = one_weight([-0.1, -0.9, -0.2, -0.3], interrupt_at=[3])
    assert history.interrupted
    assert (history.epochs, len(history.loss)) == (2, 4)
    assert weight == after(2)


def test_ctrl_c_takes_effect_between_two_steps_of_an_epoch():
    weight, history = one_weight([-0.1, -0.9], steps=3, interrupt_at=[4])
    assert history.interrupted
    assert (history.epochs, len(history.loss)) == (1, 1)
    assert weight == after(3)


def test_ctrl_c_before_the_first_epoch_is_complete_gives_no_epoch_or_just_that_one():
    _, history = one_weight([-0.1], steps=3, interrupt_at=[0])
    assert (history.interrupted, history.epochs, history.loss) == (True, 0, [])
    weight, history = one_weight([-0.1], steps=3, interrupt_at=[0], complete_first_epoch=True)
    assert (history.interrupted, history.epochs) == (True, 1)
    assert weight == after(3)


def test_a_second_ctrl_c_aborts():
    with pytest.raises(KeyboardInterrupt):
        one_weight([-0.1], steps=3, interrupt_at=[0, 1], complete_first_epoch=True)


@pytest.mark.parametrize("context", [TrainingContext()])
def test_ctrl_c_aborts_without_keep_interrupted(context):
    with pytest.raises(KeyboardInterrupt):
        one_weight([-0.1, -0.9, -0.2], interrupt_at=[2], context=context)


def test_after_a_stage_ctrl_c_raises_as_before():
    one_weight([-0.1, -0.9], interrupt_at=[1])
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_loss_that_is_not_finite_is_an_error():
    model = nn.Linear(1, 1)
    stage = Stage(
        name="stage 9", model=model, optimizer=torch.optim.SGD(model.parameters(), 0.1), sizes=[1],
        batch_size=1, loss=lambda items: model.weight.sum() * torch.inf, validate=None, epochs=1,
        patience=1,
    )  # fmt: skip
    with pytest.raises(AffektError, match="stage 9: the loss is .*; lower the learning rate"):
        Trainer(TrainingContext(), np.random.default_rng(0)).fit(stage)


def test_batches_hold_every_item_once_and_enough_segments():
    sizes = np.random.default_rng(0).integers(1, 9, 100).tolist()
    model, batches = nn.Linear(1, 1), []

    def loss(items):
        batches.append(items)
        return model.weight.sum()

    stage = Stage(
        name="test", model=model, optimizer=torch.optim.SGD(model.parameters(), 0.1), sizes=sizes,
        batch_size=16, loss=loss, validate=None, epochs=2, patience=1,
    )  # fmt: skip
    Trainer(TrainingContext(), np.random.default_rng(0)).fit(stage)
    order = [i for batch in batches for i in batch]
    first, second = order[:100], order[100:]
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second != list(range(100))
    ends = [i for i, batch in enumerate(batches) if batch[-1] in (first[-1], second[-1])]
    assert all(stage.size(b) >= 16 for i, b in enumerate(batches) if i not in ends)
