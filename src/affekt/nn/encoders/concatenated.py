"""Several encoders as one: their embeddings of a segment, one after another."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .protocol import SegmentEncoder


class Concatenated(SegmentEncoder):
    """Embeddings of several encoders, concatenated.

    Args:
        encoders: The encoders.
    """

    def __init__(self, encoders: Sequence[SegmentEncoder]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.parts = tuple(each.dim for each in encoders)
        self.dim = sum(self.parts)
        self.contextual = any(each.contextual for each in encoders)
        self.origin = "; ".join(each.origin for each in encoders)

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`."""
        return torch.cat([encoder(waves, spans) for encoder in self.encoders], dim=-1)
