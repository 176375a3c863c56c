import numpy as np
import pytest
import torch
from torch import nn
from torchvggish import vggish_input
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from affekt.audio.segmentation import uniform
from affekt.nn.encoders import fast as fast_layers
from affekt.nn.encoders.batching import encode, windows
from affekt.nn.encoders.fast import BFloat16Linear, OneDNNLinear, for_inference
from affekt.nn.encoders.vggish import VGGish, patches
from affekt.nn.encoders.whisper import Whisper

LENGTHS = (1600, 9000, 40_000, 23_456)


def noise(samples):
    rng = np.random.default_rng(samples)
    return (rng.standard_normal(samples) * 0.1).astype(np.float32)


def close(one, other):
    """To 1e-5 of the largest number: a random VGGish gives numbers in the hundreds."""
    return torch.allclose(one, other, rtol=0, atol=1e-5 * max(1.0, other.abs().max().item()))


@pytest.fixture(scope="module", params=["whisper", "vggish", "vggish-mel-padding"])
def encoder(request):
    torch.manual_seed(0)
    if request.param == "whisper":
        return Whisper(64, 2, pooling="mean+sd").eval()
    return VGGish(padding="log-mel" if "mel" in request.param else "wave").eval()


def test_a_clips_embeddings_are_the_same_alone_in_any_batch_and_in_any_order(encoder):
    waves = [noise(n) for n in LENGTHS]
    spans = [uniform(n / 16_000, 0.24) for n in LENGTHS]
    with torch.inference_mode():
        alone = [encoder([torch.tensor(w)], [torch.tensor(s)]) for w, s in zip(waves, spans)]
        for order in ([0, 1, 2, 3], [3, 1, 0], [2, 3]):
            batch = [torch.tensor(waves[i]) for i in order], [torch.tensor(spans[i]) for i in order]
            together = encoder(*batch).split([len(spans[i]) for i in order])
            for i, embeddings in zip(order, together):
                assert embeddings.shape == (len(spans[i]), encoder.dim)
                assert close(embeddings, alone[i])
    for i, embeddings in encode(encoder, waves, spans):
        assert close(embeddings, alone[i])


@pytest.mark.parametrize("seconds", [15.9, 16.5, 23.9])
def test_a_clip_longer_than_a_batch_is_encoded_alone(seconds):
    torch.manual_seed(0)
    encoder = VGGish().eval()
    waves = [noise(round(s * 16_000)) for s in (seconds, 1.0)]
    spans = [uniform(len(w) / 16_000, 0.96) for w in waves]
    for some in ([0], [0, 1]):
        encoded = dict(encode(encoder, [waves[i] for i in some], [spans[i] for i in some]))
        assert [len(encoded[k]) for k in range(len(some))] == [len(spans[i]) for i in some]


def test_long_clips_are_encoded_in_windows_that_keep_every_segment():
    wave = noise(61 * 16_000)
    spans = uniform(61.0, 0.48)
    pieces = list(windows(wave, spans))
    assert len(pieces) == 3
    assert sum(len(s) for _, s in pieces) == len(spans)
    assert max(len(w) for w, _ in pieces) <= 28 * 16_000
    for piece, inside in pieces:
        assert inside.min() >= 0
        assert inside.max() * 160 <= len(piece)
    torch.manual_seed(0)
    vggish = VGGish().eval()  # without context, windows must not change anything
    [(_, embeddings)] = encode(vggish, [wave], [spans])
    some = [0, 49, 50, 51, 99, 100, len(spans) - 1]
    with torch.inference_mode():
        whole = vggish([torch.tensor(wave)], [torch.tensor(spans[some])])
    assert torch.allclose(embeddings[some], whole, atol=1e-4)


def test_long_clips_side_by_side_keep_their_segments():
    torch.manual_seed(0)
    whisper = Whisper(64, 1, pooling="mean").eval()
    waves = [noise(30 * 16_000), noise(26 * 16_000), noise(16_000)]
    spans = [uniform(len(w) / 16_000, 0.48) for w in waves]
    together = dict(encode(whisper, waves, spans))
    for i in range(3):
        [(_, alone)] = encode(whisper, [waves[i]], [spans[i]])
        assert together[i].shape == (len(spans[i]), 64)
        assert torch.allclose(together[i], alone, atol=1e-5)
    [(_, coarse)] = encode(whisper, [waves[0]], [spans[0][::2]])
    assert torch.allclose(coarse, together[0][::2], atol=1e-5)


def test_whisper_equals_hugging_faces_encoder():
    """The same random weights, a clip of 30 s, every layer."""
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=128, encoder_layers=3, encoder_attention_heads=2, encoder_ffn_dim=512
    )
    theirs = WhisperEncoder(config).eval()
    theirs.layer_norm = nn.Identity()
    ours = Whisper(128, 3, pooling="mean").eval()
    ours.load_state_dict(
        {k: v for k, v in theirs.state_dict().items() if "layer_norm." not in k or "layers." in k}
    )
    wave = torch.tensor(noise(30 * 16_000 - 8_000))
    from affekt.nn.encoders.melspec import whisper_log_mel

    with torch.inference_mode():
        mel = whisper_log_mel(nn.functional.pad(wave, (0, 8_400))[None])[..., :3000]
        expected = theirs(mel).last_hidden_state
        assert torch.allclose(ours.frames([wave]), expected, atol=1e-4)


