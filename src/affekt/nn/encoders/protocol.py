"""What the rest of the package knows of an encoder."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn


class SegmentEncoder(nn.Module):
    """Waves and spans in, one vector a segment out. No encoder takes a label.

    Attributes:
        dim: Length of a segment's vector.
        contextual: Whether a segment's vector depends on the rest of its clip. If so a
            clip's segments are encoded together: one at a time would cost far more.
        stacked: Layers that stand side by side in a vector, for a learned mix.
        architecture: What it takes to build it again without weights, where sizes do not tell.
        origin: Where the weights came from: "random start", or a file and its hash.
    """

    dim: int
    contextual: bool
    stacked: int = 1
    architecture: Mapping[str, Any] = MappingProxyType({})
    origin: str = "random start"

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """Encode every segment of a batch of clips.

        A clip's vectors are the same alone and in any batch.

        Args:
            waves: One ``(samples,)`` a clip, 16 kHz, at most 29.5 s.
            spans: One ``(segments, 2)`` a clip, seconds on a grid of 0.01 s.

        Returns:
            ``(segments of all clips, dim)``, clip after clip.
        """
        raise NotImplementedError
