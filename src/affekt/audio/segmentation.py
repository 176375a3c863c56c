"""Segmentation: positions of the 0.96 s segments of a clip.

No function here takes a label: validation, test and inference have no other segmentation. The
class-dependent hops of the paper's data balance are in ``affekt.training.balance``, which inference
does not import.

Positions are frames of 10 ms, the same for every encoder: spans are int64 arrays
``(segments, 2)`` with the first frame of each segment and the frame after its last, 96 frames
later.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 100
FRAME = SAMPLE_RATE // FRAMES_PER_SECOND  # samples
SEGMENT_FRAMES = 96
SEGMENT = SEGMENT_FRAMES / FRAMES_PER_SECOND  # s

Spans = NDArray[np.int64]


def frames(seconds: float) -> int:
    """Number of complete frames in a duration; 0.96 s are 96 despite rounding errors."""
    return int(seconds * FRAMES_PER_SECOND + 1e-6)


def hopped(seconds: float, hop: float) -> Spans:
    """Segments every `hop` seconds within the clip; a shorter rest at its end is dropped.

    A clip shorter than a segment has one segment, which the encoder pads (case 1 of section 1.1).

    Raises:
        ValueError: `hop` is not a positive multiple of 0.01 s.
    """
    return _spans(np.arange(0, _last_start(seconds) + 1, _hop_frames(hop)))


def head_and_tail(seconds: float) -> Spans:
    """The first and the last segment only, to undersample large classes (case 2)."""
    return _spans(np.unique([0, _last_start(seconds)]))


def uniform(seconds: float, hop: float) -> Spans:
    """Segments every `hop` seconds, and a last one that ends with the clip, whatever its class.

    Together the segments cover the clip to within one frame.

    Raises:
        ValueError: `hop` is not a positive multiple of 0.01 s.
    """
    last = _last_start(seconds)
    starts = np.arange(0, last + 1, _hop_frames(hop))
    return _spans(starts if starts[-1] == last else np.append(starts, last))


def interleaved(seconds: float, hop: float, ways: int) -> tuple[Spans, list[NDArray[np.intp]]]:
    """Segments at a fraction of the model's hop, and the sequences that the model takes them in.

    A model is trained on sequences at its own hop. For a finer timeline it is applied to several
    sequences, each shifted by a fraction of the hop.

    Args:
        seconds: Duration of the clip.
        hop: The model's hop in seconds.
        ways: Number of sequences; a clip too short for a shifted one has fewer.

    Returns:
        All spans ``(segments, 2)`` in order, and for each sequence the indices of its spans. The
        first sequence is that of `uniform`.
    """
    sequences = [uniform(seconds, hop)]
    for way in range(1, ways):
        shift = round(hop * way / ways * FRAMES_PER_SECOND)
        rest = seconds - shift / FRAMES_PER_SECOND
        if frames(rest) >= SEGMENT_FRAMES:
            sequences.append(hopped(rest, hop) + shift)
    spans = np.unique(np.concatenate(sequences), axis=0)
    return spans, [np.searchsorted(spans[:, 0], s[:, 0]) for s in sequences]


def to_seconds(spans: Spans) -> NDArray[np.float64]:
    """Spans in seconds, for results and reports."""
    return spans / FRAMES_PER_SECOND


def _hop_frames(hop: float) -> int:
    hop_frames = round(hop * FRAMES_PER_SECOND)
    if hop_frames < 1 or abs(hop_frames / FRAMES_PER_SECOND - hop) > 1e-9:
        raise ValueError(f"hop is {hop} s; it must be a positive multiple of 0.01 s")
    return hop_frames


def _last_start(seconds: float) -> int:
    return max(frames(seconds) - SEGMENT_FRAMES, 0)


def _spans(starts: NDArray[np.int64]) -> Spans:
    return np.stack([starts, starts + SEGMENT_FRAMES], axis=1)
