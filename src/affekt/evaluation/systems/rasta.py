"""MFCC and RASTA-PLP with their statistics over a clip, as in [27] (Zhalehpour et al., 2017).

RASTA-PLP follows Hermansky & Morgan (1994): the log spectrum in critical bands is filtered over
time, which removes a constant channel; then come equal loudness, a cubic root and an all-pole
model. What the reference leaves open (orders, bands) follows common practice.
"""

import warnings
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, irfft, rfft
from scipy.linalg import solve_toeplitz
from scipy.signal import get_window, lfilter
from scipy.stats import kurtosis, skew

from ...audio.resampling import Wave
from ...audio.segmentation import SAMPLE_RATE

VERSION = 1  # increase it with each change that alters the features: cached ones become invalid
Frames = NDArray[np.float64]  # (frames, dimensions)
WINDOW, HOP, FFT = 400, 160, 512  # samples: 25 ms, 10 ms
PRE_EMPHASIS = 0.97
MEL_BANDS = 26
CEPSTRA = 13
ORDER = 12  # order of the all-pole model
BARK_BANDS = 21  # one per Bark up to 8 kHz
POLE = 0.94  # pole of the RASTA filter
RASTA = np.array([0.2, 0.1, 0.0, -0.1, -0.2])
FLOOR = 1e-10


def mfcc_rasta_plp(wave: Wave) -> NDArray[np.float32]:
    """Statistics of 13 MFCC, 13 RASTA-PLP cepstra and their first and second deltas ``(702,)``.

    The statistics are maximum, minimum, the relative positions of both, range, mean, variance,
    skewness and kurtosis.
    """
    frames = np.concatenate([mfcc(wave), rasta_plp(wave)], axis=1)
    first = deltas(frames)
    frames = np.concatenate([frames, first, deltas(first)], axis=1)
    last = max(len(frames) - 1, 1)
    high, low = frames.argmax(0) / last, frames.argmin(0) / last
    extremes = [frames.max(0), frames.min(0), high, low, np.ptp(frames, axis=0)]
    with warnings.catch_warnings():  # skewness of a constant is NaN, which becomes 0 below
        warnings.simplefilter("ignore", RuntimeWarning)
        moments = [frames.mean(0), frames.var(0), skew(frames), kurtosis(frames)]
    statistics = np.concatenate(extremes + moments)
    return np.nan_to_num(statistics).astype(np.float32)


def power(wave: Wave) -> Frames:
    """Power spectrum ``(frames, 257)`` of 25 ms windows every 10 ms."""
    framed = np.lib.stride_tricks.sliding_window_view(wave.astype(float), WINDOW)[::HOP]
    return np.abs(rfft(framed * get_window("hamming", WINDOW), FFT, axis=1)) ** 2


def mfcc(wave: Wave) -> Frames:
    """13 mel cepstra ``(frames, 13)`` of the pre-emphasised wave."""
    emphasised = np.append(wave[:1], wave[1:] - PRE_EMPHASIS * wave[:-1])
    bands = np.log(power(emphasised) @ _mel_bands() + FLOOR)
    return np.asarray(dct(bands, norm="ortho", axis=1)[:, :CEPSTRA])


def rasta_plp(wave: Wave) -> Frames:
    """13 cepstra ``(frames, 13)`` of the all-pole model of order 12."""
    log = np.log(power(wave) @ _bark_bands() + FLOOR)
    # Without the first frame, the filter does not start with a jump from zero.
    filtered = lfilter(RASTA, [1.0, -POLE], log - log[0], axis=0)
    loudness = np.cbrt(np.exp(filtered) * _equal_loudness())
    loudness[:, 0], loudness[:, -1] = loudness[:, 1], loudness[:, -2]
    correlations = irfft(loudness, axis=1)[:, : ORDER + 1]
    return np.stack([cepstrum(r) for r in correlations])


def cepstrum(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cepstra ``(order + 1,)`` of the all-pole model of an autocorrelation ``(order + 1,)``.

    c_0 is the log energy of the residual; the others are the cepstra of 1 / A(z).
    """
    order = len(correlation) - 1
    a = solve_toeplitz(correlation[:order], -correlation[1:])
    c = np.empty(order + 1)
    c[0] = np.log(max(correlation[0] + a @ correlation[1:], FLOOR))
    for n in range(1, order + 1):
        k = np.arange(1, n)
        c[n] = -a[n - 1] - (k * c[1:n] * a[n - k - 1]).sum() / n
    return c


def deltas(frames: Frames) -> Frames:
    """Regression slopes over five frames; the first and last frame are repeated."""
    padded = np.pad(frames, ((2, 2), (0, 0)), mode="edge")
    near, far = padded[3:-1] - padded[1:-3], padded[4:] - padded[:-4]
    return np.asarray((near + 2 * far) / 10)


@cache
def _mel_bands() -> Frames:
    """HTK mel filters ``(257, 26)``, 0-8000 Hz."""
    mel = 1127 * np.log1p(_hertz() / 700)
    edges = np.linspace(0, mel[-1], MEL_BANDS + 2)
    rise = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    return np.minimum(rise, fall).clip(min=0)


@cache
def _bark_bands() -> Frames:
    """Critical bands ``(257, 21)``: flat over 1 Bark, then -10 dB per Bark down and -25 dB up."""
    bark = 6 * np.arcsinh(_hertz() / 600)
    distance = bark[:, None] - np.linspace(0, bark[-1], BARK_BANDS)
    return np.asarray(10.0 ** np.minimum(0, np.minimum(distance + 0.5, -2.5 * (distance - 0.5))))


@cache
def _equal_loudness() -> NDArray[np.float64]:
    """Hermansky's approximation of the 40-phon curve at the centres of the bands ``(21,)``."""
    top = 6 * np.arcsinh(SAMPLE_RATE / 2 / 600)
    f = 600 * np.sinh(np.linspace(0, top, BARK_BANDS) / 6)
    square = f**2
    return np.asarray((square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6))


def _hertz() -> NDArray[np.float64]:
    return np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
