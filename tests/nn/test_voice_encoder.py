"""The voice encoder: its windows, its front end and its packaged weights."""

import numpy as np
import pytest
import torch

from affekt.nn.encoders.campplus import WEIGHTS, filter_banks, mel_bands
from affekt.nn.voice_encoder import DIM, WINDOW, embed_windows, voice_embeddings, windows


def test_windows_are_spread_evenly_and_short_waves_repeat():
    wave = np.arange(5 * 16_000, dtype=np.float32)
    cut = windows(wave, 3)
    assert cut.shape == (3, WINDOW)
    assert cut[:, 0].tolist() == [0, 24_000, 48_000]  # the last ends with the wave
    assert windows(wave, 1)[0, 0] == 24_000  # in the middle
    assert windows(wave[:WINDOW], 3).shape == (1, WINDOW)
    short = windows(wave[:10_000], 3)[0]
    assert short[10_000] == 0 and short[31_999] == 1_999


def test_a_tone_is_in_its_mel_band():
    """1000 Hz is mel 999.99 of 1127 ln(1 + f/700); the 80 bands divide 31.75 to 2840.04."""
    t = np.arange(WINDOW) / 16_000
    tone = torch.from_numpy(np.sin(2 * np.pi * 1000 * t).astype(np.float32))
    mel = torch.fft.rfft(tone[:400] * torch.hann_window(400), n=512).abs().square() @ mel_bands()
    assert mel.argmax().item() == round((999.99 - 31.75) / ((2840.04 - 31.75) / 81)) - 1
    banks = filter_banks(tone[None])
    assert banks.shape == (1, 198, 80)


def test_embeddings_do_not_depend_on_the_level_or_on_the_batch():
    rng = np.random.default_rng(0)
    t = np.arange(WINDOW) / 16_000
    buzz = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 30))
    waves = np.stack([
        0.1 * buzz * (1 + np.sin(2 * np.pi * 3 * t)),
        0.1 * rng.standard_normal(WINDOW),
        0.05 * buzz * (1 + np.sin(2 * np.pi * 3 * t)),
    ]).astype(np.float32)  # fmt: skip
    together = embed_windows(waves)
    assert together.shape == (3, DIM)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(3))
    assert together[0] @ together[2] > 0.995
    assert together[0] @ together[1] < 0.9
    assert np.allclose(together[1:2], embed_windows(waves[1:2]), atol=1e-4)


def test_no_wave_has_no_embedding():
    assert voice_embeddings([]).shape == (0, DIM)


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size < 7.5e6
