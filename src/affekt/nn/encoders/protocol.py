"""Base class of every segment encoder."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from ...audio.segmentation import FRAME, SEGMENT_FRAMES

ROUND = 8_000  # samples; batches are padded to a multiple of it


class SegmentEncoder(nn.Module):
    """Encodes each segment of a clip to one embedding.

    An encoder of your own is a class derived from this one that sets `dim` and implements
    `forward`. The setting ``encoder.name`` is its dotted path (``my_package.encoders:MyEncoder``).
    It is called with ``encoder.options`` as keyword arguments, and its ``state_dict`` is saved with
    the model.

    Attributes:
        dim: Length of a segment's embedding.
        contextual: Whether a segment's embedding depends on the rest of its clip. If so (the
            default), the segments of a clip are encoded together in training, too.
        stacked: Number of layers concatenated in an embedding, for a learned mix.
        parts: Lengths of what is concatenated in it, if it comes from several encoders.
            The linear head takes them as independent.
        architecture: What is needed to build the encoder without its weights. For an encoder of
            your own: its keyword arguments, needed only if an instance is given instead of a class.
        origin: Where the weights came from: "random start", or a file and its hash.
        version: Version of the code. Increase it with each change that alters the embeddings:
            cached embeddings of earlier versions are then no longer used.
    """

    dim: int
    contextual: bool = True
    stacked: int = 1
    parts: tuple[int, ...] = ()
    architecture: Mapping[str, Any] = MappingProxyType({})
    origin: str = "random start"
    version: int = 1

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """Encode every segment of a batch of clips.

        A clip's embeddings are the same alone and in any batch.

        Args:
            waves: ``(samples,)`` float32 of each clip: mono, 16 kHz, at most 29.5 s. A clip may be
                shorter than a segment; the rest of the segment is silence.
            spans: ``(segments, 2)`` int64 of each clip: first frame of each segment and the frame
                after its last, 96 frames later; a frame is 10 ms (160 samples).

        Returns:
            ``(segments of all clips, dim)``, clip after clip.
        """
        raise NotImplementedError

    @staticmethod
    def cut(waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """Cut clips into their segments, for encoders that are not contextual.

        Args:
            waves: As for `forward`.
            spans: As for `forward`.

        Returns:
            Samples ``(segments of all clips, 15360)``, zero after the end of a clip.
        """
        segments = []
        for wave, span in zip(waves, spans, strict=True):
            missing = int(span.max()) * FRAME - len(wave)
            padded = pad(wave, (0, max(0, missing)))
            segments.append(padded.unfold(0, SEGMENT_FRAMES * FRAME, FRAME)[span[:, 0]])
        return torch.cat(segments)


def padded_batch(waves: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pad waves with zeros to ``(batch, samples)``, and their lengths in samples ``(batch,)``.

    A batch is padded to half seconds: oneDNN stores a kernel for each shape, so that few shapes
    need little memory. A single wave is not padded.
    """
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = pad_sequence(list(waves), batch_first=True)
    missing = -padded.shape[1] % ROUND if len(waves) > 1 else 0
    return pad(padded, (0, missing)), lengths
