"""Cached embeddings: stored ones are used, and none for changed input."""

import numpy as np
import torch

from affekt.audio.segmentation import uniform
from affekt.nn.encoders.hashing import embedding_key
from affekt.nn.encoders.vggish import VGGish
from affekt.nn.encoders.weights import build_encoder
from affekt.training.embedding_cache import EmbeddingCache, blocks, joined


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


class Cached(EmbeddingCache):
    """Counts what had to be encoded."""

    def encode(self, waves, spans):
        before = set(self.folder.rglob("*.safetensors"))
        embeddings = super().encode(waves, spans)
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


def test_what_does_not_fit_in_memory_is_read_when_it_is_needed(tmp_path, tiny_config, monkeypatch):
    waves = [np.random.default_rng(i).standard_normal(20_000).astype(np.float32) for i in range(3)]
    spans = [uniform(1.25, 0.48)] * 3
    encoder = build_encoder(tiny_config.encoder).eval()
    expected = list(EmbeddingCache(encoder, tmp_path).encode(waves, spans))
    monkeypatch.setattr("affekt.training.embedding_cache.MEMORY", expected[0].nbytes)
    known = EmbeddingCache(encoder, tmp_path).encode(waves, spans)
    files = sorted(tmp_path.rglob("*.safetensors"))
    for path in files:
        path.write_bytes(b"damaged")
    assert torch.equal(known[0], expected[0])  # held
    assert all(path.read_bytes() == b"damaged" for path in files)
    assert all(map(torch.equal, known, expected))  # encoded again
    assert sum(path.read_bytes() != b"damaged" for path in files) == 2


def test_without_a_folder_everything_is_held(tiny_config, monkeypatch):
    monkeypatch.setattr("affekt.training.embedding_cache.MEMORY", 0)
    encoder = build_encoder(tiny_config.encoder).eval()
    waves, spans = [np.ones(20_000, np.float32)] * 2, [uniform(1.25, 0.24)] * 2
    embeddings = EmbeddingCache(encoder).encode(waves, spans)
    assert embeddings[0] is embeddings[0]


def test_blocks_keep_the_order_and_join_to_all_segments(monkeypatch):
    monkeypatch.setattr("affekt.training.embedding_cache.BLOCK", 5)
    assert list(blocks([2, 3, 1, 9, 1])) == [[0, 1], [2], [3], [4]]
    embeddings = [torch.full((size, 1), float(size)) for size in (2, 3, 1, 9, 1)]
    assert [len(part) for part in joined(embeddings, [0, 1, 2, 4])] == [5, 2]
    assert torch.equal(torch.cat(list(joined(embeddings, range(5)))), torch.cat(embeddings))
