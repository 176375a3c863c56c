"""A decoded recording in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from ..errors import AudioError
from ..types import Notice
from .level import level_warnings
from .resampling import Resampler, Wave, channels_of
from .segmentation import SAMPLE_RATE

BLOCK = 1 << 14  # samples of a block


@dataclass(frozen=True)
class Recording:
    """One decoded recording.

    Attributes:
        name: The file's path, or ``<bytes>``, ``<stream>``, ``<array>``.
        wave: Samples ``(samples,)``, float32, mono, 16 kHz, at the recorded level.
        warnings: What to know before trusting a result.
        sampling_rate: Sampling rate in Hz before resampling to 16 kHz.
    """

    name: str
    wave: Wave
    warnings: tuple[Notice, ...] = ()
    sampling_rate: float = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.wave) / SAMPLE_RATE


class RecordingBlocks:
    """A decoded recording that is taken block by block, with the interface of a `Decoder`.

    Attributes:
        name: Name of the recording.
        channel: None; a recording has one.
        promised: Its duration in seconds.
        warnings: Its warnings about the file; those about the audio are made anew of each part.
    """

    channel = None

    def __init__(self, recording: Recording) -> None:
        self.name = recording.name
        self.promised = recording.seconds
        self.warnings = [w for w in recording.warnings if w.of_file]
        self._wave = recording.wave
        self._taken = 0

    def __iter__(self) -> Iterator[Wave]:
        for start in range(0, len(self._wave), BLOCK):
            block = self._wave[start : start + BLOCK]
            self._taken += len(block)
            yield block

    @property
    def seconds(self) -> float:
        """Duration of the blocks that were taken so far."""
        return self._taken / SAMPLE_RATE


def from_array(samples: ArrayLike, sampling_rate: float | None) -> Recording:
    """Make a recording of samples ``(samples,)`` or ``(samples, channels)``.

    Args:
        samples: int16, int32 or floats in ±1.
        sampling_rate: In Hz.

    Raises:
        ValueError: The sampling rate is missing or not a number, or the array has another shape or
            type.
        AudioError: There are no samples, or NaN or infinite ones.
    """
    if not isinstance(sampling_rate, Real):
        known = sampling_rate is None or isinstance(sampling_rate, str)
        given = repr(sampling_rate) if known else type(sampling_rate).__name__
        raise ValueError(
            f"sampling_rate={given}: an array needs its sampling rate in Hz, such as "
            "sampling_rate=16000"
        )
    resampler = Resampler("<array>", float(sampling_rate))
    samples = np.asarray(samples)
    blocks = channels_of(samples)
    if samples.dtype == np.int32 and 0 < np.abs(blocks).max(initial=0) <= 2**-16:
        raise ValueError(
            "int32 samples of at most 32768, which is silence; if they are 16-bit samples, give "
            "samples.astype(numpy.int16)"
        )
    wave = np.concatenate([resampler.push(blocks), resampler.close()])
    warnings = list(resampler.warnings())
    return make_recording("<array>", wave, float(sampling_rate), warnings)


def make_recording(
    name: str, wave: Wave, sampling_rate: float = SAMPLE_RATE, warnings: Sequence[Notice] = ()
) -> Recording:
    """Make a recording of a wave, with warnings about its level and length.

    Args:
        name: See `Recording`.
        wave: ``(samples,)`` at 16 kHz.
        sampling_rate: Sampling rate in Hz before resampling.
        warnings: Further warnings, such as those of a decoder.

    Raises:
        AudioError: There are no samples.
    """
    if not len(wave):
        raise AudioError(f"{name}: has no samples")
    return Recording(name, wave, (*level_warnings(wave), *warnings), sampling_rate)
