"""The level of a recording: RMS normalisation, and warnings about its audio."""

from collections.abc import Iterator

import numpy as np

from ..types import Notice
from .resampling import Wave
from .segmentation import SAMPLE_RATE, SEGMENT

BLOCK = 1 << 14  # samples squared at a time
SILENCE = 1e-4  # RMS, -80 dBFS; a quieter recording is silent and not scaled
TARGET_RMS = 0.1  # -20 dBFS


class Level:
    """Offset and RMS of a recording that comes block by block."""

    def __init__(self) -> None:
        self._samples = 0
        self._sum = 0.0
        self._squares = 0.0

    def push(self, wave: Wave) -> None:
        """Add a block ``(samples,)`` of any length."""
        self._samples += len(wave)
        for start in range(0, len(wave), BLOCK):
            block = wave[start : start + BLOCK].astype(np.float64)
            self._sum += float(block.sum())
            self._squares += float(np.square(block).sum())  # a dot product would start BLAS threads

    @property
    def offset(self) -> float:
        """Mean of the samples."""
        return self._sum / max(self._samples, 1)

    @property
    def rms(self) -> float:
        """RMS about the mean."""
        return max(self._squares / max(self._samples, 1) - self.offset**2, 0.0) ** 0.5

    def silence(self) -> Iterator[Notice]:
        """A warning if the recording is silent."""
        if self.rms < SILENCE:
            offset_only = "silent: a constant offset and no sound"
            yield Notice("silent", offset_only if abs(self.offset) > SILENCE else "silent")


def rms_normalise(wave: Wave) -> Wave:
    """Remove the offset and scale to an RMS of -20 dBFS; silence is not scaled.

    log(mel + 0.01) saturates on quiet recordings, and the recording level depends on the
    microphone more than on the emotion.
    """
    level = _level(wave)
    centred = wave - np.float32(level.offset)
    if level.rms > SILENCE:
        centred *= np.float32(TARGET_RMS / level.rms)
    return centred


def level_warnings(wave: Wave) -> Iterator[Notice]:
    """Warnings about a silent, clipped, wrongly scaled or short recording."""
    peak = float(max(wave.max(), -wave.min()))
    full = 0.999 * max(peak, 0.5)
    if silence := list(_level(wave).silence()):
        yield from silence
    elif peak > 2:
        text = f"peaks at {peak:.0f}, far beyond ±1: integer samples stored as floats?"
        yield Notice("peaks", text)
    elif np.count_nonzero(wave >= full) + np.count_nonzero(wave <= -full) > 0.01 * len(wave):
        yield Notice("clipped", "clipped: more than 1 % of the samples are at full scale")
    if len(wave) < SEGMENT * SAMPLE_RATE:
        seconds = len(wave) / SAMPLE_RATE
        yield Notice("short", f"short: {seconds:.2f} s, less than one segment of {SEGMENT:.2f} s")


def _level(wave: Wave) -> Level:
    level = Level()
    level.push(wave)
    return level
