"""Datasets of a training, and encoding their clips with gradients."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from affekt.audio.recording import Recording
from affekt.audio.segmentation import uniform
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.nn.emotion_model import EmotionModel
from affekt.nn.encoders.weights import build_encoder
from affekt.training.clips import Clip, load_clips
from affekt.training.datasets import (
    ClipDataset,
    SegmentChunks,
    clip_encoder,
    encode_chunks,
    random_domains,
    speaker_domains,
)
from affekt.training.embedding_cache import EmbeddingCache
from affekt.training.targets import ClassTargets
from affekt.training.waves import Waves
from affekt.types import Example


@pytest.fixture(scope="module")
def clips(manifest):
    return load_clips(load_corpus(str(manifest)).examples)


def dataset(waves):
    spans = [uniform(len(w) / 16_000, 0.48) for w in waves]
    targets = ClassTargets(
        torch.arange(len(waves)) % 2, torch.ones(len(waves), 2, dtype=torch.bool)
    )
    return named_dataset([""] * len(waves), waves=waves, spans=spans, targets=targets)


def named_dataset(corpora, waves=None, spans=(), targets=None, **values):
    """A dataset whose clips are standardised by their corpus."""
    same = {"stage1_spans": spans, "stage2_spans": spans, "domains": corpora, "speakers": corpora}
    values = {"changes": [""] * len(corpora)} | same | values
    waves = Waves([Recording("", w) for w in (corpora if waves is None else waves)])
    return ClipDataset(waves=waves, targets=targets, corpora=corpora, **values)


def end_to_end(config):
    settings = config.model_dump()
    settings["stage2"] |= {"end_to_end": True}
    return Config.model_validate(settings)


def test_clips_encoded_anew_have_the_embeddings_that_the_cache_gives(clips, tiny_config):
    encoder = build_encoder(tiny_config.encoder).eval()
    waves = [np.tile(clips[0].recording.wave, 30), clips[5].recording.wave]  # one long, one short
    data, cache = dataset(waves), EmbeddingCache(encoder)
    model = EmotionModel(tiny_config, 2, encoder)
    expected = list(cache.encode(data.waves, data.stage2_spans))[::-1]
    cached = clip_encoder(model, data, tiny_config, cache)([1, 0])
    live = clip_encoder(model, data, end_to_end(tiny_config), cache)
    with torch.no_grad():
        evaluated = live([1, 0])
    for known, trained, other, right in zip(cached, live([1, 0]), evaluated, expected, strict=True):
        assert torch.equal(known, right)
        assert trained.requires_grad
        assert torch.allclose(trained, right, atol=1e-5)
        assert torch.allclose(other, right, atol=1e-5)


def test_gradients_in_bfloat16_are_close_to_those_in_float32(clips, tiny_config):
    encoder = build_encoder(tiny_config.encoder)
    model = EmotionModel(tiny_config, 2, encoder)
    chunks = SegmentChunks(dataset([clips[0].recording.wave]), contextual=True)
    gradients = []
    for precision in ("float32", "bfloat16"):
        model.zero_grad()
        [embeddings] = encode_chunks(model, chunks, precision)
        assert embeddings.dtype == torch.float32
        embeddings.square().mean().backward()
        gradients.append(encoder.layers[0].fc1.weight.grad)
    exact, short = gradients
    assert not torch.equal(exact, short)
    assert (exact - short).norm() < 0.05 * exact.norm()


def test_segments_are_items_of_their_own_unless_the_encoder_is_contextual():
    wave = np.arange(16_000 * 30, dtype=np.float32)  # longer than the encoder takes at once
    data = dataset([wave, wave[:20_000]])
    together = SegmentChunks(data, contextual=True)
    assert [c.clip for c in together] == [0, 0, 1]
    alone = SegmentChunks(data, contextual=False)
    starts = [first for spans in data.stage1_spans for first in spans[:, 0].tolist()]
    assert [int(c.wave[0]) for c in alone] == [160 * start for start in starts]
    assert all(c.spans.tolist() == [[0, 96]] for c in alone)
    assert [c.clip for c in alone] == [0] * len(data.stage1_spans[0]) + [1, 1]


def test_half_of_the_clips_of_several_corpora_are_of_an_unknown_domain():
    rng = np.random.default_rng(0)
    corpora = ["a", "b"] * 200
    data = named_dataset(corpora, speakers=["a: 1", "b"] * 200)
    domains = random_domains(data, rng, by_speaker=False)
    assert 150 < domains.count(None) < 250
    assert all(d in (None, c) for d, c in zip(domains, corpora, strict=True))
    assert random_domains(data, rng, by_speaker=True).count("a: 1") in range(60, 140)
    assert random_domains(named_dataset("aaa"), rng, by_speaker=False) == ["a"] * 3


def test_changed_copies_are_a_corpus_and_speakers_of_their_own():
    clips = [Clip(Example("x", "x.wav", c, "one", corpus="c"), None) for c in "abc"]
    clips += [replace(clip, change="speed 0.9") for clip in clips] + [
        replace(clip, change="degraded 0") for clip in clips[:2]
    ]
    speakers = speaker_domains(clips)
    assert speakers == ["c: one"] * 3 + ["c: one (speed 0.9)"] * 3 + ["c (degraded 0)"] * 2
    changes = [clip.change for clip in clips]
    data = named_dataset(["c"] * 8, changes=changes, speakers=speakers)
    corpora = ["c"] * 3 + ["c (speed 0.9)"] * 3 + ["c (degraded 0)"] * 2
    assert data.corpus_domains == corpora
    drawn = random_domains(data, np.random.default_rng(0), by_speaker=True)
    assert all(d in pair for d, *pair in zip(drawn, corpora, speakers, strict=True))
    assert random_domains(data, np.random.default_rng(0), by_speaker=False) == ["c"] * 8


def test_a_speaker_of_few_classes_is_normalised_by_corpus():
    def clip(speaker, label):
        return Clip(Example("x", "x.wav", label, speaker, corpus="c"), None)

    clips = [clip("one", label) for label in "abc"] + [clip("two", label) for label in "abb"]
    assert speaker_domains(clips) == ["c: one"] * 3 + ["c"] * 3
