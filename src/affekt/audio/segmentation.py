"""Where the 0.96 s segments of an utterance lie.

Nothing here takes a label: this is the only segmentation that validation, test and
inference know. The class-dependent hops of the paper's data balance live in
``affekt.training.balance``, out of reach of anything that predicts.

A segment is 96 frames of 10 ms. Starts lie on that 10 ms grid, so that every encoder
cuts at the same place. Spans are arrays ``(segments, 2)`` of seconds.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 100
SEGMENT_FRAMES = 96
SEGMENT = SEGMENT_FRAMES / FRAMES_PER_SECOND

Spans = NDArray[np.float64]


def frames(seconds: float) -> int:
    """Whole 10 ms frames in `seconds` (a guard keeps 0.96 s from being 95 frames)."""
    return int(seconds * FRAMES_PER_SECOND + 1e-6)


def hopped(seconds: float, hop: float) -> Spans:
    """Segments every `hop` seconds that fit whole; what is left at the end is dropped.

    A clip shorter than a segment gives one, which the encoder pads (case 1 of section 1.1).

    Raises:
        ValueError: `hop` is not a positive multiple of 0.01 s.
    """
    hop_frames = round(hop * FRAMES_PER_SECOND)
    if hop_frames < 1 or abs(hop_frames / FRAMES_PER_SECOND - hop) > 1e-9:
        raise ValueError(f"hop is {hop} s; it must be a positive multiple of 0.01 s")
    last = max(frames(seconds) - SEGMENT_FRAMES, 0)
    return _spans(np.arange(0, last + 1, hop_frames))


def head_and_tail(seconds: float) -> Spans:
    """The first and the last segment only: undersampling of large classes (case 2)."""
    last = max(frames(seconds) - SEGMENT_FRAMES, 0)
    return _spans(np.unique([0, last]))


def uniform(seconds: float, hop: float) -> Spans:
    """Segments every `hop` seconds, and one flush with the end where the last falls short.

    The same rule for every clip, whatever its class: together the segments cover the
    clip to within one frame.
    """
    regular, ends = hopped(seconds, hop), head_and_tail(seconds)
    return np.unique(np.concatenate([regular, ends[-1:]]), axis=0)


def interleaved(seconds: float, hop: float, ways: int) -> tuple[Spans, list[NDArray[np.intp]]]:
    """Segments that lie closer than a model's hop, and the sequences that it reads them in.

    A model knows sequences at its own hop. For a finer timeline it reads several of them, each
    begun a share of the hop later than the one before.

    Args:
        seconds: Duration of the clip.
        hop: The model's, in seconds.
        ways: How many sequences; a clip that is too short for a later one has fewer.

    Returns:
        All spans in order, and for each sequence which of them are its own. The first sequence
        is that of `uniform`.
    """
    sequences = [uniform(seconds, hop)]
    for way in range(1, ways):
        shift = round(hop * way / ways, 2)
        if frames(seconds - shift) >= SEGMENT_FRAMES:
            sequences.append(np.round(hopped(seconds - shift, hop) + shift, 2))
    spans = np.unique(np.concatenate(sequences), axis=0)
    return spans, [np.searchsorted(spans[:, 0], s[:, 0]) for s in sequences]


def _spans(starts: NDArray[np.int64]) -> Spans:
    # Division, not multiplication: equal times are then equal bits.
    return np.stack([starts, starts + SEGMENT_FRAMES], axis=1) / FRAMES_PER_SECOND