@pytest.mark.parametrize("build", [lambda: Whisper(128, 2, pooling="mean+sd"), VGGish])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_fast_copy_has_the_same_outputs_and_leaves_the_original(build, bfloat16, monkeypatch):
    monkeypatch.setattr(fast_layers, "has_bfloat16", lambda: bfloat16)
    torch.manual_seed(0)
    encoder = build().eval()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    fast = for_inference(encoder)
    layer, tolerance = (BFloat16Linear, 0.01) if bfloat16 else (OneDNNLinear, 1e-5)
    assert any(isinstance(m, layer) for m in fast.modules())
    waves = [noise(16_000), noise(41_234), noise(26 * 16_000)]
    spans = [uniform(len(w) / 16_000, 0.48) for w in waves]
    expected = dict(encode(encoder, waves, spans))
    for i, embeddings in encode(fast, waves, spans):
        assert (embeddings - expected[i]).norm() < tolerance * expected[i].norm()
    assert encoder.state_dict().keys() == before.keys()
    assert all(torch.equal(encoder.state_dict()[name], tensor) for name, tensor in before.items())


def test_whisper_pools_mean_and_deviation_of_48_frames():
    torch.manual_seed(0)
    whisper = Whisper(64, 1, pooling="mean+sd").eval()
    wave, spans = torch.tensor(noise(32_000)), torch.tensor([[48, 144]])
    with torch.inference_mode():
        frames = whisper.frames([wave])[0, 24:72]
        vector = whisper([wave], [spans])[0]
    assert torch.allclose(vector[:64], frames.mean(0), atol=1e-6)
    assert torch.allclose(vector[64:], frames.std(0, correction=0), atol=1e-6)


def test_constant_frames_have_a_finite_gradient():
    frames = torch.zeros(1, 48, 64, requires_grad=True)
    Whisper(64, 1, pooling="mean+sd").pooled(frames).sum().backward()
    assert torch.isfinite(frames.grad).all()


def test_whisper_refuses_more_than_its_positions():
    with pytest.raises(ValueError, match="29.5 s"):
        Whisper(64, 1, pooling="mean")([torch.zeros(30 * 16_000)], [torch.zeros(1, 2)])


def test_vggish_has_the_papers_shape_and_googles_patches():
    vggish = VGGish()
    assert sum(p.numel() for p in vggish.parameters()) == 72_141_184
    wave = noise(16_000 * 3)
    expected = vggish_input.waveform_to_examples(wave, 16_000)[:, 0].detach()
    spans = torch.tensor([[0, 96], [96, 192], [192, 288]])
    assert torch.allclose(patches(torch.tensor(wave), spans), expected, atol=1e-5)


def test_a_narrower_vggish_has_fewer_channels_and_the_same_embedding():
    narrow = VGGish(width=0.25)
    convolutions = (9 + 1) * 16 + (9 * 16 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 64
    convolutions += (9 * 64 + 1) * 128 + (9 * 128 + 1) * 128
    dense = (128 * 6 * 4 + 1) * 1024 + (1024 + 1) * 1024 + (1024 + 1) * 128
    assert sum(p.numel() for p in narrow.parameters()) == convolutions + dense
    wave, spans = [torch.tensor(noise(16_000))], [torch.tensor([[0, 96]])]
    assert narrow(wave, spans).shape == (1, VGGish.dim)


@pytest.mark.parametrize(("padding", "tail"), [("wave", np.log(0.01)), ("log-mel", 0.0)])
def test_short_clips_are_padded_with_silence_or_with_zero_frames(padding, tail):
    patch = patches(torch.ones(1600), torch.tensor([[0, 96]]), padding)
    assert patch.shape == (1, 96, 64)
    assert torch.allclose(patch[0, 20:], torch.tensor(tail, dtype=torch.float32), atol=1e-5)


def test_final_relu_is_a_switch():
    torch.manual_seed(0)
    wave, spans = [torch.tensor(noise(16_000))], [torch.tensor([[0, 96]])]
    with torch.inference_mode():
        assert (VGGish()(wave, spans) < 0).any()
        assert (VGGish(final_relu=True)(wave, spans) >= 0).all()


@pytest.mark.parametrize("make", [lambda: Whisper(64, 1, pooling="mean+sd"), VGGish])
def test_an_encoder_computes_where_its_weights_are(make):
    """On torch's device without data, where an operation with a tensor of the CPU raises."""
    encoder = make().to("meta")
    waves = [torch.zeros(n, device="meta") for n in (16_000, 24_000)]
    spans = [torch.tensor([[0, 96]]), torch.tensor([[0, 96], [24, 120]])]
    embeddings = encoder(waves, spans)
    assert embeddings.device.type == "meta"
    assert embeddings.shape == (3, encoder.dim)
