"""Degradation of speech by noise, rooms and transmission, for augmentation and robustness tests.

Every function takes and returns a mono wave ``(samples,)`` at 16 kHz. Noise is synthetic and never
taken from other clips, so that no audio of a test clip can get into a training clip.
"""

import hashlib
import io

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE

VERSION = 1  # increase it with each change that alters a copy: embeddings are cached by it
MU = 255  # ITU-T G.711
Samples = NDArray[np.float64]


def speed(wave: Wave, factor: float) -> Wave:
    """Change the speed by resampling; pitch and formants change by the same factor."""
    faster: Wave = soxr.resample(wave, SAMPLE_RATE * factor, SAMPLE_RATE)
    return faster


def length_at_speed(samples: int, factor: float) -> int:
    """Number of samples that `speed` returns."""
    return round(samples / factor)


def reverb(wave: Wave, seconds: float, rng: np.random.Generator) -> Wave:
    """Add reverberation: noise that decays by 60 dB in `seconds`, with half the direct energy."""
    tail = rng.standard_normal(int(seconds * SAMPLE_RATE))
    tail *= 10 ** (-3 * np.arange(len(tail)) / len(tail))
    tail *= 0.5**0.5 / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    length = len(wave) + len(tail)
    spectrum = np.fft.rfft(wave, length) * np.fft.rfft(tail, length)
    return _wave(np.fft.irfft(spectrum, length)[: len(wave)])


def noise(wave: Wave, snr: float, rng: np.random.Generator, colour: str) -> Wave:
    """Add stationary noise.

    Args:
        wave: The speech.
        snr: Signal-to-noise ratio in dB, over the whole clip.
        rng: Random number generator.
        colour: "white", "pink" (1/f), "brown" (1/f^2), or "speech" (spectrum of the wave).
    """
    spectrum = np.fft.rfft(rng.standard_normal(len(wave)))
    spectrum[0] = 0  # no offset
    frequency = np.arange(len(spectrum)).clip(min=1)
    powers = {"white": 0.0, "pink": -0.5, "brown": -1.0}
    shape = np.abs(np.fft.rfft(wave)) if colour == "speech" else frequency ** powers[colour]
    added = np.fft.irfft(spectrum * shape, len(wave))
    return _wave(wave + added * (_rms(wave) / _rms(added) * 10 ** (-snr / 20)))


def band(wave: Wave, low: float, high: float) -> Wave:
    """Band-pass filter between two frequencies in Hz, with Butterworth slopes."""
    frequency = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE).clip(min=1)
    gain = ((1 + (low / frequency) ** 8) * (1 + (frequency / high) ** 16)) ** -0.5
    return _wave(np.fft.irfft(np.fft.rfft(wave) * gain, len(wave)))


def telephone(wave: Wave) -> Wave:
    """Telephone line: 300-3400 Hz, 8 kHz, 8-bit mu-law (ITU-T G.711)."""
    narrow = soxr.resample(band(wave, 300, 3400), SAMPLE_RATE, 8000)
    peak = np.abs(narrow).max() + 1e-9
    code = np.sign(narrow) * np.log1p(MU * np.abs(narrow / peak)) / np.log1p(MU)
    code = np.round((code + 1) * MU / 2) / (MU / 2) - 1
    decoded = np.sign(code) * np.expm1(np.abs(code) * np.log1p(MU)) / MU * peak
    return _fitted(soxr.resample(decoded, 8000, SAMPLE_RATE), len(wave))


def opus(wave: Wave, rate: int) -> Wave:
    """Internet call: Opus at its lowest bit rate, sampled at `rate` Hz."""
    peak = np.abs(wave).max() + 1e-9
    file = io.BytesIO()
    scaled = soxr.resample(wave, SAMPLE_RATE, rate) / peak * 0.9
    soundfile.write(file, scaled, rate, format="OGG", subtype="OPUS", compression_level=1.0)
    file.seek(0)
    decoded, rate = soundfile.read(file)
    return _fitted(soxr.resample(decoded, rate, SAMPLE_RATE) * peak / 0.9, len(wave))


def clip(wave: Wave, share: float) -> Wave:
    """Clip the amplitude, so that a share of the samples is cut off."""
    limit = np.quantile(np.abs(wave), 1 - share)
    return _wave(np.clip(wave, -limit, limit))


def degrade(wave: Wave, copy: int) -> Wave:
    """Apply a random chain of degradations.

    Args:
        wave: The speech.
        copy: Number of the copy; the same wave and number give the same result.
    """
    rng = _generator(hashlib.sha256(wave.tobytes()).digest(), copy)
    if factor := _random_speed(rng):
        wave = speed(wave, factor)
    if rng.random() < 0.4:
        wave = reverb(wave, rng.uniform(0.15, 0.8), rng)
    if rng.random() < 0.5:
        colour = rng.choice(["white", "pink", "brown", "speech"])
        wave = noise(wave, rng.uniform(3, 25), rng, colour)
    if rng.random() < 0.15:
        wave = clip(wave, rng.uniform(0.005, 0.08))
    line = rng.random()
    if line < 0.2:
        return telephone(wave)
    if line < 0.35:
        return opus(wave, int(rng.choice([8000, 16_000])))
    if line < 0.5:
        return band(wave, rng.uniform(50, 400), rng.uniform(2500, 7000))
    return wave


def degraded_length(samples: int, copy: int, digest: bytes) -> int:
    """Number of samples that `degrade` returns.

    Args:
        samples: Of the wave.
        copy: As of `degrade`.
        digest: SHA-256 of the wave.
    """
    factor = _random_speed(_generator(digest, copy))
    return length_at_speed(samples, factor) if factor else samples


def _generator(digest: bytes, copy: int) -> np.random.Generator:
    return np.random.default_rng([copy, int.from_bytes(digest[:8], "little")])


def _random_speed(rng: np.random.Generator) -> float:
    """Factor of the speed; 0 for no change."""
    return rng.uniform(0.88, 1.12) if rng.random() < 0.5 else 0.0


def _rms(wave: Wave | Samples) -> float:
    return float(np.sqrt(np.square(wave, dtype=np.float64).mean())) + 1e-12


def _wave(samples: Samples) -> Wave:
    return samples.astype(np.float32)


def _fitted(samples: Samples, length: int) -> Wave:
    """Trim or pad to a length, since a codec adds delay and completes its last frame."""
    return _wave(np.pad(samples[:length], (0, max(0, length - len(samples)))))
