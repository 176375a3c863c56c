"""The training loop of every stage: epochs, early stopping, best weights, Ctrl-C, resuming.

A step is in `affekt.training.step`, processes and devices are in `affekt.training.processes`.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..progress import Event
from .context import TrainingContext
from .interruption import Interruption, deferred_interruption
from .processes import random_states, restore_random_states
from .step import TrainingSteps
from .targets import Score
from .tracking import log


@dataclass
class History:
    """Course of a stage.

    Attributes:
        loss: Mean training loss by epoch.
        validation: Score of the validation clips by epoch; empty without any.
        epochs: Number of epochs behind the final weights.
        interrupted: Whether Ctrl-C ended the stage early.
    """

    loss: list[float] = field(default_factory=list)
    validation: list[Score] = field(default_factory=list)
    epochs: int = 0
    interrupted: bool = False

    def curves(self) -> dict[str, list[float]]:
        """Losses and validation scores by epoch, for reports."""
        name = self.validation[0].name if self.validation else "UAR"
        return {
            "loss": [round(value, 4) for value in self.loss],
            "validation_loss": [round(score.loss, 4) for score in self.validation],
            f"validation_{name}": [round(score.value, 4) for score in self.validation],
        }


@dataclass(frozen=True)
class Stage:
    """One stage of a training.

    Attributes:
        name: Name in progress reports.
        model: Trained in place.
        optimizer: Of the model's parameters.
        sizes: Size of each training item: its number of segments, or 1 for a clip.
        batch_size: Least sum of sizes in a batch; the last batch may be smaller.
        loss: Function from training items to their mean loss, per segment or per clip.
        validate: Function that scores the validation clips; without it all epochs are run.
        epochs: Largest number of epochs.
        patience: Epochs without a lower validation loss before stopping.
        max_grad_norm: Largest norm of the gradient.
        complete_first_epoch: Whether Ctrl-C takes effect only after the first epoch, so that the
            stage always gives a model.
        precision: Of the encoder, as in `affekt.config.Config`.
    """

    name: str
    model: nn.Module
    optimizer: torch.optim.Optimizer
    sizes: Sequence[int]
    batch_size: int
    loss: Callable[[list[int]], Tensor]
    validate: Callable[[], Score] | None
    epochs: int
    patience: int
    max_grad_norm: float | None = None
    complete_first_epoch: bool = False
    precision: str = "float32"

    @property
    def parameters(self) -> list[Tensor]:
        """Parameters that the optimizer changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def size(self, items: Sequence[int]) -> int:
        """Sum of the sizes of items."""
        return sum(self.sizes[i] for i in items)

    def is_finished(self, history: History) -> bool:
        """Whether all epochs were run, or patience has run out."""
        done = len(history.loss)
        out_of_patience = bool(self.validate) and done - history.epochs >= self.patience
        return done >= self.epochs or out_of_patience


@dataclass
class StageState:
    """Resumable state of a stage, besides weights, optimizer and random numbers.

    Attributes:
        history: Of the completed epochs.
        losses: Loss of each step of the current epoch.
        order: State of the random numbers before the order of the current epoch was drawn.
        best: Weights of the best epoch so far, where there is validation.
        done: Whether the model has its final weights.
    """

    history: History = field(default_factory=History)
    losses: list[float] = field(default_factory=list)
    order: Any = None
    best: dict[str, Tensor] | None = None
    done: bool = False


