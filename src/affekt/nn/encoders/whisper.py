"""The encoder of Whisper (Radford et al., 2022), cut after a chosen layer.

The complete clip is encoded and its hidden frames are pooled over each segment, so that a segment's
embedding depends on its context. The middle layers represent emotion best; layers above the chosen
one are not loaded. Parameters are named as in Hugging Face's ``WhisperEncoder``.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...audio.segmentation import FRAMES_PER_SECOND as MEL_FRAMES_PER_SECOND
from ...audio.segmentation import SAMPLE_RATE, SEGMENT_FRAMES
from .melspec import HOP, whisper_log_mel
from .protocol import SegmentEncoder, padded_batch

TAIL = 8_000  # samples of silence after a clip, as context of its end
FRAMES_PER_SECOND = 50
SHORTEST = 2 * FRAMES_PER_SECOND * HOP  # samples; a short clip is padded to one segment
POSITIONS = 1500  # 30 s
LONGEST = POSITIONS // FRAMES_PER_SECOND * SAMPLE_RATE - TAIL  # samples of a clip
HEAD = 64  # width of an attention head in every Whisper


def hidden_frame(starts: Tensor) -> Tensor:
    """The hidden frame of 20 ms nearest to each frame of 10 ms.

    A frame with an odd index lies between two hidden frames. Which one it gets depends on rounding
    in seconds, as in the training of the published models.
    """
    return (starts.double() / MEL_FRAMES_PER_SECOND * FRAMES_PER_SECOND).round().long()


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.self_attn = nn.ModuleDict({
            "q_proj": nn.Linear(dim, dim),
            "k_proj": nn.Linear(dim, dim, bias=False),
            "v_proj": nn.Linear(dim, dim),
            "out_proj": nn.Linear(dim, dim),
        })  # fmt: skip
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``(batch, frames, dim)``; mask ``(batch, 1, 1, frames)``, true within each clip."""
        y = self.self_attn_layer_norm(x)
        q, k, v = (
            self.self_attn[name](y).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.self_attn["out_proj"](y.transpose(1, 2).flatten(-2))
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class Whisper(SegmentEncoder):
    """Embeddings: mean, or mean and standard deviation, of the hidden frames of a segment.

    Args:
        d_model: Width of a hidden frame.
        layers: Number of layers.
        pooling: "mean" or "mean+sd".
    """

    contextual = True

    def __init__(self, d_model: int, layers: int, *, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling
        self.dim = d_model * (2 if pooling == "mean+sd" else 1)
        self.conv1 = nn.Conv1d(80, d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(d_model, d_model, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(POSITIONS, d_model)
        self.layers = nn.ModuleList(Block(d_model, d_model // HEAD) for _ in range(layers))

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`.

        Raises:
            ValueError: A clip is longer than 29.5 s (`affekt.nn.encoders.batching.encode` cuts it).
        """
        hidden = self.frames(waves)
        starts = [hidden_frame(s[:, 0]) for s in spans]
        clip = torch.arange(len(starts)).repeat_interleave(torch.tensor([len(s) for s in starts]))
        index = torch.cat(starts)[:, None] + torch.arange(SEGMENT_FRAMES // 2)
        return self.pooled(hidden[clip[:, None], index])

    @staticmethod
    def last_frame(lengths: Tensor) -> Tensor:
        """Index of the last frame of waves of these lengths, in samples: in the silence after."""
        return (lengths.clamp_min(SHORTEST) + TAIL) // (2 * HOP) - 1

    def pooled(self, segments: Tensor) -> Tensor:
        """Hidden frames of each segment ``(..., 48, d_model)`` to its embedding ``(..., dim)``."""
        mean = segments.mean(-2)
        if self.pooling == "mean":
            return mean
        # `Tensor.std` over this axis takes five times as long. The square root has a gradient of
        # infinity at 0.
        variance = (segments - mean[..., None, :]).square().mean(-2).clamp_min(1e-12)
        return torch.cat([mean, variance.sqrt()], dim=-1)

    def frames(self, waves: Sequence[Tensor]) -> Tensor:
        """Hidden frames ``(batch, frames, d_model)`` after the last layer, 50 per second.

        Padding is zeroed before each convolution and masked in attention, so that the frames of a
        clip do not depend on the batch.
        """
        longest = max(len(w) for w in waves)
        if longest > LONGEST:
            seconds = longest / SAMPLE_RATE
            raise ValueError(f"a clip of {seconds:.1f} s; the encoder has 29.5 s of positions")
        padded, lengths = padded_batch(waves)
        return self.padded_frames(padded[:, :LONGEST], lengths)

    def padded_frames(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """As `frames`, for padded ``(batch, samples)`` with clips of ``lengths`` ``(batch,)``."""
        lengths = (lengths.clamp_min(SHORTEST) + TAIL) // (2 * HOP) * 2
        longest = (max(waves.shape[1], SHORTEST) + TAIL) // (2 * HOP) * 2
        padded = F.pad(waves, (0, longest * HOP + 400 - waves.shape[1]))
        mel = whisper_log_mel(padded)[..., :longest]
        inside = torch.arange(longest) < lengths[:, None]
        # Attention without a mask is faster.
        unpadded = not torch.compiler.is_exporting() and bool(inside.all())
        inside = inside.to(waves.device)
        x = F.gelu(self.conv1(mel * inside[:, None])) * inside[:, None]
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        mask = None if unpadded else inside[:, None, None, ::2]
        for layer in self.layers:
            x = layer(x, mask)
        return x
