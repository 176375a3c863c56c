"""Embeddings of an encoded recording."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .classifier import EncodedRecording

Level = Literal["segment", "clip"]


def embedding(encoded: EncodedRecording, level: Level = "segment") -> NDArray[np.float32]:
    """Embeddings of the encoder, before any standardisation.

    Args:
        encoded: A recording.
        level: Each segment, or the clip as the mean of its segments.

    Returns:
        ``(segments, dim)`` for "segment", ``(dim,)`` for "clip".

    Raises:
        ValueError: An unknown level.
    """
    if level not in ("segment", "clip"):
        raise ValueError(f"level = {level!r}; choose 'segment' or 'clip'")
    segments = encoded.own
    vectors = segments if level == "segment" else segments.mean(0)
    result: NDArray[np.float32] = vectors.detach().cpu().float().numpy()
    return result
