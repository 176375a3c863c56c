"""Hugging Face's speech encoders, on a tiny random model saved locally."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, HubertConfig, HubertModel, WavLMConfig, WavLMModel

from transformers import Wav2Vec2Config, Wav2Vec2Model, WhisperConfig, WhisperModel  # isort: skip

from affekt import CheckpointError
from affekt.audio.segmentation import uniform
from affekt.config import Config, Encoder
from affekt.corpora.registry import load_corpus
from affekt.inference.recognizer import Recognizer
from affekt.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from affekt.nn.encoders.batching import encode
from affekt.nn.encoders.weights import build_encoder
from affekt.recipe import read_config
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import train

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
MODELS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "hubert": (HubertConfig, HubertModel),
    "wavlm": (WavLMConfig, WavLMModel),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Each model with random weights, as transformers saves it."""
    root = tmp_path_factory.mktemp("ssl")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, (config, model) in MODELS.items():
            model(config(**SIZES)).save_pretrained(root / name)
    return root


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """A tiny random Whisper, decoder and all, as transformers saves it."""
    sizes = {
        "d_model": 64, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 1,
        "decoder_attention_heads": 1, "encoder_ffn_dim": 256, "decoder_ffn_dim": 64,
        "vocab_size": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("ssl") / "whisper"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        WhisperModel(WhisperConfig(**sizes)).save_pretrained(folder)
    return folder


def test_whisper_of_transformers_equals_our_own_on_the_same_samples(whisper, tmp_path):
    theirs = build_encoder(Encoder(name="ssl", weights=str(whisper), layer=2))
    assert theirs.dim == 128
    tensors = {k: v for k, v in theirs.model.state_dict().items() if not k.startswith("layer_norm")}
    save_file(tensors, tmp_path / "encoder.safetensors")
    ours = build_encoder(Encoder(weights=str(tmp_path / "encoder.safetensors"), layer=1))
    theirs.layer = 1
    wave = torch.tensor(noise(29 * 16_000))  # theirs is padded to 30 s, ours is not
    span = torch.tensor([[2.4, 3.36], [4.8, 5.76]])
    with torch.inference_mode():
        embeddings, reference = ours([wave], [span]), theirs([wave], [span])
    assert torch.allclose(embeddings, reference, atol=0.02 * reference.abs().max().item())


def noise(samples, seed=0):
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32) * 0.1


@pytest.mark.parametrize("name", MODELS)
def test_embeddings_are_the_pooled_frames_of_the_chosen_layer(folder, name):
    encoder = build_encoder(Encoder(name="ssl", weights=str(folder / name), layer=1))
    wave = torch.tensor(noise(32_000))
    theirs = MODELS[name][1].from_pretrained(folder / name).eval()
    with torch.inference_mode():
        scaled = (wave - wave.mean()) / (wave.std() + 1e-7)
        frames = theirs(scaled[None], output_hidden_states=True).hidden_states[1][0, 24:72]
        [vector] = encoder([wave], [torch.tensor([[48, 144]])])
    assert encoder.dim == 64
    assert torch.allclose(vector[:32], frames.mean(0), atol=1e-5)
    assert torch.allclose(vector[32:], frames.std(0, correction=0), atol=1e-5)
    assert encoder.origin == f"{name} (transformers)"


@pytest.mark.parametrize("mix", [False, True])
def test_a_clip_has_the_same_embeddings_in_any_batch(folder, mix):
    settings = Encoder(name="ssl", weights=str(folder / "hubert"), layer=2, mix=mix)
    encoder = build_encoder(settings)
    waves = [noise(n, n) for n in (5_000, 30_000, 26 * 16_000, 17_000)]
    spans = [uniform(len(w) / 16_000, 0.48) for w in waves]
    together = dict(encode(encoder, waves, spans))
    for i in range(4):
        [(_, alone)] = encode(encoder, [waves[i]], [spans[i]])
        assert together[i].shape == (len(spans[i]), 64 * (3 if mix else 1))
        assert torch.allclose(together[i], alone, atol=1e-5)


@pytest.mark.parametrize(("name", "mix"), [("wavlm", False), ("wavlm", True), ("whisper", True)])
def test_train_save_load_recognise(folder, whisper, manifest, tiny_config, tmp_path, name, mix):
    values = tiny_config.model_dump()
    weights = whisper if name == "whisper" else folder / name
    values["encoder"] = {
        "name": "ssl", "weights": str(weights), "layer": 2, "pooling": "mean", "mix": mix,
    }  # fmt: skip
    config = Config.model_validate(values)
    clips = load_clips(load_corpus(str(manifest)).examples)
    trained = train(clips, config, TrainingContext(embedding_cache=tmp_path / "cache"), seed=0)
    if mix:
        assert trained.model.projection.mix.abs().max() > 0  # it learned something
    checkpoint = Checkpoint(trained.model, trained.labels, config, "m")
    save_checkpoint(checkpoint, tmp_path / "m", "# card")
    again = Recognizer(load_checkpoint(tmp_path / "m"))(clips[0].recording.wave, 16_000)
    before = Recognizer(checkpoint)(clips[0].recording.wave, 16_000)
    assert again.probabilities == before.probabilities


def test_a_model_that_is_no_speech_encoder_is_refused(folder, tmp_path):
    with pytest.raises(CheckpointError, match="needs --encoder.weights"):
        build_encoder(Encoder(name="ssl"))
    with pytest.raises(CheckpointError, match="transformers cannot load it"):
        build_encoder(Encoder(name="ssl", weights=str(tmp_path / "nothing")))
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(**sizes, intermediate_size=32, vocab_size=50)).save_pretrained(
        tmp_path / "bert"
    )
    with pytest.raises(CheckpointError, match="BertModel is not a speech encoder"):
        build_encoder(Encoder(name="ssl", weights=str(tmp_path / "bert")))
    with pytest.raises(CheckpointError, match="has 2 layers, but encoder.layer = 3"):
        build_encoder(Encoder(name="ssl", weights=str(folder / "hubert"), layer=3))


def test_settings_of_other_encoders_are_refused():
    with pytest.raises(Exception, match="encoder.mix belongs to ssl; the encoder is whisper"):
        read_config(overrides={"encoder": {"mix": True}})
    assert read_config(overrides={"encoder": {"name": "ssl", "layer": 9}}).encoder.layer == 9
