"""Encodes any number of clips of any length in bounded memory."""

import os
from collections.abc import Iterator, Sequence
from threading import Lock

import torch
from torch import Tensor

from ...audio.resampling import Wave
from ...audio.segmentation import FRAME, SAMPLE_RATE, SEGMENT_FRAMES, Spans, frames, uniform
from ..devices import device_of
from .protocol import SegmentEncoder

WINDOW = 24.0  # s; longer clips are encoded window by window
MARGIN = 1.0  # s of context on either side of a window
BATCH = 16.0  # s of audio encoded at a time; more does not fit the caches of two cores
LARGEST_BATCH = 240.0  # s, on a GPU; more is hardly faster, and needs memory for what was decoded
# torch and oneDNN prepare layers for each length of a clip, and would keep what they prepared for
# 1024 lengths: over a gigabyte. Both read these variables when they are first used.
os.environ.setdefault("LRU_CACHE_CAPACITY", "16")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
_gpu = Lock()  # threads take turns: each batch may need half of the memory


def encode(
    encoder: SegmentEncoder,
    waves: Sequence[Wave],
    spans: Sequence[Spans],
    seconds: float = BATCH,
) -> Iterator[tuple[int, Tensor]]:
    """Encode clips without gradients, in batches of similar length.

    Args:
        encoder: In evaluation mode.
        waves: ``(samples,)`` of each clip.
        spans: ``(segments, 2)`` of each clip, in frames.
        seconds: Duration of a batch, from `batch_seconds`.

    Yields:
        The index of each clip and its embeddings ``(segments, dim)``.
    """
    short = [i for i, wave in enumerate(waves) if len(wave) <= WINDOW * SAMPLE_RATE]
    for batch in batches([len(waves[i]) for i in short], seconds):
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
    """Encode some of the clips together; in halves if a GPU does not have the memory.

    Args:
        encoder: In evaluation mode.
        waves: As of `encode`.
        spans: As of `encode`.
        batch: Indices of the clips.

    Returns:
        The index and the embeddings of each.
    """
    parts = [torch.from_numpy(waves[i]) for i in batch], [torch.from_numpy(spans[i]) for i in batch]
    try:
        embeddings = _run(encoder, *parts)
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
        half = len(batch) // 2
        return [
            each
            for some in (batch[:half], batch[half:])
            for each in _encode_batch(encoder, waves, spans, some)
        ]
    return list(zip(batch, embeddings.split([len(spans[i]) for i in batch]), strict=True))


def _run(encoder: SegmentEncoder, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
    """Embeddings on the CPU of waves on the CPU, by an encoder on any device."""
    device = device_of(encoder)
    if device.type == "cpu":
        return encoder(waves, spans)
    with _gpu:
        return encoder([wave.to(device) for wave in waves], spans).cpu()


@torch.inference_mode()
def _encode_long(encoder: SegmentEncoder, wave: Wave, spans: Spans) -> Tensor:
    return torch.cat([_run(encoder, [part], [inside]) for part, inside in windows(wave, spans)])


@torch.inference_mode()
def batch_seconds(encoder: SegmentEncoder) -> float:
    """Seconds of audio that an encoder should take at a time.

    On a CPU they fit its caches. On a CUDA GPU they need half of the memory that is free now, as
    measured with two clips as long as clips can be.
    """
    device = device_of(encoder)
    if device.type != "cuda":
        return BATCH
    waves = [torch.zeros(round(seconds * SAMPLE_RATE)) for seconds in (WINDOW, WINDOW - 1)]
    spans = [torch.from_numpy(uniform(WINDOW - 1, 0.24)) for _ in waves]
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    _run(encoder, waves, spans)
    used = torch.cuda.max_memory_allocated(device) - before
    return seconds_that_fit(torch.cuda.mem_get_info(device)[0], used / (2 * WINDOW))


def seconds_that_fit(free: float, per_second: float) -> float:
    """Seconds of a batch that need half of the free memory, from `BATCH` to `LARGEST_BATCH`.

    Args:
        free: Bytes.
        per_second: Bytes for a second of audio.
    """
    return min(max(free / 2 / per_second, BATCH), LARGEST_BATCH)


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
