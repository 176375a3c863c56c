"""Frames of the voice encoder CAM++ as embeddings of segments."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...audio.segmentation import SEGMENT_FRAMES
from .campplus import FRAME, WEIGHTS, WIDTH, CAMPlusPlus, mel_frames
from .hashing import file_hash
from .protocol import SegmentEncoder, padded_batch
from .whisper import hidden_frame

BLOCKS = 2  # later frames add a point where the speaker is known, and a quarter to the time


class VoiceFrames(SegmentEncoder):
    """Embeddings: mean and standard deviation of the frames of a segment after block 2 of CAM++.

    What makes voices differ is also what emotion changes in them: these frames recognise emotion
    nearly as well as those of Whisper, and other emotions (results/default-model.md). The weights
    are the bundled ones and stay as they are in training. A clip shorter than a segment is pooled
    over its own frames.
    """

    dim = 2 * WIDTH
    contextual = True

    def __init__(self) -> None:
        super().__init__()
        self.network = CAMPlusPlus(BLOCKS)
        self.origin = f"CAM++, out of the package (sha256 {file_hash(WEIGHTS)[:12]})"

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`."""
        padded, lengths = padded_batch(waves)
        hidden = self.padded_frames(padded, lengths if len(waves) > 1 else None)
        clip = torch.arange(len(spans)).repeat_interleave(torch.tensor([len(s) for s in spans]))
        first = hidden_frame(torch.cat([s[:, 0] for s in spans]))
        index = first[:, None] + torch.arange(SEGMENT_FRAMES // 2)
        last = self.last_frame(lengths)[clip, None]
        return self.pooled(hidden[clip[:, None], index.minimum(last)])

    def padded_frames(self, waves: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Frames ``(batch, frames, 512)``, 50 per second.

        Args:
            waves: ``(batch, samples)``.
            lengths: Samples of each wave ``(batch,)``; by default there is no padding.
        """
        return self.network(F.pad(waves, (0, max(0, FRAME - waves.shape[1]))), lengths)

    @staticmethod
    def last_frame(lengths: Tensor) -> Tensor:
        """Index of the last frame of waves of these lengths, in samples; it ends before they do."""
        return (mel_frames(lengths) - 1) // 2

    @staticmethod
    def pooled(segments: Tensor) -> Tensor:
        """Frames of each segment ``(..., 48, 512)`` to its embedding ``(..., 1024)``."""
        mean = segments.mean(-2)
        variance = (segments - mean[..., None, :]).square().mean(-2)
        return torch.cat([mean, variance.sqrt()], -1)
