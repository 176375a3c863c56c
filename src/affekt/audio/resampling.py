"""Samples of any sampling rate, type and number of channels to a mono 16 kHz wave."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from ..errors import AudioError
from ..types import Notice
from .segmentation import SAMPLE_RATE

Wave = NDArray[np.float32]  # (samples,): mono, 16 kHz

SAMPLING_RATES = (1_000, 768_000)  # Hz, lowest and highest
CANCELLED = 0.1  # energy of the channels' mean, of what unrelated channels would have
MAX_PEAK = 1e10  # more than 32-bit integers stored as floats reach


class Block(NamedTuple):
    """Consecutive samples.

    Attributes:
        rate: Sampling rate in Hz.
        samples: ``(samples, channels)``.
    """

    rate: float
    samples: NDArray[np.floating]


class Resampler:
    """Resamples block by block.

    Args:
        name: Name of the recording in errors.
        sampling_rate: Sampling rate of the blocks in Hz.
        channel: The channel to use, from 0 on; by default the mean of all.

    Raises:
        AudioError: The sampling rate is out of range.
    """

    def __init__(self, name: str, sampling_rate: float, channel: int | None = None) -> None:
        lowest, highest = SAMPLING_RATES
        if not lowest <= sampling_rate <= highest:
            raise AudioError(
                f"{name}: sampled at {sampling_rate} Hz; {lowest} to {highest} Hz can be read"
            )
        self.name, self.sampling_rate, self.channel = name, sampling_rate, channel
        self.taken = 0  # samples of each channel so far
        self._energy = self._mean_energy = 0.0  # of the channels, and of their mean
        self._stream = None
        if sampling_rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(sampling_rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, block: NDArray[np.floating]) -> Wave:
        """Resample a block ``(samples, channels)``; the wave may lag behind by a few samples.

        Raises:
            AudioError: A sample is NaN, infinite or larger than `MAX_PEAK`.
        """
        channels = block.shape[1]
        if self.channel is None:
            # Channel by channel; numpy's mean over a short last axis takes seven times as long.
            mono = block.T.astype(np.float64, order="C").mean(axis=0)
        else:  # a later part of the file may have fewer channels
            mono = block[:, min(self.channel, channels - 1)]
        if not (np.abs(mono) < MAX_PEAK).all():
            first = int(np.argmin(np.abs(mono) < MAX_PEAK))
            at = (self.taken + first) / self.sampling_rate
            raise AudioError(
                f"{self.name}: the sample at {at:.2f} s is {mono[first]:g}, where full scale is 1; "
                "write the recording again"
            )
        self.taken += len(mono)
        if self.channel is None and channels > 1:
            # No product of numpy: its threads would take other cores for so small a block.
            self._energy += float(np.einsum("ij,ij->", block, block)) / channels**2
            self._mean_energy += float(np.einsum("i,i->", mono, mono))
        wave = mono.astype(np.float32)
        return self._stream.resample_chunk(wave) if self._stream else wave

    def close(self) -> Wave:
        """The last samples of the wave."""
        rest = np.empty(0, np.float32)
        return self._stream.resample_chunk(rest, last=True) if self._stream else rest

    @property
    def seconds(self) -> float:
        """Duration of the samples so far."""
        return self.taken / self.sampling_rate

    def warnings(self) -> Iterator[Notice]:
        """A warning if the channels cancel each other in their mean."""
        if self._mean_energy < CANCELLED * self._energy:
            text = (
                "antiphase: the channels cancel each other, and little is left of their mean; "
                "recognise each (--channels split) or turn the sign of one"
            )
            yield Notice("antiphase", text)


def channels_of(samples: ArrayLike, channels: int | None = None) -> NDArray[np.floating]:
    """Samples ``(samples,)`` or ``(samples, channels)`` as floats ``(samples, channels)`` in ±1.

    Args:
        samples: int8, int16, int32 or floats in ±1.
        channels: Their number, if it is known; otherwise there must be as many samples as channels,
            because an array of few samples has its channels first.

    Raises:
        ValueError: An array of another shape or type.
    """
    array = np.asarray(samples)
    if array.dtype.kind == "i" and array.dtype.itemsize <= 4:
        array = array / -float(np.iinfo(array.dtype).min)
    elif array.dtype.kind != "f":
        raise ValueError(f"array of {array.dtype}: give int16, int32 or floats in ±1")
    if array.ndim not in (1, 2):
        raise ValueError(f"array of shape {array.shape}: give (samples,) or (samples, channels)")
    array = array if array.ndim == 2 else array[:, None]
    if array.shape[1] != channels and array.shape[1] > max(1, len(array)) and array.size:
        raise ValueError(
            f"array of shape {array.shape}: give (samples, channels); this has more channels than "
            "samples and may have to be transposed"
        )
    return array
