import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from affekt import AffektError
from affekt.audio.recording import Recording
from affekt.audio.segmentation import uniform
from affekt.config import Augment, Config
from affekt.corpora.registry import load_corpus
from affekt.nn.emotion_model import EmotionModel
from affekt.nn.encoders.hashing import embedding_key
from affekt.nn.encoders.vggish import VGGish
from affekt.nn.encoders.weights import build_encoder
from affekt.training.augmentation import with_copies
from affekt.training.balance import cut
from affekt.training.clips import EmbeddingCache, load_clips
from affekt.training.run import train
from affekt.training.stage import Batches, Score, Stage
from affekt.training.stage1 import Part, Sounds
from affekt.training.stage2 import Live
from affekt.training.targets import Targets
from affekt.training.trainer import Trainer


@pytest.fixture(scope="module")
def clips(manifest):
    return load_clips(load_corpus(str(manifest)).examples)


def weights(trained):
    return trained.model.state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(clips, tiny_config):
    torch.manual_seed(99)  # the caller's random state must not matter
    first = train(clips, tiny_config, seed=0)
    torch.manual_seed(7)
    again, other = (train(clips, tiny_config, seed=s) for s in (0, 1))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_a_frozen_encoder_stays_and_a_tuned_one_moves(clips, tiny_config):
    start = build_encoder(tiny_config.encoder).state_dict()
    assert same(start, train(clips, tiny_config, seed=0).model.encoder.state_dict())
    tuned = tiny_config.model_copy(
        update={"stage1": tiny_config.stage1.model_copy(update={"freeze": False, "epochs": 1})}
    )
    assert not same(start, train(clips, tuned, seed=0).model.encoder.state_dict())


def test_end_to_end_the_encoder_learns_beneath_the_sequence_model(clips, tiny_config):
    start = build_encoder(tiny_config.encoder).state_dict()
    config = tiny_config.model_dump()
    config["stage2"] |= {"end_to_end": True, "epochs": 2}
    config["stage1"] |= {"learning_rate": 1e-3}
    config["protocol"] |= {"refit": False}
    trained = train(clips, Config.model_validate(config), seed=0)
    assert not same(start, trained.model.encoder.state_dict())
    again = train(clips, Config.model_validate(config), seed=0)
    assert same(weights(trained), weights(again))


def test_heard_live_a_clip_has_the_vectors_that_the_cache_would_have(clips, tiny_config):
    encoder = build_encoder(tiny_config.encoder).eval()
    few = [clips[0], clips[5]]
    waves = [np.tile(few[0].recording.wave, 30), few[1].recording.wave]  # one long, one short
    spans = [uniform(len(w) / 16_000, 0.48) for w in waves]
    model = EmotionModel(tiny_config, 2, encoder)
    right = Targets(torch.tensor([0, 1]), torch.ones(2, 2, dtype=torch.bool))
    live = Live(model, Part(waves, spans, right, ["", ""], ["", ""]), "float32")
    expected = EmbeddingCache(None, encoder).encode(waves, spans)
    with torch.no_grad():
        unwatched = live.look([1, 0])
    for one, two, three in zip(live.look([1, 0]), unwatched, expected[::-1], strict=True):
        assert one.requires_grad
        assert torch.allclose(one, three, atol=1e-5)
        assert torch.allclose(two, three, atol=1e-5)


def test_in_bfloat16_an_encoder_learns_nearly_the_same(clips, tiny_config):
    encoder = build_encoder(tiny_config.encoder)
    model = EmotionModel(tiny_config, 2, encoder)
    waves, spans = [clips[0].recording.wave], [uniform(clips[0].seconds, 0.48)]
    part = Part(
        waves, spans, Targets(torch.tensor([0]), torch.ones(1, 2, dtype=torch.bool)), [""], [""]
    )
    for look in (
        lambda p: Sounds(model, part, p)([0])[0],
        lambda p: Live(model, part, p).look([0])[0],
    ):
        gradients = []
        for precision in ("float32", "bfloat16"):
            model.zero_grad()
            embeddings = look(precision)
            assert embeddings.dtype == torch.float32
            embeddings.square().mean().backward()
            gradients.append(encoder.layers[0].fc1.weight.grad)
        exact, short = gradients
        assert not torch.equal(exact, short)
        assert (exact - short).norm() < 0.05 * exact.norm()


def test_it_learns(clips, tiny_config):
    trained = train(clips, tiny_config, seed=0)
    assert trained.training_info().validation_UAR > 0.6


