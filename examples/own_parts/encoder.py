"""An encoder: 24-band log-mel of a segment, then one convolution and its mean and maximum."""

import torch
from torch import nn

from affekt import SegmentEncoder
from affekt.nn.encoders.vggish import patches


class SmallCNN(SegmentEncoder):
    """One convolution over the log-mel of a segment ``(96 frames, 64 bands)``."""

    contextual = False  # a segment's embedding does not depend on the rest of its clip

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.dim = 2 * width
        self.convolution = nn.Sequential(nn.Conv1d(64, width, 5, padding=2), nn.ReLU())

    def forward(self, waves, spans):
        """``(segments of all clips, dim)``; see `affekt.SegmentEncoder`."""
        mel = torch.cat([patches(wave, span) for wave, span in zip(waves, spans, strict=True)])
        x = self.convolution(mel.transpose(1, 2))  # (segments, width, 96)
        return torch.cat([x.mean(-1), x.amax(-1)], dim=-1)
