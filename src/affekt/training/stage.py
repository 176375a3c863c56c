"""What a stage of training is, and where it stands."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class Score(NamedTuple):
    """Of the validation speakers.

    The loss chooses the epoch: on a few dozen clips the UAR jumps and ties, and its best
    epoch is often a lucky one (measured: results/selection.md).
    """

    loss: float
    uar: float


@dataclass
class History:
    """What a stage did.

    Attributes:
        loss: Mean training loss by epoch.
        validation: Score of the validation speakers by epoch; empty without any.
        epochs: How many epochs the kept weights have seen.
        interrupted: Whether Ctrl-C ended the stage early.
    """

    loss: list[float] = field(default_factory=list)
    validation: list[Score] = field(default_factory=list)
    epochs: int = 0
    interrupted: bool = False

    def curves(self) -> dict[str, list[float]]:
        """Losses and validation UAR by epoch, for reports."""
        return {
            "loss": [round(value, 4) for value in self.loss],
            "validation_loss": [round(score.loss, 4) for score in self.validation],
            "validation_UAR": [round(score.uar, 4) for score in self.validation],
        }


@dataclass(frozen=True)
class Batches:
    """Items in random order, in another at each epoch.

    Attributes:
        sizes: Segments of each item; 1 where clips are counted.
        least: Of these in a batch, except in the last.
        rng: Draws the order.
    """

    sizes: Sequence[int]
    least: int
    rng: np.random.Generator

    def __iter__(self) -> Iterator[list[int]]:
        """Indices of items, batch by batch."""
        batch: list[int] = []
        for i in self.rng.permutation(len(self.sizes)).tolist():
            batch.append(i)
            if self.weight(batch) >= self.least:
                yield batch
                batch = []
        if batch:
            yield batch

    def weight(self, items: Sequence[int]) -> int:
        """How much of a batch some items are."""
        return sum(self.sizes[i] for i in items)


@dataclass(frozen=True)
class Stage:
    """What is to be learned.

    Attributes:
        name: What progress calls it.
        model: Trained in place.
        optimizer: Of the model's parameters.
        batches: What is learned from together.
        loss: Mean over the segments or clips of some items.
        validate: How the validation speakers are told; without it the last epoch is kept.
        epochs: At most.
        patience: Epochs without a better validation loss before stopping.
        clip: Largest norm of the gradient.
    """

    name: str
    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches
    loss: Callable[[list[int]], Tensor]
    validate: Callable[[], Score] | None
    epochs: int
    patience: int
    clip: float | None = None

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]


@dataclass
class StageState:
    """Where a stage stands, beside its weights and its optimizer.

    Attributes:
        history: Of the epochs that are complete.
        losses: Of the steps of the epoch that is not.
        order: What drew that epoch's order: the state of the random numbers before it.
        best: Weights of the best epoch so far, if validation watches.
        done: Whether the model has the weights to keep.
    """

    history: History = field(default_factory=History)
    losses: list[float] = field(default_factory=list)
    order: Any = None
    best: dict[str, Tensor] | None = None
    done: bool = False
