"""A complete training: clips of each part, refit, Ctrl-C, the same bits."""

import os
import signal

import numpy as np
import pytest
import torch

from affekt import AffektError
from affekt.audio.segmentation import uniform
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.nn.encoders.weights import build_encoder
from affekt.training.balance import cut
from affekt.training.clips import inner_split, load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import Run, prepare, train
from affekt.training.targets import task_of


@pytest.fixture(scope="module")
def clips(manifest):
    return load_clips(load_corpus(str(manifest)).examples)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A context with the embeddings that other tests of this file have computed."""
    return TrainingContext(embedding_cache=tmp_path_factory.mktemp("embeddings"))


@pytest.fixture(scope="module")
def trained(clips, tiny_config):
    """Of the tiny config and seed 0, without a cache of embeddings; no test may change it."""
    torch.manual_seed(99)  # the caller's random state must not matter
    return train(clips, tiny_config, seed=0)


def weights(trained):
    return trained.model.state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    trained, clips, tiny_config, cached
):
    torch.manual_seed(7)
    again, other = (train(clips, tiny_config, cached, seed=s) for s in (0, 1))
    assert same(weights(trained), weights(again))
    assert not same(weights(trained), weights(other))


def test_only_an_encoder_that_is_not_frozen_changes(trained, clips, tiny_config):
    start = build_encoder(tiny_config.encoder).state_dict()
    assert same(start, trained.model.encoder.state_dict())
    tuned = tiny_config.model_copy(
        update={"stage1": tiny_config.stage1.model_copy(update={"freeze": False, "epochs": 1})}
    )
    assert not same(start, train(clips, tuned, seed=0).model.encoder.state_dict())


def test_a_trained_encoder_is_standardised_by_its_own_embeddings(clips, tiny_config):
    settings = tiny_config.model_dump()
    settings["stage1"] |= {"freeze": False, "epochs": 1, "learning_rate": 1e-2}
    config = Config.model_validate(settings)
    model = train(clips, config, seed=0).model
    split, _, _ = prepare(
        Run("refit", clips, [], task_of(clips), config, 0), np.random.default_rng(0)
    )
    embeddings = (
        TrainingContext()
        .cache_of(model.encoder)
        .encode(split.training.waves, split.training.stage1_spans)
    )
    assert torch.allclose(model.projection.mean, torch.cat(list(embeddings)).mean(0), atol=1e-5)


def test_the_statistics_of_a_corpus_are_those_of_all_its_speakers(clips, tiny_config, cached):
    few = [c for c in clips if c.example.speaker != "s1" or c.label == "anger"]  # s1: one class
    projection = train(few, tiny_config, cached, seed=0).model.projection
    [corpus] = {c.example.corpus for c in clips}
    assert torch.equal(projection.domains[corpus].mean, projection.mean)


def test_end_to_end_the_encoder_is_trained_with_the_sequence_model(clips, tiny_config):
    start = build_encoder(tiny_config.encoder).state_dict()
    config = tiny_config.model_dump()
    config["stage2"] |= {"end_to_end": True, "epochs": 2}
    config["stage1"] |= {"learning_rate": 1e-3}
    config["protocol"] |= {"refit": False}
    trained = train(clips, Config.model_validate(config), seed=0)
    assert not same(start, trained.model.encoder.state_dict())
    again = train(clips, Config.model_validate(config), seed=0)
    assert same(weights(trained), weights(again))


def test_it_learns(trained):
    assert trained.training_info().validation_UAR > 0.6


def test_a_diverging_training_is_an_error(clips, tiny_config, cached):
    config = tiny_config.model_dump()
    config["stage2"] |= {"learning_rate": 1e30}
    with pytest.raises(AffektError, match="stage 2.+lower the learning rate"):
        train(clips, Config.model_validate(config), cached, seed=0)


def test_weights_do_not_depend_on_the_content_of_the_cache(trained, clips, tiny_config, tmp_path):
    one, other = (TrainingContext(embedding_cache=tmp_path / name) for name in "ab")
    fresh = weights(train(clips, tiny_config, one, seed=0))
    train(clips[:20], tiny_config, other, seed=0)
    assert same(fresh, weights(train(clips, tiny_config, other, seed=0)))
    assert same(fresh, weights(trained))


@pytest.mark.parametrize("scope", ["encoder", "both"])
def test_segments_depend_on_the_class_in_training_only(clips, tiny_config, scope):
    balance = tiny_config.balance.model_copy(update={"scope": scope})
    config = tiny_config.model_copy(update={"balance": balance})
    training, validation = inner_split(clips, 0.25, 0)
    run = Run("selection", training, validation, task_of(clips), config, 0)
    split, plan, _ = prepare(run, np.random.default_rng(0))
    planned = [cut(c.seconds, plan[c.label]) for c in training]
    even = [uniform(c.seconds, 0.48) for c in training]
    assert [len(s) for s in planned] != [len(s) for s in even]  # otherwise the two would be equal
    expected = [uniform(c.seconds, 0.48) for c in validation]
    for spans, right in (
        (split.training.stage1_spans, planned),
        (split.training.stage2_spans, planned if scope == "both" else even),
        (split.validation.stage1_spans, expected),
        (split.validation.stage2_spans, expected),
    ):
        assert all(map(np.array_equal, spans, right))
        assert len(spans) == len(right)


def test_validation_speakers_are_trained_on_in_the_refit_alone(trained, clips, tiny_config, cached):
    without = tiny_config.model_copy(
        update={"protocol": tiny_config.protocol.model_copy(update={"refit": False})}
    )
    first, second = train(clips, without, cached, seed=0), trained
    assert (first.refit, second.refit) == (False, True)
    assert first.validation_speakers == second.validation_speakers
    inner = [c for c in clips if c.example.speaker not in first.validation_speakers]
    assert 0 < len(inner) < len(clips)
    assert sum(row.clips for row in first.balance) == len(inner)
    assert sum(row.clips for row in second.balance) == len(clips)
    # Other audio of the validation speakers cannot change what is not trained on them.
    silent = [c if c in inner else type(c)(c.example, clips[0].recording) for c in clips]
    config = without.model_dump()
    config["stage1"] |= {"epochs": 1}
    config["stage2"] |= {"epochs": 1}
    config = Config.model_validate(config)
    one, other = (train(part, config, cached, seed=0) for part in (clips, silent))
    assert one.stage2.validation != other.stage2.validation
    assert one.stage2.loss == other.stage2.loss
    one.model.temperatures.copy_(other.model.temperatures)
    assert same(weights(one), weights(other))


def test_the_refit_runs_for_the_epochs_that_validation_chose(clips, tiny_config, cached):
    config = tiny_config.model_dump()
    config["stage1"] |= {"epochs": 30, "patience": 1, "head_learning_rate": 0.1}
    config["stage2"] |= {"epochs": 30, "patience": 1, "learning_rate": 0.1}
    events = []
    context = TrainingContext(events.append, embedding_cache=cached.embedding_cache)
    trained = train(clips, Config.model_validate(config), context, seed=0)
    epochs = [e for e in events if e.stage.startswith("stage")]
    selection = [e for e in epochs if e.total == 30]
    refit = epochs[len(selection) :]
    assert all("validation UAR" in e.note for e in selection)
    assert not any("validation" in e.note for e in refit)  # no clip is left to validate
    for name, chosen in (("stage 1", trained.stage1.epochs), ("stage 2", trained.stage2.epochs)):
        assert chosen < 30
        counted = [(e.done, e.total) for e in refit if e.stage.startswith(name)]
        assert counted == [(i + 1, chosen) for i in range(chosen)]


def interrupted_at(clips, config, stage, done, *, nth=1, keep=True):
    """A training with Ctrl-C when a stage reports so many epochs or clips for the nth time."""
    seen = iter(range(1, 1000))

    def report(event):
        if event.stage.startswith(stage) and event.done == done and next(seen) == nth:
            os.kill(os.getpid(), signal.SIGINT)

    return train(clips, config, TrainingContext(report, keep_interrupted=keep), seed=0)


def test_ctrl_c_ends_stage_1_with_its_best_epoch_and_stage_2_follows(clips, tiny_config):
    trained = interrupted_at(clips, tiny_config, "stage 1", 3)
    assert trained.interrupted
    assert len(trained.stage1.loss) == 3
    assert len(trained.stage2.loss) == 8
    assert not trained.refit
    assert trained.training_info().interrupted


def test_ctrl_c_in_stage_2_keeps_its_best_epoch(clips, tiny_config):
    trained = interrupted_at(clips, tiny_config, "stage 2", 2)
    assert trained.interrupted
    assert len(trained.stage2.loss) == 2
    assert not trained.refit


@pytest.mark.parametrize(
    ("stage", "done"),
    [("stage 1", 1), ("stage 2", 1), ("encode", 5)],
)
def test_an_interrupted_refit_returns_the_first_model(clips, tiny_config, stage, done):
    config = tiny_config.model_dump()
    config["protocol"] |= {"refit": False}
    first = train(clips, Config.model_validate(config), seed=0)
    reports = []
    context = TrainingContext(reports.append)
    train(clips, Config.model_validate(config), context, seed=0)
    before = sum(e.stage.startswith(stage) and e.done == done for e in reports)
    trained = interrupted_at(clips, tiny_config, stage, done, nth=before + 1)
    assert trained.interrupted
    assert not trained.refit
    assert same(weights(first), weights(trained))


@pytest.mark.parametrize(
    ("stage", "done", "keep"), [("encode", 5, True), ("stage 1", 3, False), ("stage 2", 3, False)]
)
def test_ctrl_c_aborts_without_a_model_or_without_keep_interrupted(
    clips, tiny_config, stage, done, keep
):
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(clips, tiny_config, stage, done, keep=keep)


def test_clips_that_do_not_fit_in_memory_give_the_same_model(
    clips, tiny_config, tmp_path, monkeypatch
):
    values = tiny_config.model_dump(exclude_unset=True)
    values["stage1"]["epochs"] = values["stage2"]["epochs"] = 2
    values["stage2"]["linear_head"] = True
    config = Config.model_validate(values | {"training_normalisation": "speaker"})
    context = TrainingContext(embedding_cache=tmp_path)
    whole = train(clips, config, context, seed=0)
    for name, size in (("embedding_cache.MEMORY", 0), ("embedding_cache.BLOCK", 20)):
        monkeypatch.setattr(f"affekt.training.{name}", size)
    monkeypatch.setattr("affekt.training.recordings.MEMORY", 0)
    monkeypatch.setattr("affekt.training.linear_head.BLOCK", 3)
    again = load_clips([c.example for c in clips])
    assert again[0].recording.wave is not again[0].recording.wave  # decoded again
    parts = train(again, config, context, seed=0)
    for name in ("projection.mean", "projection.sd", "linear.means"):
        assert torch.allclose(weights(parts)[name], weights(whole)[name], rtol=1e-5, atol=1e-5)
    for stage, curves in whole.training_info().curves.items():  # Adam magnifies the last bits
        for name, values in curves.items():
            assert parts.training_info().curves[stage][name] == pytest.approx(values, abs=0.01)