def test_training_and_validation_share_no_speaker(clips, tiny_config, monkeypatch):
    parts = []

    def spy(training, held_out, *rest, **more):
        parts.append([{c.example.speaker for c in part} for part in (training, held_out)])
        return original(training, held_out, *rest, **more)

    from affekt.training import run as module

    original = module._two_stages
    monkeypatch.setattr(module, "_two_stages", spy)
    trained = train(clips, tiny_config, seed=0)
    (inner, held_out), (everyone, nobody) = parts
    assert inner.isdisjoint(held_out)
    assert held_out == set(trained.validation_speakers)
    assert inner | held_out == everyone
    assert nobody == set()


@pytest.fixture
def stages(monkeypatch):
    """What each stage was given and what it did, in order."""
    from affekt.training import run as module

    seen = []

    def watch(name):
        original = getattr(module, name)

        def stage(model, training, validation, *rest, **more):
            history = original(model, training, validation, *rest, **more)
            seen.append((training, validation, more["epochs"], history.epochs))
            return history

        monkeypatch.setattr(module, name, stage)

    watch("train_encoder")
    watch("train_sequence")
    return seen


@pytest.mark.parametrize("scope", ["encoder", "both"])
def test_classes_are_cut_by_the_plan_in_training_and_alike_elsewhere(
    clips, tiny_config, stages, scope
):
    balance = tiny_config.balance.model_copy(update={"scope": scope})
    trained = train(clips, tiny_config.model_copy(update={"balance": balance}), seed=0)
    held_out = set(trained.validation_speakers)
    inner = [c for c in clips if c.example.speaker not in held_out]
    validation = [c for c in clips if c.example.speaker in held_out]
    planned = [cut(c.seconds, trained.plan[c.label]) for c in inner]
    even = [uniform(c.seconds, 0.48) for c in inner]
    assert [len(s) for s in planned] != [len(s) for s in even]  # or nothing could be told apart

    (encoder, encoder_checked, *_), (sequence, sequence_checked, *_) = stages[:2]
    assert all(map(np.array_equal, encoder.spans, planned))
    lengths = [len(embeddings) for embeddings in sequence.embeddings]
    assert lengths == [len(s) for s in (planned if scope == "both" else even)]
    expected = [uniform(c.seconds, 0.48) for c in validation]
    assert all(map(np.array_equal, encoder_checked.spans, expected))
    assert [len(v) for v in sequence_checked.embeddings] == [len(s) for s in expected]


def test_the_second_training_runs_for_the_epochs_that_validation_chose(clips, tiny_config, stages):
    config = tiny_config.model_dump()
    config["stage1"] |= {"epochs": 30, "patience": 1, "head_learning_rate": 0.1}
    config["stage2"] |= {"epochs": 30, "patience": 1, "learning_rate": 0.1}
    trained = train(clips, Config.model_validate(config), seed=0)
    chosen = [trained.stage1.epochs, trained.stage2.epochs]
    assert [most for _, _, most, _ in stages] == [30, 30, *chosen]
    assert chosen < [30, 30]
    assert stages[2][1] is stages[3][1] is None  # nobody is left to watch


def test_a_diverging_training_is_no_model(clips, tiny_config):
    config = tiny_config.model_dump()
    config["stage2"] |= {"learning_rate": 1e30}
    with pytest.raises(AffektError, match="stage 2.+lower the rate"):
        train(clips, Config.model_validate(config), seed=0)


class Cached(EmbeddingCache):
    """Counts what had to be encoded."""

    def _encode(self, waves, spans, report):
        before = set(self.folder.rglob("*.safetensors"))
        embeddings = super()._encode(waves, spans, report)
        self.fresh = len(set(self.folder.rglob("*.safetensors")) - before)
        return embeddings


def test_the_cache_serves_what_is_known_and_nothing_stale(tmp_path, tiny_config):
    waves = [np.random.default_rng(i).standard_normal(20_000).astype(np.float32) for i in range(3)]
    spans = [uniform(1.25, 0.24)] * 3
    encoder = build_encoder(tiny_config.encoder).eval()
    cache = Cached(tmp_path, encoder)
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
    changed = Cached(tmp_path, encoder)
    assert not torch.equal(changed.encode(waves, spans)[0], first[0])
    assert changed.fresh == 3
    encoder.pooling = "mean"
    assert Cached(tmp_path, encoder).key != changed.key


