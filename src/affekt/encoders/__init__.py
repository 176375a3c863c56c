"""Segment encoders: waves and spans in, one vector a segment out. No encoder takes a label."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..audio import Wave
from ..segments import SAMPLE_RATE, Spans
from .vggish import VGGish
from .whisper import Whisper

WINDOW = 24.0  # s; longer clips are encoded window by window
MARGIN = 1.0  # s of context on either side of a window
BATCH = 64.0  # s of audio encoded at a time


class SegmentEncoder(Protocol):
    """What the rest of the package knows of an encoder; each is an ``nn.Module`` too.

    Attributes:
        dim: Length of a segment's vector.
        contextual: Whether a segment's vector depends on the rest of its clip. If so a
            clip's segments are trained on together: one at a time would cost far more.
        origin: Where the weights came from: "random start", or a file and its hash.
    """

    dim: int
    contextual: bool
    origin: str

    def __call__(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """Encode every segment of a batch of clips.

        A clip's vectors are the same alone and in any batch.

        Args:
            waves: One ``(samples,)`` a clip, 16 kHz, at most 29.5 s.
            spans: One ``(segments, 2)`` a clip, seconds on a grid of 0.01 s.

        Returns:
            ``(segments of all clips, dim)``, clip after clip.
        """
        ...


def encode(
    encoder: SegmentEncoder, waves: Sequence[Wave], spans: Sequence[Spans]
) -> Iterator[tuple[int, Tensor]]:
    """Encode clips of any number and length in bounded memory, without gradients.

    Clips of like length share a batch, so that little is padded.

    Yields:
        The clip's index and its vectors ``(segments, dim)``, in order of length.
    """
    batch: list[int] = []
    for i in sorted(range(len(waves)), key=lambda i: len(waves[i])):
        if batch and (len(batch) + 1) * len(waves[i]) > BATCH * SAMPLE_RATE:
            yield from _encode_batch(encoder, waves, spans, batch)
            batch = []
        batch.append(i)
    if batch:
        yield from _encode_batch(encoder, waves, spans, batch)


@torch.inference_mode()
def _encode_batch(
    encoder: SegmentEncoder, waves: Sequence[Wave], spans: Sequence[Spans], batch: list[int]
) -> list[tuple[int, Tensor]]:
    if len(batch) == 1:  # perhaps long: one window at a time
        i = batch[0]
        return [(i, torch.cat([encoder([w], [s]) for w, s in windows(waves[i], spans[i])]))]
    pairs = [next(windows(waves[i], spans[i])) for i in batch]
    vectors = encoder([w for w, _ in pairs], [s for _, s in pairs])
    return list(zip(batch, vectors.split([len(s) for _, s in pairs]), strict=True))


def windows(wave: Wave, spans: Spans) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a long clip into windows that the encoder can hold, with their share of the spans.

    A clip of up to `WINDOW` seconds passes whole.
    """
    if len(wave) <= WINDOW * SAMPLE_RATE:
        yield torch.from_numpy(wave), torch.from_numpy(spans)
        return
    which = spans[:, 0] // WINDOW
    for k in sorted(set(which)):
        offset = max(0.0, k * WINDOW - MARGIN)
        stop = spans[which == k, 1].max() + MARGIN
        part = wave[int(offset * SAMPLE_RATE) : int(stop * SAMPLE_RATE)]
        yield torch.from_numpy(part), torch.from_numpy(spans[which == k] - offset)
