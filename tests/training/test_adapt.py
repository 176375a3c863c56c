import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import affekt

from affekt import CorpusError, load
from affekt.corpora.registry import load_corpus
from affekt.inference.recognizer import Recognizer
from affekt.metrics import gain_interval
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint
from affekt.nn.training_info import AdaptedFrom, LeftOut, TrainingInfo
from affekt.training.adapt import adapt
from affekt.training.clips import load_clips
from affekt.training.embedding_cache import EmbeddingCache
from affekt.types import ANONYMOUS


@pytest.fixture(scope="module")
def base():
    return load_checkpoint(model_folder("default"))


@pytest.fixture(scope="module")
def clips(manifest):
    return load_clips(load_corpus(str(manifest)).examples)


@pytest.fixture(scope="module")
def cache(base, tmp_path_factory):
    return EmbeddingCache(base.model.encoder, tmp_path_factory.mktemp("embeddings"))


@pytest.fixture(scope="module")
def before(base):
    """The weights of the base model before anything is adapted."""
    return {name: t.clone() for name, t in base.model.state_dict().items()}


@pytest.fixture(scope="module")
def adapted(before, base, clips, cache):
    return adapt(base, clips, cache, "mine")


def test_it_learns_speakers_unlike_the_training_data(adapted):
    """The classes of synthetic tones differ in pitch and vibrato."""
    assert adapted.checkpoint.labels == ["anger", "neutral", "sadness"]
    assert adapted.after > max(adapted.before, 0.7)
    assert adapted.gain[0] > 0
    assert adapted.held_out == "speakers"
    assert adapted.added == []
    assert adapted.notes() == []


def test_the_base_model_is_not_changed(before, adapted, base):
    for name, tensor in base.model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    for name, tensor in adapted.checkpoint.model.encoder.state_dict().items():
        assert torch.equal(tensor, before[f"encoder.{name}"])


def test_random_labels_show_no_gain_on_held_out_clips(base, clips, cache):
    """A leak of held-out labels into a fit would show as a gain."""
    rng = np.random.default_rng(0)
    labels = rng.permutation([c.label for c in clips])
    shuffled = [
        replace(c, example=replace(c.example, label=str(label)))
        for c, label in zip(clips, labels, strict=True)
    ]
    adapted = adapt(base, shuffled, cache, "mine")
    assert adapted.after < 0.55
    assert any("no gain can be shown" in note for note in adapted.notes())
    recognizer = Recognizer(adapted.checkpoint)
    predictions = recognizer.recognise([c.recording for c in shuffled])
    assert np.mean([p.confidence for p in predictions]) < 0.42  # 0.49 at a temperature of 1


def test_one_speaker_and_few_clips_are_enough_and_new_classes_are_added(base, clips, cache):
    own = [c for c in clips if c.example.speaker == "s1"]
    renamed = [
        replace(c, example=replace(c.example, label="joke")) if c.label == "anger" else c
        for c in own
    ]
    adapted = adapt(base, renamed, cache, "mine")
    assert adapted.held_out == "clips"
    assert adapted.added == ["joke"]
    assert any("not valid for other speakers" in note for note in adapted.notes())
    assert any("joke" in note for note in adapted.notes())
    assert any(note.startswith("one speaker:") for note in adapted.notes())


def test_without_speakers_the_score_is_over_clips(base, clips, cache):
    few = [c for c in clips if c.example.id.endswith(("_0.wav", "_1.wav"))]
    unknown = [
        replace(c, example=replace(c.example, speaker=ANONYMOUS + c.example.id)) for c in few
    ]
    adapted = adapt(base, unknown, cache, "mine")
    assert (adapted.held_out, adapted.speakers) == ("clips", 0)
    assert "speakers unknown: the scores are not valid for other speakers" in adapted.notes()


def test_a_confidence_that_nothing_calibrated_says_so(base, clips):
    recordings = [clips[0].recording]
    nothing = Recognizer(base).statistics_of([])
    statistics = replace(nothing, segments=9)
    origin = AdaptedFrom(name="default")
    old = replace(base, training=TrainingInfo(adapted_from=origin))
    adapted = replace(base, training=TrainingInfo(adapted_from=origin, temperatures=(1, 1)))
    runs = [LeftOut(temperature=1, known_source=known, corpora={}) for known in (False, True)]
    plain, known = (replace(base, training=TrainingInfo(left_out=[run])) for run in runs)
    for checkpoint, chosen, codes in (
        (base, None, []),
        (base, nothing, []),
        (base, statistics, []),
        (plain, statistics, ["uncalibrated"]),
        (known, statistics, []),
        (adapted, statistics, []),
        (base, replace(statistics, neutral=True), ["uncalibrated"]),
        (old, None, ["uncalibrated"]),  # as version 0.1 adapted
    ):
        [prediction] = Recognizer(checkpoint).recognise(recordings, chosen)
        assert [warning.code for warning in prediction.warnings] == codes


def test_too_few_classes_or_clips_are_refused(base, clips, cache):
    with pytest.raises(CorpusError, match="two classes with two clips each; there are anger"):
        adapt(base, [c for c in clips if c.label == "anger"], cache, "mine")
    one = [c for c in clips if c.label == "anger"] + [c for c in clips if c.label == "neutral"][:1]
    with pytest.raises(CorpusError, match="neutral 1"):
        adapt(base, one, cache, "mine")


def test_the_interval_of_a_gain_by_hand():
    better = np.array([[[2, 0], [0, 2]]] * 3)
    worse = np.array([[[1, 1], [0, 2]]] * 3)
    assert gain_interval(worse, better) == pytest.approx((0.25, 0.25))  # the same for everyone
    mixed = np.array([[[2, 0], [0, 2]], [[0, 2], [0, 2]]])
    low, high = gain_interval(mixed, np.array([[[2, 0], [0, 2]]] * 2))
    assert (low, high) == pytest.approx((0.0, 0.5))


def test_the_command_writes_a_model_that_predict_loads(manifest, clips, tmp_path):
    out = tmp_path / "mine"
    done = affekt("adapt", manifest, "--out", out, "--labels.neutral", "calm")
    assert done.returncode == 0, done.stderr
    assert "UAR on held-out speakers" in done.stdout
    assert "calm" in done.stdout
    card = (out / "README.md").read_text()
    assert "adapted from | default" in card
    assert "| confidence | calibrated on held-out speakers of these recordings" in card
    assert (out / "model.safetensors").stat().st_size < 3e6  # the encoder is not stored again
    about = json.loads((out / "config.json").read_text())
    assert about["training"]["adapted_from"]["name"] == "default"
    assert about["training"]["temperatures"][0] >= 1
    assert load(out).labels == ["anger", "calm", "sadness"]
    result = affekt("predict", clips[0].example.path, "--model", out, "--json")
    assert set(json.loads(result.stdout)["probabilities"]) == {"anger", "calm", "sadness"}
    again = affekt("adapt", manifest, "--out", out)
    assert again.returncode == 2
    both = affekt("adapt", manifest, "--unlabelled", tmp_path, "--out", tmp_path / "x")
    assert both.returncode == 2
    assert "give one of: labelled recordings, --unlabelled" in both.stderr
    none = affekt("adapt", manifest, "--from", "nobody", "--out", tmp_path / "x")
    assert none.returncode == 2
    assert "no such model" in none.stderr
    assert not (tmp_path / "x").exists()
