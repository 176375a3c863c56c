"""The level of a recording: RMS normalisation, and warnings about its audio."""

from collections.abc import Iterator

import numpy as np

from ..types import Notice
from .resampling import Wave
from .segmentation import SAMPLE_RATE, SEGMENT

BLOCK = 1 << 14  # samples squared at a time
SILENCE = 1e-4  # RMS, -80 dBFS; a quieter recording is silent and not scaled
TARGET_RMS = 0.1  # -20 dBFS


def rms_normalise(wave: Wave) -> Wave:
    """Remove the offset and scale to an RMS of -20 dBFS; silence is not scaled.

    log(mel + 0.01) saturates on quiet recordings, and the recording level depends on the
    microphone more than on the emotion.
    """
    offset, rms = _offset_and_rms(wave)
    centred = wave - np.float32(offset)
    if rms > SILENCE:
        centred *= np.float32(TARGET_RMS / rms)
    return centred


def level_warnings(wave: Wave) -> Iterator[Notice]:
    """Warnings about a silent, clipped, wrongly scaled or short recording."""
    (offset, rms), peak = _offset_and_rms(wave), float(max(wave.max(), -wave.min()))
    full = 0.999 * max(peak, 0.5)
    if rms < SILENCE:
        offset_only = "silent: a constant offset and no sound"
        yield Notice("silent", offset_only if abs(offset) > SILENCE else "silent")
    elif peak > 2:
        text = f"peaks at {peak:.0f}, far beyond ±1: integer samples stored as floats?"
        yield Notice("peaks", text)
    elif np.count_nonzero(wave >= full) + np.count_nonzero(wave <= -full) > 0.01 * len(wave):
        yield Notice("clipped", "clipped: more than 1 % of the samples are at full scale")
    if len(wave) < SEGMENT * SAMPLE_RATE:
        seconds = len(wave) / SAMPLE_RATE
        yield Notice("short", f"short: {seconds:.2f} s, less than one segment of {SEGMENT:.2f} s")


def _offset_and_rms(wave: Wave) -> tuple[float, float]:
    """Mean, and RMS about it, without a copy of a wave that may be ten hours long."""
    offset = float(wave.mean(dtype=np.float64))
    blocks = (wave[i : i + BLOCK] for i in range(0, len(wave), BLOCK))
    energy = sum(float(np.square(b - offset, dtype=np.float64).sum()) for b in blocks)
    return offset, (energy / len(wave)) ** 0.5
