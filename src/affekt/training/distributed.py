"""The processes that train one model together, as torchrun or accelerate launch start them."""

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
    """This process among those that train together; by default it is alone.

    All processes have the same weights and go through the same batches in the same order. Each
    computes its share of a batch; the sum of their gradients is that of one process alone.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
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
            parameters: Those that are trained.
            loss: Loss of this process's share of the batch.

        Returns:
            The sum of the losses.
        """
        if self.size == 1:
            return loss
        for parameter in parameters:
            if parameter.grad is None:  # of a share without an item
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
        return float(self.sum(torch.tensor(loss, dtype=torch.float64)))

    def gather(self, shares: Sequence[Tensor], sizes: Sequence[int], width: int) -> list[Tensor]:
        """Give every process what each computed of its `share` of a list, bit for bit.

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
    """Join the other processes for the duration of a block, if this one has any."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Distributed()
        return
    dist.init_process_group("gloo")
    try:
        yield Distributed(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
