"""Encodes any number of clips of any length in bounded memory."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...audio.resampling import Wave
from ...audio.segmentation import FRAME, SAMPLE_RATE, SEGMENT_FRAMES, Spans, frames
from ..devices import device_of
from .protocol import SegmentEncoder

WINDOW = 24.0  # s; longer clips are encoded window by window
MARGIN = 1.0  # s of context on either side of a window
BATCH = 16.0  # s of audio encoded at a time; more does not fit the caches of two cores


def encode(
    encoder: SegmentEncoder, waves: Sequence[Wave], spans: Sequence[Spans]
) -> Iterator[tuple[int, Tensor]]:
    """Encode clips without gradients, in batches of similar length.

    Args:
        encoder: In evaluation mode.
        waves: ``(samples,)`` of each clip.
        spans: ``(segments, 2)`` of each clip, in frames.

    Yields:
        The index of each clip and its embeddings ``(segments, dim)``.
    """
    short = [i for i, wave in enumerate(waves) if len(wave) <= WINDOW * SAMPLE_RATE]
    for batch in batches([len(waves[i]) for i in short], BATCH):
        yield from _encode_batch(encoder, waves, spans, [short[k] for k in batch])
    for i, wave in enumerate(waves):
        if len(wave) > WINDOW * SAMPLE_RATE:
            yield i, _encode_long(encoder, wave, spans[i])


def batches(lengths: Sequence[int], seconds: float) -> Iterator[list[int]]:
    """Divide clips into batches of similar length, so that little is padded.

    Args:
        lengths: Samples of each clip.
        seconds: Duration of a padded batch, at most; a longer clip is a batch of its own.

    Yields:
        Indices of the clips of a batch, in order of length.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[i] > seconds * SAMPLE_RATE:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


@torch.inference_mode()
def _encode_batch(
    encoder: SegmentEncoder, waves: Sequence[Wave], spans: Sequence[Spans], batch: list[int]
) -> list[tuple[int, Tensor]]:
    """Encode some of the clips together.

    Args:
        encoder: In evaluation mode.
        waves: As of `encode`.
        spans: As of `encode`.
        batch: Indices of the clips.

    Returns:
        The index and the embeddings of each.
    """
    device = device_of(encoder)
    embeddings = encoder(
        [torch.from_numpy(waves[i]).to(device) for i in batch],
        [torch.from_numpy(spans[i]) for i in batch],
    ).cpu()
    return list(zip(batch, embeddings.split([len(spans[i]) for i in batch]), strict=True))


@torch.inference_mode()
def _encode_long(encoder: SegmentEncoder, wave: Wave, spans: Spans) -> Tensor:
    device = device_of(encoder)
    parts = [encoder([part.to(device)], [inside]).cpu() for part, inside in windows(wave, spans)]
    return torch.cat(parts)


def windows(wave: Wave, spans: Spans) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a clip into windows that the encoder can take, with the spans in each.

    A clip of up to `WINDOW` seconds is one window.
    """
    if len(wave) <= WINDOW * SAMPLE_RATE:
        yield torch.from_numpy(wave), torch.from_numpy(spans)
        return
    window, margin = frames(WINDOW), frames(MARGIN)
    which = spans[:, 0] // window
    for k in sorted(set(which.tolist())):
        offset = max(0, k * window - margin)
        stop = (k + 1) * window + SEGMENT_FRAMES + margin
        part = wave[offset * FRAME : stop * FRAME]
        yield torch.from_numpy(part), torch.from_numpy(spans[which == k] - offset)
