"""Layers that are faster than torch's default, for inference (``results/speed.md``).

On processors with bfloat16 arithmetic, weights and inputs of linear layers and convolutions are
rounded to bfloat16, and the head of CAM++ and the attention of Whisper compute in it; everything
else stays float32. That is twice as fast and changes probabilities by at most 0.02. On other
processors oneDNN is used for linear layers, because MKL, the default, runs at half speed on some of
them; the precision is the same and outputs agree to about 1e-6.
"""

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..devices import device_named
from .campplus import Head
from .concatenated import Concatenated
from .protocol import SegmentEncoder
from .vggish import VGGish
from .whisper import Whisper

NARROW = ("q_proj", "k_proj", "v_proj", "fc1")  # of a block of Whisper


class OneDNNLinear(nn.Module):
    """``nn.Linear`` with its weight in the layout of oneDNN."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.weight = plain.weight.detach().to_mkldnn()
        self.bias = None if plain.bias is None else plain.bias.detach().to_mkldnn()

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in)`` to ``(..., out)``."""
        return F.linear(x.to_mkldnn(), self.weight, self.bias).to_dense()


class BFloat16Linear(nn.Module):
    """``nn.Linear`` with its matrix product in bfloat16.

    Args:
        plain: The layer.
        narrow: Whether its bias and output are bfloat16 too, which saves time where the next matrix
            product rounds them anyway. What is added up over layers stays float32.
    """

    def __init__(self, plain: nn.Linear, *, narrow: bool = False) -> None:
        super().__init__()
        self.narrow = narrow
        self.weight = plain.weight.detach().bfloat16()
        self.bias = None if plain.bias is None else plain.bias.detach()
        if narrow and self.bias is not None:
            self.bias = self.bias.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in)`` to ``(..., out)``."""
        if self.narrow:
            return F.linear(x.bfloat16(), self.weight, self.bias)
        y = F.linear(x.bfloat16(), self.weight).float()
        return y if self.bias is None else y + self.bias


class BFloat16Conv1d(nn.Module):
    """``nn.Conv1d`` with its products in bfloat16, as `BFloat16Linear`."""

    def __init__(self, plain: nn.Conv1d) -> None:
        super().__init__()
        self.weight = plain.weight.detach().bfloat16()
        self.bias = None if plain.bias is None else plain.bias.detach()[:, None]
        self.stride, self.padding = plain.stride, cast(tuple[int], plain.padding)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in, frames)`` to ``(batch, out, frames)``."""
        y = F.conv1d(x.bfloat16(), self.weight, None, self.stride, self.padding).float()
        return y if self.bias is None else y + self.bias


def has_bfloat16() -> bool:
    """Whether this processor has bfloat16 arithmetic; emulated, it would be slow."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def arithmetic(encoder: SegmentEncoder) -> str:
    """Arithmetic of an encoder's linear layers: "bfloat16" or "float32"."""
    fast = any(isinstance(module, BFloat16Linear) for module in encoder.modules())
    return "bfloat16" if fast else "float32"


def for_inference(encoder: SegmentEncoder, device: str = "cpu") -> SegmentEncoder:
    """A copy of the encoder that is faster and cannot be trained or saved.

    On a CPU the encoder itself is returned if torch was built without oneDNN, or if the encoder's
    code is not part of the package (transformers, the user's own): such code may read its layers'
    weights. On another device the copy has the layers of the encoder.

    Args:
        encoder: On the CPU; it stays there.
        device: Where the copy runs; see `device_named`.

    Raises:
        AffektError: This machine has no such device.
    """
    chosen = device_named(device)
    if chosen.type != "cpu":
        return copy.deepcopy(encoder).eval().to(chosen)
    if not torch.backends.mkldnn.is_available() or not isinstance(
        encoder, Whisper | VGGish | Concatenated
    ):
        return encoder
    rounded = has_bfloat16()
    fast = copy.deepcopy(encoder).eval()
    for module in list(fast.modules()):
        if isinstance(module, Head) and rounded:
            module.to(torch.bfloat16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, child in module.named_children():
            if isinstance(child, nn.Linear) and rounded:
                setattr(module, name, BFloat16Linear(child, narrow=name in NARROW))
            elif isinstance(child, nn.Linear):
                setattr(module, name, OneDNNLinear(child))
            elif isinstance(child, nn.Conv1d) and rounded:
                setattr(module, name, BFloat16Conv1d(child))
    return fast
