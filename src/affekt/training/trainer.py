"""One loop for every stage: epochs, early stopping, the best weights kept, Ctrl-C ends it."""

import copy
import math
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import nn

from ..errors import AffektError
from ..progress import Event, Report, silent
from .distributed import Distributed
from .resume import ResumeCheckpoints
from .stage import History, Stage, StageState


@dataclass(frozen=True)
class Trainer:
    """How stages are run, whatever it is that they learn.

    Attributes:
        report: Progress.
        distributed: The processes that train together.
        checkpoints: Where training is kept, to go on after a kill.
        accumulate: Pieces in which a batch is computed, one after the other: less memory, the
            same gradient.
    """

    report: Report = silent
    distributed: Distributed = field(default_factory=Distributed)
    checkpoints: ResumeCheckpoints | None = None
    accumulate: int = 1

    def under(self, part: str) -> "Trainer":
        """For one part of a training whose stages come again in another."""
        return replace(self, checkpoints=self.checkpoints and self.checkpoints.of(part))

    def fit(self, stage: Stage) -> History:
        """Train the stage's model in place and leave it with the weights of its best epoch.

        Without validation all epochs are run and the last weights kept. Ctrl-C ends the
        stage with the best epoch so far, unless none is complete.

        Raises:
            AffektError: The loss is no longer a number, or the training cannot be saved.
        """
        at = (self.checkpoints and self.checkpoints.restore(stage)) or StageState()
        if at.done:
            stage.model.eval()
            return at.history
        if self.distributed.rank:  # the first draws as a process alone would
            torch.manual_seed(torch.initial_seed() + self.distributed.rank)
        history = at.history
        try:
            while not _enough(stage, history):
                self._epoch(stage, at)
        except KeyboardInterrupt:
            if history.epochs == 0 or self.distributed.size > 1:
                raise
            history.interrupted = True
        if at.best is not None:
            stage.model.load_state_dict(at.best)
        stage.model.eval()
        if self.checkpoints and not history.interrupted:
            at.done, at.best = True, None
            self._save(stage, at)
        return history

    def _epoch(self, stage: Stage, at: StageState) -> None:
        rng, history = stage.batches.rng.bit_generator, at.history
        if at.losses:  # go on in the midst of it
            rng.state = at.order
        else:
            at.order = rng.state
        stage.model.train()
        for batch in islice(stage.batches, len(at.losses), None):
            at.losses.append(self._step(stage, batch))
            if self.checkpoints and len(at.losses) % self.checkpoints.every == 0:
                self._save(stage, at)
        stage.model.eval()
        history.loss.append(sum(at.losses) / len(at.losses))
        at.losses.clear()
        epoch, note = len(history.loss), f"loss {history.loss[-1]:.3f}"
        if stage.validate is None:
            history.epochs = epoch
        else:
            score = stage.validate()
            best = history.validation[history.epochs - 1].loss if history.epochs else math.inf
            history.validation.append(score)
            note += f", validation UAR {score.uar:.3f}"
            if score.loss < best:
                at.best, history.epochs = copy.deepcopy(stage.model.state_dict()), epoch
        self._save(stage, at)
        self.report(Event(stage.name, epoch, stage.epochs, note))

    def _step(self, stage: Stage, batch: list[int]) -> float:
        """Learn from one batch: every process from its share, in pieces; its loss."""
        stage.optimizer.zero_grad()
        whole, total = stage.batches.weight(batch), 0.0
        mine = self.distributed.mine(batch)
        for piece in (mine[i :: self.accumulate] for i in range(self.accumulate)):
            if piece:
                value = stage.loss(list(piece)) * (stage.batches.weight(piece) / whole)
                value.backward()
                total += value.item()
        total = self.distributed.together(stage.parameters, total)
        if not math.isfinite(total):
            raise AffektError(f"{stage.name}: the loss is {total}; lower the rate")
        if stage.clip is not None:
            nn.utils.clip_grad_norm_(stage.parameters, stage.clip)
        stage.optimizer.step()
        return total

    def _save(self, stage: Stage, at: StageState) -> None:
        if self.checkpoints and self.distributed.first:
            self.checkpoints.keep(stage, at)


def _enough(stage: Stage, history: History) -> bool:
    """Whether the epochs or the patience are at their end."""
    done = len(history.loss)
    return done >= stage.epochs or (
        bool(stage.validate) and done - history.epochs >= stage.patience
    )


def computing(precision: str) -> torch.autocast:
    """The context in which a network that learns from sound computes (``config.precision``)."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
