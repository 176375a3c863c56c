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
    """This process among those that train together; alone unless told otherwise.

    All have the same weights and go through the same batches in the same order. Each computes
    its share of a batch; the sum of their gradients is what one process would have found.

    Attributes:
        rank: Which process this is.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def mine(self, items: Sequence[Item]) -> Sequence[Item]:
        """The share of this process."""
        return items[self.rank :: self.size]

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def together(self, parameters: Sequence[Tensor], loss: float) -> float:
        """Sum the gradients of the processes, in place, and their shares of the loss."""
        if self.size == 1:
            return loss
        for parameter in parameters:
            if parameter.grad is None:  # of a share without an item
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
        return float(self.add(torch.tensor(loss, dtype=torch.float64)))

    def rows(self, shares: Sequence[Tensor], sizes: Sequence[int], width: int) -> list[Tensor]:
        """What each process computed of a list, whole and exact, for all.

        Args:
            shares: Of the items that are `mine`, ``(size, width)`` each.
            sizes: Rows of every item of the list.
            width: Columns.

        Returns:
            ``(size, width)`` of every item.
        """
        if self.size == 1:
            return list(shares)
        whole = torch.zeros(sum(sizes), width)
        items = list(whole.split(list(sizes)))
        for place, share in zip(self.mine(items), shares, strict=True):
            place.copy_(share)
        self.add(whole)  # all others added zero
        return [item.clone() for item in items]


@contextmanager
def joined() -> Iterator[Distributed]:
    """Meet the other processes, if this one was started among several."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Distributed()
        return
    dist.init_process_group("gloo")
    try:
        yield Distributed(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
