import numpy as np
import pytest
import torch
from torchvggish import mel_features, vggish_input
from transformers import WhisperFeatureExtractor

from affekt.nn.encoders.melspec import vggish_log_mel, whisper_log_mel


def reference(wave):
    return mel_features.log_mel_spectrogram(
        wave,
        audio_sample_rate=16_000,
        log_offset=0.01,
        window_length_secs=0.025,
        hop_length_secs=0.010,
        num_mel_bins=64,
        lower_edge_hertz=125,
        upper_edge_hertz=7500,
    )


@pytest.mark.parametrize("samples", [400, 559, 560, 15_600, 16_000, 48_123])
def test_log_mel_equals_torchvggish(samples):
    wave = np.random.default_rng(samples).standard_normal(samples) * 0.1
    ours = vggish_log_mel(torch.from_numpy(wave.astype(np.float32))).numpy()
    assert ours.shape == reference(wave).shape == (1 + (samples - 400) // 160, 64)
    assert np.abs(ours - reference(wave)).max() < 1e-5


def test_log_mel_of_real_speech_equals_torchvggish(emodb):
    import soundfile

    for path in sorted((emodb / "wav").glob("*.wav"))[::60]:
        wave, _ = soundfile.read(path)
        ours = vggish_log_mel(torch.from_numpy(wave.astype(np.float32))).numpy()
        assert np.abs(ours - reference(wave)).max() < 1e-5


def test_golden_values_of_googles_smoke_signal():
    time = np.arange(0, 3, 1 / 16_000)
    wave = np.sin(2 * np.pi * 1000 * time)
    mel = vggish_log_mel(torch.from_numpy(wave.astype(np.float32)))
    assert mel.shape == (298, 64)
    assert vggish_input.waveform_to_examples(wave, 16_000).shape[0] == 3
    used = mel[:288]
    assert used.mean().item() == pytest.approx(-3.429619, abs=1e-5)
    assert used.std(correction=0).item() == pytest.approx(2.126577, abs=1e-5)
    assert mel.mean(0).argmax().item() == 19
    assert mel[:, 19].mean().item() == pytest.approx(4.8111, abs=1e-4)


def test_a_batch_gives_what_each_wave_gives_alone():
    waves = torch.randn(3, 20_000, generator=torch.Generator().manual_seed(0))
    for batched, wave in zip(vggish_log_mel(waves), waves, strict=True):
        assert torch.allclose(batched, vggish_log_mel(wave), atol=1e-6)


def test_whisper_front_end_equals_hugging_face():
    wave = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.1
    wave[:8000] *= 0.001
    extract = WhisperFeatureExtractor()
    expected = extract(wave, sampling_rate=16_000, padding=False, return_tensors="np")
    ours = whisper_log_mel(torch.from_numpy(wave)[None])
    assert np.abs(ours.numpy() - expected["input_features"]).max() < 2e-5
