"""One loop for both stages: epochs, early stopping, the best weights kept, Ctrl-C ends it."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import AffektError
from ..progress import Event, Report, silent


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


Batch = TypeVar("Batch")


def fit(
    stage: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Callable[[], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    validate: Callable[[], Score] | None,
    *,
    epochs: int,
    patience: int,
    clip: float | None = None,
    report: Report = silent,
) -> History:
    """Train `model` in place and leave it with the weights of its best epoch.

    Raises:
        AffektError: The loss is no longer a number.

    Without `validate` all `epochs` are run and the last weights kept. Ctrl-C ends the
    stage with the best epoch so far, unless none is complete.
    """
    history, best, best_score = History(), None, None
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    try:
        for epoch in range(1, epochs + 1):
            model.train()
            losses = []
            for batch in batches():
                optimizer.zero_grad()
                value = loss(batch)
                value.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(parameters, clip)
                optimizer.step()
                losses.append(value.item())
                if not math.isfinite(losses[-1]):
                    raise AffektError(f"{stage}: the loss is {losses[-1]}; lower the rate")
            model.eval()
            history.loss.append(sum(losses) / len(losses))
            note = f"loss {history.loss[-1]:.3f}"
            if validate is None:
                history.epochs = epoch
            else:
                score = validate()
                history.validation.append(score)
                note += f", validation UAR {score.uar:.3f}"
                if best_score is None or score.loss < best_score.loss:
                    best, best_score = copy.deepcopy(model.state_dict()), score
                    history.epochs = epoch
                elif epoch - history.epochs >= patience:
                    break
            report(Event(stage, epoch, epochs, note))
    except KeyboardInterrupt:
        if history.epochs == 0:
            raise
        history.interrupted = True
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    return history


def computing(precision: str) -> torch.autocast:
    """The context in which a network that learns from sound computes (``config.precision``)."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


def shuffled(sizes: Sequence[int], at_least: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Batches of indices in random order, each with `at_least` segments or clips but the last."""
    batch: list[int] = []
    filled = 0
    for i in rng.permutation(len(sizes)).tolist():
        batch.append(i)
        filled += sizes[i]
        if filled >= at_least:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch
