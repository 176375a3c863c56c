"""Frames of the voice encoder beside those of Whisper."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from affekt.audio.segmentation import uniform
from affekt.config import Config, Encoder
from affekt.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from affekt.nn.emotion_model import EmotionModel
from affekt.nn.encoders.batching import encode
from affekt.nn.encoders.campplus import CAMPlusPlus, Head
from affekt.nn.encoders.fast import for_inference, has_bfloat16
from affekt.nn.encoders.hashing import embedding_key
from affekt.nn.encoders.voice_frames import VoiceFrames
from affekt.nn.encoders.weights import build_encoder
from affekt.training.output import _round_to_float16

SETTINGS = Encoder(name="whisper+campplus")


def noise(samples):
    rng = np.random.default_rng(samples)
    return (rng.standard_normal(samples) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def encoder():
    return build_encoder(SETTINGS).eval()


def test_an_embedding_has_mean_and_deviation_of_48_frames():
    wave = torch.from_numpy(noise(32_000))
    with torch.inference_mode():
        hidden = CAMPlusPlus(blocks=2)(wave[None])[0]
        [embedding] = VoiceFrames()([wave], [torch.tensor([[48, 144]])])
    assert hidden.shape == (99, 512)  # of 198 windows of 25 ms
    mean, deviation = hidden[24:72].mean(0), hidden[24:72].std(0, correction=0)
    assert torch.allclose(embedding, torch.cat([mean, deviation]), atol=1e-4)


def test_the_embeddings_of_both_encoders_stand_side_by_side(encoder):
    waves = [noise(n) for n in (200, 9000, 40_000, 26 * 16_000)]
    spans = [uniform(len(w) / 16_000, 0.24) for w in waves]
    together = dict(encode(encoder, waves, spans))
    whisper = dict(encode(build_encoder(Encoder()).eval(), waves, spans))
    for i in range(len(waves)):
        [(_, alone)] = encode(encoder, [waves[i]], [spans[i]])
        assert together[i].shape == (len(spans[i]), 2048)
        assert torch.isfinite(together[i]).all()
        assert torch.allclose(together[i], alone, atol=1e-3)
        assert torch.allclose(together[i][:, :1024], whisper[i], atol=1e-3)


@pytest.mark.parametrize("blocks", [2, 3])
def test_frames_do_not_depend_on_the_padding(blocks):
    network = CAMPlusPlus(blocks).eval()
    waves = [torch.from_numpy(noise(n)) for n in (400, 9000, 16_007)]
    lengths = torch.tensor([len(wave) for wave in waves])
    with torch.inference_mode():
        together = network(pad_sequence(waves, batch_first=True), lengths)
        for i, wave in enumerate(waves):
            [alone] = network(wave[None])
            assert torch.allclose(together[i, : len(alone)], alone, atol=1e-4)


def test_layers_are_replaced_for_inference(encoder):
    fast = for_inference(encoder)
    assert not any(isinstance(m, nn.Linear) for m in fast.modules())
    [head] = [m for m in fast.modules() if isinstance(m, Head)]
    assert head.conv1.weight.dtype == (torch.bfloat16 if has_bfloat16() else torch.float32)
    waves, spans = [noise(40_000)], [uniform(2.5, 0.24)]
    [(_, quick)], [(_, plain)] = encode(fast, waves, spans), encode(encoder, waves, spans)
    assert (quick - plain).norm() < 0.05 * plain.norm()


def test_a_saved_model_has_no_bundled_weights(tmp_path):
    config = Config(encoder=SETTINGS)
    model = EmotionModel(config, 2).eval()
    _round_to_float16(model)  # as in training
    save_checkpoint(Checkpoint(model, ["anger", "neutral"], config, "pair"), tmp_path / "m", "")
    assert (tmp_path / "m" / "model.safetensors").stat().st_size < 2_000_000
    loaded = load_checkpoint(tmp_path / "m").model
    assert loaded.encoder.parts == (1024, 1024)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_settings_of_the_encoders_inside_are_part_of_the_key():
    mean, deviation = (
        build_encoder(SETTINGS.model_copy(update={"pooling": pooling}))
        for pooling in ("mean", "mean+sd")
    )
    mean.dim, mean.parts = deviation.dim, deviation.parts  # the encoder inside differs alone
    mean.encoders[0].dim = deviation.encoders[0].dim
    assert embedding_key(mean) != embedding_key(deviation)