@dataclass(frozen=True)
class Trainer:
    """Runs the stages of a training.

    Attributes:
        context: Progress, processes, resume checkpoints.
        rng: Draws the order of the items in each epoch.
        run: Name of the run, where the same stages are run several times in a training.
    """

    context: TrainingContext
    rng: np.random.Generator
    run: str = ""

    def fit(self, stage: Stage) -> History:
        """Train the stage's model in place and leave it with the weights of its best epoch.

        Without validation all epochs are run and the model has the last weights. If the context
        keeps interrupted trainings, Ctrl-C ends the stage between two steps; the history then has
        `interrupted`, and 0 epochs if none was completed.

        Raises:
            AffektError: The loss is not finite, or a resume checkpoint cannot be read or written.
        """
        steps = TrainingSteps(stage, self.context)
        state = self._restore(stage, steps) or StageState()
        history = state.history
        if not state.done:
            rank = self.context.processes.process_index
            if rank:  # the main process draws as a single one would
                torch.manual_seed(torch.initial_seed() + rank)
            with deferred_interruption(enabled=self.context.defers_interruption) as interruption:
                while not (stage.is_finished(history) or history.interrupted):
                    self._epoch(stage, state, steps, interruption)
            if state.best is not None:
                stage.model.load_state_dict(state.best)
            if not history.interrupted:
                state.done, state.best = True, None
                self._save(stage, state, steps)
        steps.close()
        stage.model.eval()
        return history

    def _epoch(
        self, stage: Stage, state: StageState, steps: TrainingSteps, interruption: Interruption
    ) -> None:
        """Train for an epoch, or for what is left of it.

        Args:
            stage: The stage.
            state: Where it stands.
            steps: Its steps.
            interruption: Whether Ctrl-C was pressed.
        """
        history = state.history
        if state.losses:  # resume within the epoch
            self.rng.bit_generator.state = state.order
        else:
            state.order = self.rng.bit_generator.state
        may_stop = bool(history.epochs) or not stage.complete_first_epoch
        stage.model.train()
        for batch in islice(self._batches(stage), len(state.losses), None):
            if interruption.requested and may_stop:
                history.interrupted = True
                return
            state.losses.append(steps.step(batch))
            checkpoints = self.context.checkpoints
            if checkpoints and len(state.losses) % checkpoints.every == 0:
                self._save(stage, state, steps)
        stage.model.eval()
        self._end_epoch(stage, state, steps)
        history.interrupted = interruption.requested

    def _batches(self, stage: Stage) -> Iterator[list[int]]:
        """Items in random order, batch by batch."""
        batch: list[int] = []
        size = 0
        for item in map(int, self.rng.permutation(len(stage.sizes))):
            batch.append(item)
            size += stage.sizes[item]
            if size >= stage.batch_size:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _end_epoch(self, stage: Stage, state: StageState, steps: TrainingSteps) -> None:
        """Validate, keep the weights if they are the best so far, save, report."""
        history = state.history
        history.loss.append(sum(state.losses) / len(state.losses))
        state.losses.clear()
        epoch, note = len(history.loss), f"loss {history.loss[-1]:.3f}"
        values = {"loss": history.loss[-1]}
        if stage.validate is None:
            history.epochs = epoch
        else:
            score = stage.validate()
            best = history.validation[history.epochs - 1].loss if history.epochs else math.inf
            history.validation.append(score)
            values |= {"validation_loss": score.loss, f"validation_{score.name}": score.value}
            self.context.on_validation(stage.name, score)
            note += f", validation {score.name} {score.value:.3f}"
            if score.loss < best:
                state.best, history.epochs = copy.deepcopy(stage.model.state_dict()), epoch
        self._save(stage, state, steps)
        log(self.context.trackers, f"{self.run}/{stage.name}".strip("/"), values, epoch)
        self.context.report(Event(stage.name, epoch, stage.epochs, note))

    def _save(self, stage: Stage, state: StageState, steps: TrainingSteps) -> None:
        """Write a resume checkpoint; of a finished stage, without its optimizer."""
        checkpoints = self.context.checkpoints
        if not (checkpoints and self.context.processes.is_main_process):
            return
        tensors = _prefixed("model", stage.model.state_dict())
        if not state.done:
            tensors |= _prefixed("best", state.best or {})
            for i, values in stage.optimizer.state_dict()["state"].items():
                tensors |= _prefixed(f"optimizer.{i}", values)
        tensors |= _prefixed("random", random_states(self.context.processes.device))
        values = {
            "history": asdict(state.history),
            "losses": state.losses,
            "order": state.order,
            "rng": self.rng.bit_generator.state,
            "scaler": steps.state(),
            "done": state.done,
        }
        checkpoints.save(self._checkpoint(stage), tensors, values)

    def _restore(self, stage: Stage, steps: TrainingSteps) -> StageState | None:
        """Restore a stage from its resume checkpoint, random numbers included; None without one."""
        checkpoints = self.context.checkpoints
        loaded = checkpoints.load(self._checkpoint(stage)) if checkpoints else None
        if checkpoints is None or loaded is None:
            return None
        tensors, values = loaded
        try:
            stage.model.load_state_dict(_with_prefix("model", tensors))
            if not values["done"]:
                _restore_optimizer(stage.optimizer, _with_prefix("optimizer", tensors))
            self.rng.bit_generator.state = values["rng"]
            restore_random_states(_with_prefix("random", tensors), self.context.processes.device)
            steps.restore(values["scaler"])
            history = History(**values["history"])
            history.validation = [Score(*score) for score in history.validation]
            best = _with_prefix("best", tensors) or None
            return StageState(history, values["losses"], values["order"], best, values["done"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise checkpoints.unusable(self._checkpoint(stage), error) from error

    def _checkpoint(self, stage: Stage) -> str:
        return f"{self.run} {stage.name}"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Context of the forward pass of an encoder, with the arithmetic of ``config.precision``."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, precision))


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
