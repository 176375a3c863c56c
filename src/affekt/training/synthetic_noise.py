"""Synthetic audio without speech: noises, tones, sweeps and melodies.

They are the negative examples of `nn.speech_gate.SpeechGate`, which is tested on real music and
noises.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE

Samples = NDArray[np.float64]
MINOR = np.array([0, 2, 3, 5, 7, 8, 10, 12])  # semitones


@cache  # a process that trains several models generates its clips once
def synthetic_noise(number: int, seed: int = 0) -> tuple[Wave, ...]:
    """Generate clips of 0.5 to 4 s, each a wave ``(samples,)``."""
    rng = np.random.default_rng(seed)
    return tuple(_clip(rng) for _ in range(number))


def _clip(rng: np.random.Generator) -> Wave:
    length = int(rng.uniform(0.5, 4) * SAMPLE_RATE)
    kinds = (_melody, _rumble, _sweep, _hiss, _hum)
    wave = kinds[rng.choice(len(kinds), p=[0.5, 0.25, 0.07, 0.1, 0.08])](length, rng)
    if rng.random() < 0.4:
        rms = np.sqrt(np.square(wave).mean()) * 10 ** (-rng.uniform(5, 30) / 20)
        wave = wave + rms * _hiss(length, rng)
    return (0.5 * wave / (np.abs(wave).max() + 1e-9)).astype(np.float32)


def _hiss(length: int, rng: np.random.Generator) -> Samples:
    """White to brown noise of unit RMS."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum *= np.arange(len(spectrum)).clip(min=1) ** -rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    return noise / noise.std()


def _rumble(length: int, rng: np.random.Generator) -> Samples:
    """Noise with a modulated level, in half of the cases band-limited: engines, wind, crowds."""
    noise = _hiss(length, rng)
    if rng.random() < 0.5:
        low = rng.uniform(100, 3000)
        frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
        inside = (frequency > low) & (frequency < low * rng.uniform(1.3, 8))
        noise = np.fft.irfft(np.fft.rfft(noise) * inside, length)
    for _ in range(2):
        noise = noise * (1 + rng.uniform(0, 1) * _sine(length, rng.uniform(0.2, 12), rng))
    return noise


def _sweep(length: int, rng: np.random.Generator) -> Samples:
    """A siren: a tone of varying frequency."""
    corners = np.linspace(0, length, 6)
    frequency = np.interp(np.arange(length), corners, rng.uniform(100, 4000, 6))
    return np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)


def _hum(length: int, rng: np.random.Generator) -> Samples:
    """A tone with one to seven harmonics."""
    return _tone(length, rng.uniform(60, 4000), rng)


def _melody(length: int, rng: np.random.Generator) -> Samples:
    """Music in a minor key: one to four parts of different timbre, in most cases with drums."""
    wave = np.zeros(length)
    beat, key = rng.uniform(0.1, 0.6), rng.integers(40, 70)
    for _ in range(rng.integers(1, 5)):
        timbre, octave = int(rng.integers(1 << 30)), 12 * rng.integers(-1, 3)
        step = beat * rng.choice([0.5, 1, 2, 4])
        for start in _starts(length, step):
            frequency = 440 * 2 ** ((rng.choice(MINOR) + key + octave - 69) / 12)
            size = min(length - start, int(step * rng.uniform(0.8, 3) * SAMPLE_RATE) + 1)
            tone = _tone(size, frequency, np.random.default_rng(timbre))
            wave[start : start + size] += tone * _decay(size, rng) * rng.uniform(0.3, 1)
    if rng.random() < 0.6:
        for start in _starts(length, beat * rng.choice([0.5, 1, 2])):
            size = min(length - start, SAMPLE_RATE // 5)
            fall = np.exp(-np.arange(size) / SAMPLE_RATE / rng.uniform(0.01, 0.08))
            wave[start : start + size] += rng.standard_normal(size) * fall * rng.uniform(0.2, 1.5)
    return wave


def _starts(length: int, step: float) -> range:
    return range(0, length, max(1, int(step * SAMPLE_RATE)))


def _tone(length: int, frequency: float, rng: np.random.Generator) -> Samples:
    slope = rng.uniform(0.3, 2)
    partials = range(1, rng.integers(2, 9))
    parts = [_sine(length, frequency * k, rng) * rng.uniform(0.1, 1) / k**slope for k in partials]
    return np.sum(parts, axis=0)


def _sine(length: int, frequency: float, rng: np.random.Generator) -> Samples:
    phase = rng.uniform(0, 2 * np.pi)
    return np.sin(2 * np.pi * frequency * np.arange(length) / SAMPLE_RATE + phase)


def _decay(length: int, rng: np.random.Generator) -> Samples:
    """Envelope of a bowed or struck note."""
    if rng.random() < 0.3:
        return np.hanning(length)
    time = np.arange(length) / SAMPLE_RATE
    return np.minimum(time / rng.uniform(0.003, 0.1), 1) * np.exp(-time / rng.uniform(0.05, 1.5))
