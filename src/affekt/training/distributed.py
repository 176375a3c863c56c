"""Processes that train one model together, started by torchrun or accelerate launch."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Item = TypeVar("Item")


@dataclass(frozen=True)
class Distributed:
    """The rank of this process and the number of processes; by default a single process.

    All processes have the same weights and process the same batches in the same order. Each
    computes its share of a batch; the sum of their gradients equals the gradient of a single
    process.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that this process computes."""
        return items[self.rank :: self.size]

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Sequence[Tensor], loss: float) -> float:
        """Sum the gradients over the processes, in place.

        Args:
            parameters: The trained parameters.
            loss: Loss of this process's share of the batch.

        Returns:
            The sum of the losses.
        """
        if self.size == 1:
            return loss
        for parameter in parameters:
            if parameter.grad is None:  # its share has no item
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
        return float(self.sum(torch.tensor(loss, dtype=torch.float64)))

    def gather(self, shares: Sequence[Tensor], sizes: Sequence[int], width: int) -> list[Tensor]:
        """Collect, in every process, what each process computed for its `share` of a list.

        Args:
            shares: ``(size, width)`` of each item of this process's share.
            sizes: Rows of every item of the list.
            width: Columns.

        Returns:
            ``(size, width)`` of every item of the list.
        """
        if self.size == 1:
            return list(shares)
        gathered = torch.zeros(sum(sizes), width)
        items = list(gathered.split(list(sizes)))
        for place, computed in zip(self.share(items), shares, strict=True):
            place.copy_(computed)
        self.sum(gathered)  # all other processes added zero
        return [item.clone() for item in items]


@contextmanager
def process_group() -> Iterator[Distributed]:
    """Join the process group for the duration of a block, if there are several processes."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Distributed()
        return
    dist.init_process_group("gloo")
    try:
        yield Distributed(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
