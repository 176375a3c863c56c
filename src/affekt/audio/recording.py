"""A wave in memory: mono, 16 kHz, float32; its level, and what is odd about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from ..errors import AudioError
from ..types import Notice
from .segmentation import SAMPLE_RATE, SEGMENT

Wave = NDArray[np.float32]

RATES = (1_000, 768_000)  # Hz
BLOCK = 1 << 14  # samples looked at together
MAX_PEAK = 1e10  # beyond what 32-bit integers stored as floats reach
SILENCE = 1e-4  # RMS, -80 dBFS: below it there is nothing to hear or to normalise
TARGET_RMS = 0.1  # -20 dBFS


@dataclass(frozen=True)
class Recording:
    """One decoded recording.

    Attributes:
        name: The file's path, or ``<bytes>``, ``<stream>``, ``<array>``.
        wave: Samples ``(samples,)``, float32, mono, 16 kHz, at the recorded level.
        warnings: What to know before trusting a result.
        rate: Sampling rate in Hz before it was brought to 16 kHz.
    """

    name: str
    wave: Wave
    warnings: tuple[Notice, ...] = ()
    rate: float = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.wave) / SAMPLE_RATE


class Resampler:
    """Blocks of any rate and number of channels to blocks of a wave.

    Args:
        name: What errors call the recording.
        rate: Sampling rate in Hz.
        channel: The one to hear, from 0 on; their mean unless given.

    Raises:
        AudioError: A rate out of range.
    """

    def __init__(self, name: str, rate: float, channel: int | None = None) -> None:
        if not RATES[0] <= rate <= RATES[1]:
            lowest, highest = RATES
            raise AudioError(f"{name}: sampled at {rate} Hz; {lowest} to {highest} Hz can be read")
        self.name, self.rate, self.channel = name, rate, channel
        self.taken = 0  # samples of each channel so far
        self._stream = None
        if rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, block: NDArray[np.floating]) -> Wave:
        """What a block ``(samples, channels)`` adds to the wave.

        Raises:
            AudioError: NaN, infinite or absurd samples.
        """
        if self.channel is None:
            mono = block.mean(axis=1, dtype=np.float64)
        else:
            mono = block[:, self.channel]
        if not (np.abs(mono) < MAX_PEAK).all():
            at = (self.taken + int(np.argmin(np.abs(mono) < MAX_PEAK))) / self.rate
            raise AudioError(
                f"{self.name}: has NaN, infinite or absurd samples, the first at {at:.2f} s"
            )
        self.taken += len(mono)
        wave = mono.astype(np.float32)
        return self._stream.resample_chunk(wave) if self._stream else wave

    def close(self) -> Wave:
        """What the end of the recording adds."""
        rest = np.empty(0, np.float32)
        return self._stream.resample_chunk(rest, last=True) if self._stream else rest


def channels_of(samples: ArrayLike) -> NDArray[np.floating]:
    """Samples ``(samples,)`` or ``(samples, channels)`` as floats ``(samples, channels)`` in ±1.

    Raises:
        ValueError: An array of another shape or type.
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] > max(64, len(array))):
        raise ValueError(f"array of shape {array.shape}: give (samples,) or (samples, channels)")
    if array.dtype.kind == "i" and array.dtype.itemsize <= 4:
        array = array / -float(np.iinfo(array.dtype).min)
    elif array.dtype.kind != "f":
        raise ValueError(f"array of {array.dtype}: give int16, int32 or floats in ±1")
    return array if array.ndim == 2 else array[:, None]


def from_array(samples: ArrayLike, rate: float | None) -> Recording:
    """Take samples ``(samples,)`` or ``(samples, channels)``, int16, int32 or floats in ±1.

    Raises:
        ValueError: The rate is missing or no number, or the array has another shape or type.
        AudioError: There are no samples, or NaN or infinite ones.
    """
    if not isinstance(rate, Real):
        raise ValueError(f"rate={rate!r}: an array needs its sampling rate, such as rate=16000")
    resampler = Resampler("<array>", float(rate))
    wave = np.concatenate([resampler.push(channels_of(samples)), resampler.close()])
    return make_recording("<array>", wave, float(rate))


def make_recording(
    name: str, wave: Wave, rate: float = SAMPLE_RATE, warnings: Sequence[Notice] = ()
) -> Recording:
    """A wave at 16 kHz as a recording, with what is odd about it.

    Raises:
        AudioError: There are no samples.
    """
    if not len(wave):
        raise AudioError(f"{name}: has no samples")
    return Recording(name, wave, (*_quality(wave), *warnings), rate)


def _quality(wave: Wave) -> Iterator[Notice]:
    """Warnings about the sound of a wave."""
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


def level(wave: Wave) -> Wave:
    """Remove the offset and scale to an RMS of -20 dBFS; silence stays silence.

    log(mel + 0.01) saturates on quiet recordings, and how loud someone was recorded says
    more about the microphone than about the emotion.
    """
    offset, rms = _offset_and_rms(wave)
    centred = wave - np.float32(offset)
    if rms > SILENCE:
        centred *= np.float32(TARGET_RMS / rms)
    return centred


def _offset_and_rms(wave: Wave) -> tuple[float, float]:
    """Mean, and RMS about it, without a copy of what may be ten hours."""
    offset = float(wave.mean(dtype=np.float64))
    blocks = (wave[i : i + BLOCK] for i in range(0, len(wave), BLOCK))
    energy = sum(float(np.square(b - offset, dtype=np.float64).sum()) for b in blocks)
    return offset, (energy / len(wave)) ** 0.5