def test_every_switch_of_an_encoder_changes_its_key():
    torch.manual_seed(0)
    vggish = VGGish()
    for setting, value in (("final_relu", True), ("padding", "log-mel")):
        torch.manual_seed(0)
        other = VGGish(**{setting: value})
        assert same(vggish.state_dict(), other.state_dict())
        assert embedding_key(vggish) != embedding_key(other)


def test_weights_do_not_depend_on_what_the_cache_knew(clips, tiny_config, tmp_path):
    fresh = weights(train(clips, tiny_config, seed=0, cache=tmp_path / "a"))
    train(clips[:20], tiny_config, seed=0, cache=tmp_path / "b")
    assert same(fresh, weights(train(clips, tiny_config, seed=0, cache=tmp_path / "b")))
    assert same(fresh, weights(train(clips, tiny_config, seed=0)))


def test_a_damaged_cache_file_is_encoded_anew(tmp_path, tiny_config):
    encoder = build_encoder(tiny_config.encoder).eval()
    wave, spans = np.ones(20_000, np.float32), uniform(1.25, 0.24)
    cache = Cached(tmp_path, encoder)
    [good] = cache.encode([wave], [spans])
    [path] = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:50])
    assert torch.equal(cache.encode([wave], [spans])[0], good)
    assert torch.equal(cache.encode([wave], [spans])[0], good)
    assert not list(tmp_path.rglob("*.part"))


def test_speeds_add_shorter_and_longer_copies_with_their_label(clips):
    few = clips[:2]
    copies = with_copies(few, Augment(speeds=(0.9, 1.1)))
    assert len(copies) == 6
    assert copies[:2] == few
    assert copies[2].seconds == pytest.approx(few[0].seconds / 0.9, abs=1e-3)
    assert copies[4].seconds == pytest.approx(few[0].seconds / 1.1, abs=1e-3)
    assert [c.label for c in copies] == [c.label for c in few] * 3
    wave = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    tone = few[0].__class__(few[0].example, Recording("tone", wave))
    faster = with_copies([tone], Augment(speeds=(1.25,)))[1].recording.wave
    assert np.argmax(np.abs(np.fft.rfft(faster))) * 16_000 / len(faster) == pytest.approx(
        1250, abs=5
    )


def one_weight(values, patience, epochs=10, validate=True, interrupt_at=None):
    """Train one number; validation sees the values given, one an epoch."""
    model = nn.Linear(1, 1, bias=False)
    seen = iter(values)
    steps = iter(range(1000))

    def loss(batch):
        if next(steps) == interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return (model.weight - 5).square().sum()

    history = Trainer().fit(Stage(
        "test", model, torch.optim.SGD(model.parameters(), 0.1),
        Batches([1], 1, np.random.default_rng(0)), loss,
        (lambda: Score(-next(seen), 0.5)) if validate else None, epochs, patience,
    ))  # fmt: skip
    return model.weight.item(), history


def after(epochs):
    """The weight after so many steps of gradient descent from `start`."""
    return lambda start: 5 - (5 - start) * 0.8**epochs


def test_the_best_epoch_is_kept_and_patience_ends_training(monkeypatch):
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda self: nn.init.zeros_(self.weight))
    weight, history = one_weight([0.1, 0.5, 0.9, 0.3, 0.2, 0.8], patience=2)
    assert history.epochs == 3
    assert len(history.loss) == 5
    assert weight == pytest.approx(after(3)(0))


def test_without_validation_every_epoch_is_run(monkeypatch):
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda self: nn.init.zeros_(self.weight))
    weight, history = one_weight([], patience=1, epochs=4, validate=False)
    assert history.epochs == 4
    assert weight == pytest.approx(after(4)(0))


def test_ctrl_c_keeps_the_best_epoch_so_far(monkeypatch):
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda self: nn.init.zeros_(self.weight))
    weight, history = one_weight([0.1, 0.9, 0.2, 0.3], patience=9, interrupt_at=3)
    assert history.interrupted
    assert history.epochs == 2
    assert weight == pytest.approx(after(2)(0))
    with pytest.raises(KeyboardInterrupt):
        one_weight([0.1], patience=9, interrupt_at=0)


def test_batches_hold_everything_once_and_enough():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 100).tolist()
    batches = list(Batches(sizes, 16, rng))
    assert sorted(i for batch in batches for i in batch) == list(range(100))
    assert all(sum(sizes[i] for i in batch) >= 16 for batch in batches[:-1])
    assert [i for b in batches for i in b] != list(range(100))
