import numpy as np
import pytest

from affekt.training import degradation as d
from affekt.training.synthetic_noise import synthetic_noise

RATE = 16_000
rng = np.random.default_rng


def tone(frequency, seconds=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def power(wave, frequency):
    """Of one frequency, in dB of a full tone."""
    spectrum = np.abs(np.fft.rfft(wave)) / (len(wave) / 2)
    return 20 * np.log10(spectrum[round(frequency * len(wave) / RATE)] + 1e-12)


@pytest.mark.parametrize("colour", ["white", "pink", "brown", "speech"])
def test_noise_has_the_requested_signal_to_noise_ratio(colour):
    wave = tone(440) * 0.3
    added = d.noise(wave, 10, rng(0), colour) - wave
    assert 20 * np.log10(wave.std() / added.std()) == pytest.approx(10, abs=0.1)


def test_colours_of_noise():
    wave = tone(440)

    def slope(colour):  # dB from 100-200 Hz to 3200-6400 Hz, five octaves
        spectrum = np.abs(np.fft.rfft(d.noise(wave, 0, rng(0), colour) - wave)) ** 2
        return 10 * np.log10(spectrum[3200:6400].mean() / spectrum[100:200].mean())

    assert slope("white") == pytest.approx(0, abs=1.5)
    assert slope("pink") == pytest.approx(-15, abs=1.5)
    assert slope("brown") == pytest.approx(-30, abs=1.5)


def test_a_telephone_line_passes_its_band_and_preserves_the_length():
    wave = (tone(100) + tone(1000) + tone(6000)) / 3
    narrow = d.telephone(wave)
    assert len(narrow) == len(wave)
    assert power(narrow, 1000) == pytest.approx(power(wave, 1000), abs=1)
    assert power(narrow, 100) < power(wave, 100) - 25
    assert power(narrow, 6000) < power(wave, 6000) - 40


def test_the_error_of_mu_law_is_that_of_8_bits():
    wave = tone(1000, 0.5) * 0.5
    error = d.telephone(wave)[800:-800] - d.band(wave, 300, 3400)[800:-800]
    assert 30 < 20 * np.log10(0.5 / np.abs(error).max()) < 50  # 8 bits, logarithmic


def test_opus_gives_the_same_length_and_about_the_same_tone():
    for rate in (8000, 16_000):
        decoded = d.opus(tone(500), rate)
        assert len(decoded) == RATE
        assert power(decoded, 500) == pytest.approx(0, abs=2)


def test_reverberation_decays_by_60_db():
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    response = d.reverb(click, 0.4, rng(0))
    assert response[0] == pytest.approx(1)
    early, late = response[80:480].std(), response[5600:6000].std()  # 0.02 and 0.36 s
    assert 20 * np.log10(early / late) == pytest.approx(60 * 0.345 / 0.4, abs=4)
    assert np.abs(response[6500:]).max() < 1e-6


def test_clipping_cuts_the_requested_share():
    clipped = d.clip(tone(100), 0.1)
    assert np.mean(np.abs(clipped) >= np.abs(clipped).max() - 1e-6) == pytest.approx(0.1, abs=0.02)


def test_speed_changes_pitch_and_length():
    faster = d.speed(tone(1000), 1.25)
    assert len(faster) == pytest.approx(RATE / 1.25, abs=2)
    assert power(faster, 1250) == pytest.approx(0, abs=1)


def test_a_degraded_copy_is_the_same_each_time_and_another_for_another_number():
    wave = tone(300) * 0.2
    copies = [d.degrade(wave, number) for number in range(30)]
    for number, copy in enumerate(copies[:5]):
        assert np.array_equal(copy, d.degrade(wave, number))
    assert len({copy.tobytes() for copy in copies}) > 20
    assert all(copy.dtype == np.float32 and np.isfinite(copy).all() for copy in copies)
    d.degrade(tone(300, 0.05), 3)  # a very short one too


def test_synthetic_noise_is_finite_and_reproducible():
    clips = synthetic_noise(40)
    for one, two in zip(clips, synthetic_noise.__wrapped__(40), strict=True):
        assert np.array_equal(one, two)
        assert np.isfinite(one).all()
        assert 0.4 < np.abs(one).max() <= 0.5
        assert 0.5 * RATE <= len(one) <= 4 * RATE
