"""Cached embeddings: stored ones are used, and none for changed input."""

import numpy as np
import torch

from affekt.audio.segmentation import uniform
from affekt.nn.encoders.hashing import embedding_key
from affekt.nn.encoders.vggish import VGGish
from affekt.nn.encoders.weights import build_encoder
from affekt.training.embedding_cache import EmbeddingCache


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


class Cached(EmbeddingCache):
    """Counts what had to be encoded."""

    def _encode(self, waves, spans):
        before = set(self.folder.rglob("*.safetensors"))
        embeddings = super()._encode(waves, spans)
        self.fresh = len(set(self.folder.rglob("*.safetensors")) - before)
        return embeddings


def test_the_cache_returns_stored_embeddings_and_nothing_stale(tmp_path, tiny_config):
    waves = [np.random.default_rng(i).standard_normal(20_000).astype(np.float32) for i in range(3)]
    spans = [uniform(1.25, 0.24)] * 3
    encoder = build_encoder(tiny_config.encoder).eval()
    cache = Cached(encoder, tmp_path)
    first = cache.encode(waves, spans)
    assert cache.fresh == 3
    for one, other in zip(first, cache.encode(waves, spans), strict=True):
        assert torch.equal(one, other)
    assert cache.fresh == 0

    louder = [waves[0] * 1.001, *waves[1:]]
    assert not torch.equal(cache.encode(louder, spans)[0], first[0])
    assert cache.fresh == 1
    coarse = cache.encode(waves, [s[::2] for s in spans])  # on the grid: served from it
    assert cache.fresh == 0
    assert torch.equal(coarse[0], first[0][::2])
    cache.encode(waves, [s + 0.01 for s in spans])
    assert cache.fresh == 3

    with torch.no_grad():
        next(encoder.parameters()).add_(1e-3)
    changed = Cached(encoder, tmp_path)
    assert not torch.equal(changed.encode(waves, spans)[0], first[0])
    assert changed.fresh == 3
    encoder.pooling = "mean"
    assert Cached(encoder, tmp_path).key != changed.key


def test_every_switch_of_an_encoder_changes_its_key():
    torch.manual_seed(0)
    vggish = VGGish()
    for setting, value in (("final_relu", True), ("padding", "log-mel")):
        torch.manual_seed(0)
        other = VGGish(**{setting: value})
        assert same(vggish.state_dict(), other.state_dict())
        assert embedding_key(vggish) != embedding_key(other)


def test_a_damaged_cache_file_is_replaced(tmp_path, tiny_config):
    encoder = build_encoder(tiny_config.encoder).eval()
    wave, spans = np.ones(20_000, np.float32), uniform(1.25, 0.24)
    cache = Cached(encoder, tmp_path)
    [good] = cache.encode([wave], [spans])
    [path] = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:50])
    assert torch.equal(cache.encode([wave], [spans])[0], good)
    assert torch.equal(cache.encode([wave], [spans])[0], good)
    assert not list(tmp_path.rglob("*.part"))


def test_clips_that_another_process_encoded_meanwhile_are_read(tmp_path, tiny_config):
    waves = [np.random.default_rng(i).standard_normal(20_000).astype(np.float32) for i in range(5)]
    spans = [uniform(1.25, 0.24)] * 5
    encoder = build_encoder(tiny_config.encoder).eval()

    class Slow(EmbeddingCache):
        encoded = 0

        def _compute(self, wave, spans_of_clip, path):
            EmbeddingCache(encoder, tmp_path).encode(waves, spans)  # the other process
            self.encoded += 1
            return super()._compute(wave, spans_of_clip, path)

    slow = Slow(encoder, tmp_path)
    together = slow.encode(waves, spans)
    assert slow.encoded == 1
    for embeddings, expected in zip(
        together, EmbeddingCache(encoder).encode(waves, spans), strict=True
    ):
        assert torch.equal(embeddings, expected)
