"""A pooling: the largest value of each hidden dimension over the segments of a clip."""

import torch

from affekt import Pooling


class Maximum(Pooling):
    """Maximum over segments; the share of a segment is how many dimensions it gives."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = hidden

    def forward(self, h, mask):
        """``(batch, dim)`` and shares ``(batch, segments)``; see `affekt.Pooling`."""
        largest, segment = h.masked_fill(~mask[..., None], -torch.inf).max(1)
        shares = torch.zeros_like(h[..., 0])
        shares.scatter_add_(1, segment, torch.full_like(largest, 1 / self.dim))
        return largest, shares
