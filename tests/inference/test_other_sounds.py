"""Sounds that are no speech have no emotion. All of them are synthetic, none is a recording."""

import numpy as np
import pytest
from scipy.signal import lfilter

from affekt import load
from affekt.audio.recording import make_recording

RATE = 16_000
FORMANTS = ((730, 90), (1090, 110), (2440, 170))  # Hz and bandwidth of an open vowel


def noise(seconds, seed=0):
    return np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def faded(wave, seconds=0.03):
    ramp = np.minimum(1, np.arange(len(wave)) / (seconds * RATE))
    return wave * ramp * ramp[::-1]


def vowel(pitch):
    """A vowel with a pitch ``(samples,)`` in Hz."""
    wave = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    for frequency, bandwidth in FORMANTS:
        radius = np.exp(-np.pi * bandwidth / RATE)
        turn = 2 * radius * np.cos(2 * np.pi * frequency / RATE)
        wave = lfilter([1], [1, -turn, radius**2], wave)
    return faded(0.5 * wave / np.abs(wave).max())


def laughter():
    parts = []
    for i in range(8):
        bark = vowel(np.linspace(320 - 15 * i, 280 - 15 * i, int(0.12 * RATE)))
        parts += [bark + 0.02 * noise(len(bark) / RATE, i), 0.03 * noise(0.09, i)]
    return np.concatenate(parts)


def crying():
    time = np.arange(3 * RATE) / RATE
    return vowel(400 + 60 * np.sin(2 * np.pi * 0.8 * time) + 15 * np.sin(2 * np.pi * 6 * time))


def coughing():
    decay = np.exp(-np.arange(RATE // 4) / RATE * 18)
    coughs = [0.6 * noise(0.25, i) * decay for i in range(3)]
    return np.concatenate([part for cough in coughs for part in (cough, np.zeros(RATE // 3))])


def singing():
    time = np.arange(RATE // 2) / RATE
    vibrato = 1 + 0.02 * np.sin(2 * np.pi * 5.5 * time)
    return np.concatenate([vowel(f * vibrato) for f in (220, 247, 262, 294, 330, 294, 262, 247)])


def music():
    time = np.arange(int(0.8 * RATE)) / RATE
    chords = [(220, 277, 330), (196, 247, 294), (175, 220, 262), (220, 277, 330)]
    tones = [
        [np.sin(2 * np.pi * f * h * time) / h for f in chord for h in (1, 2, 3)] for chord in chords
    ]
    return np.concatenate([0.1 * np.sum(each, 0) * np.exp(-2 * time) for each in tones])


def applause():
    wave, clap = np.zeros(3 * RATE), np.exp(-np.arange(400) / 60)
    for i, start in enumerate(np.random.default_rng(0).integers(0, len(wave) - 400, 600)):
        wave[start : start + 400] += noise(400 / RATE, i) * clap
    return 0.5 * wave / np.abs(wave).max()


def telephone():
    time = np.arange(3 * RATE) / RATE
    ring = np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 480 * time)
    return 0.3 * ring * (np.sin(2 * np.pi * 10 * time) > 0)


@pytest.fixture(scope="module")
def recognizer():
    return load()


SOUNDS = [laughter, crying, coughing, singing, music, applause, telephone, lambda: 0.1 * noise(3)]


@pytest.mark.parametrize("sound", SOUNDS)
def test_it_has_no_emotion_by_utterance_nor_as_a_whole(recognizer, sound):
    wave = sound().astype(np.float32)
    found = recognizer(wave, RATE)
    assert found.label == "uncertain"
    assert found.rejection_reason
    [whole] = recognizer.recognise([make_recording("sound", wave)])
    assert whole.rejection_reason.startswith("not speech")
