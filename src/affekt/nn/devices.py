"""Devices of torch: the one that a name means, and the one that a module is on."""

import torch
from torch import nn

from ..errors import AffektError


def available_devices() -> list[str]:
    """Names of the devices of this machine: "cpu", then for instance "cuda", "cuda:0", "cuda:1"."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return ["cpu"]
    kind = accelerator.type
    return ["cpu", kind, *(f"{kind}:{i}" for i in range(torch.accelerator.device_count()))]


def device_named(name: str) -> torch.device:
    """The device of a name; "auto" is a CUDA GPU if there is one, otherwise the CPU.

    Raises:
        AffektError: This machine has no such device.
    """
    available = available_devices()
    if name == "auto":
        return torch.device("cuda" if "cuda" in available else "cpu")
    if name not in available:
        raise AffektError(
            f"device {name!r}: torch {torch.__version__} finds none on this machine; choose auto "
            f"or one of {', '.join(available)}"
        )
    return torch.device(name)


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's weights; the CPU if it has none."""
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device
