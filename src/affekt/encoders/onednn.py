"""Linear layers through oneDNN, which multiplies up to twice as fast as torch's default.

Measured in ``results/speed.md``: the default (MKL) runs at half speed on some processors.
For inference only. Same precision, outputs equal to about 1e-6.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .protocol import SegmentEncoder
from .ssl import SpeechEncoder


class OneDNNLinear(nn.Module):
    """``nn.Linear`` with its weight in oneDNN's own layout."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.weight = plain.weight.detach().to_mkldnn()
        self.bias = None if plain.bias is None else plain.bias.detach().to_mkldnn()

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in)`` to ``(..., out)``."""
        return F.linear(x.to_mkldnn(), self.weight, self.bias).to_dense()


def for_inference(encoder: SegmentEncoder) -> SegmentEncoder:
    """A copy of the encoder that runs faster and cannot be trained or saved.

    The encoder itself where torch was built without oneDNN, or where it is not our own: those
    of transformers look into their layers' weights.
    """
    if not torch.backends.mkldnn.is_available() or isinstance(encoder, SpeechEncoder):
        return encoder
    fast = copy.deepcopy(encoder).eval()
    for module in list(fast.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, OneDNNLinear(child))
    return fast
