"""One training step: the gradient of a batch, summed over parts and processes."""

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import AffektError
from .context import TrainingContext
from .processes import make_accelerator, share

if TYPE_CHECKING:
    from .trainer import Stage


class TrainingSteps:
    """Updates the weights of a stage, batch by batch.

    Args:
        stage: The stage; its model is on the device of the processes.
        context: The processes, and the number of parts of a batch.

    Raises:
        AffektError: The device does not have the precision of the stage.
    """

    def __init__(self, stage: "Stage", context: TrainingContext) -> None:
        self._stage, self._context = stage, context
        self._accelerator = make_accelerator(context.processes, stage.precision)
        loss = _Loss(stage, of_all_weights=self._accelerator.num_processes > 1)
        self._loss, self._optimizer = self._accelerator.prepare(loss, stage.optimizer)

    def step(self, batch: list[int]) -> float:
        """Update the weights with one batch, of which each process computes its share.

        Returns:
            The loss of the batch.

        Raises:
            AffektError: The loss is not finite.
        """
        stage, accelerator = self._stage, self._accelerator
        own, number = share(batch, self._context.processes), accelerator.num_processes
        count = self._context.gradient_accumulation_steps
        parts = [part for i in range(count) if (part := list(own[i::count]))] or [[]]
        self._optimizer.zero_grad()
        loss = 0.0
        for i, part in enumerate(parts, 1):
            with nullcontext() if i == len(parts) else accelerator.no_sync(self._loss):
                # Processes take the mean of their gradients, not the sum.
                value = self._loss(part) * (stage.size(part) / stage.size(batch) * number)
                accelerator.backward(value)
            loss += value.item()
        if number > 1:
            every = torch.tensor(loss, dtype=torch.float64, device=accelerator.device)
            loss = accelerator.reduce(every, "mean").item()
        if not math.isfinite(loss):
            raise AffektError(f"{stage.name}: the loss is {loss}; lower the learning rate")
        if stage.max_grad_norm is not None:
            accelerator.clip_grad_norm_(stage.parameters, stage.max_grad_norm)
        self._optimizer.step()
        return loss

    def state(self) -> dict[str, Any]:
        """The scale of float16 gradients, for a resume checkpoint."""
        scaler = self._accelerator.scaler
        return scaler.state_dict() if scaler else {}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue with what `state` returned."""
        if state and self._accelerator.scaler:
            self._accelerator.scaler.load_state_dict(state)

    def close(self) -> None:
        """Let go of the weights, which the next stage may train too, with gradients of its own."""
        if self._accelerator.num_processes > 1:  # else there is no hold; this takes half a second
            self._accelerator.free_memory()


class _Loss(nn.Module):
    """The loss of a stage as a module: processes share the gradients of what a module computes.

    Args:
        stage: The stage.
        of_all_weights: Give every weight a gradient, be it 0, as processes wait for each other's:
            encoders may have weights without effect, and a process may have no share of a batch.
    """

    def __init__(self, stage: "Stage", *, of_all_weights: bool) -> None:
        super().__init__()
        self.model, self.loss, self.of_all_weights = stage.model, stage.loss, of_all_weights

    def forward(self, items: list[int]) -> Tensor:
        """Mean loss of training items; 0 of none."""
        if not self.of_all_weights:
            return self.loss(items)
        nothing = 0 * torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum()
        return self.loss(items) + nothing if items else nothing
