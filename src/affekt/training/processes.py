"""Device and processes of a training, by accelerate.

All processes have the same weights and process the same batches in the same order. Each computes
its share of a batch; the mean of their gradients equals the gradient of a single process.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import AutocastKwargs, GradientAccumulationPlugin, reduce
from torch import Tensor

from ..errors import AffektError
from ..nn.devices import device_named

Device = Literal["auto", "cpu", "cuda", "mps"]
Item = TypeVar("Item")
MIXED_PRECISION = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def join_processes(device: Device = "auto") -> PartialState:
    """Choose the device of this process and join the others that torchrun started, if any.

    Args:
        device: "auto" for a CUDA GPU if there is one. Each process of a machine gets a GPU of its
            own.

    Raises:
        AffektError: This machine has no such device, or it is not for several processes.
    """
    chosen = device_named(device)
    AcceleratorState._reset_state(reset_partial_state=True)  # else the first call would decide
    processes = PartialState(cpu=chosen.type == "cpu")
    if processes.num_processes != int(os.environ.get("WORLD_SIZE", "1")):
        raise AffektError(f"device {device}: only one process can train on it; choose cpu or cuda")
    return processes


@contextmanager
def joined_processes(device: Device = "auto") -> Iterator[PartialState]:
    """`join_processes` for the duration of a block.

    Args:
        device: As of `join_processes`.
    """
    processes = join_processes(device)
    try:
        yield processes
    finally:
        processes.destroy_process_group()


def make_accelerator(processes: PartialState, precision: str) -> Accelerator:
    """The accelerator of one stage: it prepares model and optimizer, and sums gradients.

    Args:
        processes: From `join_processes`.
        precision: As in `affekt.config.Config`. Only encoders are computed with it
            (`affekt.training.trainer.autocast`); here it is for the scaling of float16 gradients.

    Raises:
        AffektError: The device does not have this precision.
    """
    on_cpu = processes.device.type == "cpu"
    if precision == "float16" and on_cpu:
        raise AffektError("precision float16 needs a GPU; choose bfloat16 or float32")
    AcceleratorState._reset_state()  # else the precision of the first training would hold for all
    try:
        return Accelerator(
            cpu=on_cpu,
            mixed_precision=MIXED_PRECISION[precision],
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # see step.py
            kwargs_handlers=[AutocastKwargs(enabled=False)],
        )
    except ValueError as error:
        raise AffektError(f"precision {precision} on {processes.device}: {error}") from error


def share(items: Sequence[Item], processes: PartialState | None) -> Sequence[Item]:
    """The items of a list that this process computes; all where it works alone."""
    return items if processes is None else items[processes.process_index :: processes.num_processes]


def total(tensor: Tensor, processes: PartialState | None) -> Tensor:
    """The sum of the processes' tensors, all of the same shape and on the CPU."""
    if processes is None or processes.num_processes == 1:
        return tensor
    return reduce(tensor.to(processes.device), "sum").cpu()


def gather(
    computed: Sequence[Tensor], sizes: Sequence[int], width: int, processes: PartialState | None
) -> list[Tensor]:
    """Collect, in every process, what each process computed for its `share` of a list.

    Args:
        computed: ``(size, width)`` of each item of this process's share, on the CPU.
        sizes: Rows of every item of the list.
        width: Columns.
        processes: The processes that share the list.

    Returns:
        ``(size, width)`` of every item of the list, on the CPU.
    """
    if processes is None or processes.num_processes == 1:
        return list(computed)
    together = torch.zeros(sum(sizes), width)
    for place, item in zip(share(together.split(list(sizes)), processes), computed, strict=True):
        place.copy_(item)
    return [item.clone() for item in total(together, processes).split(list(sizes))]


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw torch's random numbers from a seed in a block, and go on as before after it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def random_states(device: torch.device) -> dict[str, Tensor]:
    """State of torch's random numbers on the CPU, and on a device where dropout draws."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def restore_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Continue with the random numbers of `random_states`."""
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[device.type])
