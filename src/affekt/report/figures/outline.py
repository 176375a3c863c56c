"""Envelope and log-mel of a recording of any length, for its figure."""

import numpy as np
import torch
from numpy.typing import NDArray

from ...audio.resampling import Wave
from ...audio.segmentation import SAMPLE_RATE
from ...nn.encoders.melspec import HOP, WINDOW, vggish_log_mel

FRAMES_PER_SECOND = 100
LOWEST, STEP = -4.7, 0.05  # log-mel is stored in 256 steps, from log(0.01) to 8


class Outline:
    """Minimum, maximum and log-mel of every 10 ms.

    Ten hours take 260 MB, a tenth of the samples.
    """

    def __init__(self) -> None:
        self._remaining = np.empty(0, np.float32)
        self._extremes: list[NDArray[np.float32]] = []
        self._mel: list[NDArray[np.uint8]] = []

    def push(self, block: Wave) -> None:
        """Add the next block ``(samples,)``, of any length."""
        wave = np.concatenate([self._remaining, block])
        frames = (len(wave) - (WINDOW - HOP)) // HOP
        if frames > 0:
            self._add(wave, frames)
            wave = wave[frames * HOP :]
        self._remaining = wave

    def close(self) -> float:
        """Add the remaining samples, once, and return the duration in seconds."""
        seconds = sum(map(len, self._mel)) / FRAMES_PER_SECOND + len(self._remaining) / SAMPLE_RATE
        self.push(np.zeros(WINDOW, np.float32))
        self._extremes, self._mel = [np.concatenate(self._extremes)], [np.concatenate(self._mel)]
        return seconds

    def _add(self, wave: Wave, frames: int) -> None:
        each = wave[: frames * HOP].reshape(frames, HOP)
        self._extremes.append(np.stack([each.min(1), each.max(1)], axis=1))
        mel = vggish_log_mel(torch.from_numpy(wave[: (frames - 1) * HOP + WINDOW])).numpy()
        self._mel.append(((mel - LOWEST) / STEP).clip(0, 255).astype(np.uint8))

    def columns(
        self, start: float, end: float, most: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]]:
        """Reduce an interval to columns; call `close` first.

        Args:
            start: Start of the interval in seconds.
            end: End of the interval in seconds.
            most: Maximum number of columns.

        Returns:
            Edges of the columns in seconds ``(columns + 1,)``, their minima and maxima
            ``(columns, 2)`` and their mean log-mel ``(columns, 64)``.
        """
        [extremes], [mel] = self._extremes, self._mel
        first = min(round(start * FRAMES_PER_SECOND), len(mel) - 1)
        last = max(first + 1, min(round(end * FRAMES_PER_SECOND), len(mel)))
        edges = np.linspace(first, last, min(most, last - first) + 1).astype(int)
        low = np.minimum.reduceat(extremes[first:last, 0], edges[:-1] - first)
        high = np.maximum.reduceat(extremes[first:last, 1], edges[:-1] - first)
        sums = np.add.reduceat(mel[first:last], edges[:-1] - first, axis=0, dtype=np.float64)
        log = LOWEST + STEP * sums / np.diff(edges)[:, None]
        return edges / FRAMES_PER_SECOND, np.stack([low, high], axis=1), log
