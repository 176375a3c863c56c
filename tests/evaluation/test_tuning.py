"""A search of settings sees nothing of the outer test fold, resumes, and gives a recipe."""

import sqlite3
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import optuna
import pytest

import affekt
from affekt import AffektError
from affekt.audio.recording import Recording
from affekt.config import Config
from affekt.corpora.corpus import Corpus
from affekt.corpora.registry import load_corpus
from affekt.errors import MissingExtraError
from affekt.evaluation import folds
from affekt.evaluation.systems.tuned import Tuned
from affekt.recipe import read_config
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.search import Search, search
from affekt.training.search_space import DEFAULT, read_space, with_values

SPACE = """
[stage2]
hidden = [8, 16]
learning_rate = { low = 1e-3, high = 1e-1, log = true }
dropout = { low = 0, high = 0.5 }
"""


@pytest.fixture(scope="module")
def config(tiny_config):
    settings = tiny_config.model_dump(exclude_unset=True)
    settings["stage1"] |= {"epochs": 1}
    settings["stage2"] |= {"epochs": 6, "cell": "none"}
    return Config.model_validate(settings)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def space_file(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


def plan_of(config, space_file, storage, trials):
    return Search(config, read_space(space_file, config), trials, storage)


@pytest.fixture(scope="module")
def clips(manifest):
    return load_clips(load_corpus(str(manifest)).examples)[::2]


def changed(clips, test):
    """The clips with other labels and noise in place of the sound of the test clips."""
    labels = sorted({c.label for c in clips})
    rng = np.random.default_rng(0)
    return [
        c
        if c.example.id not in test
        else replace(
            c,
            example=replace(c.example, label=labels[labels.index(c.label) - 1]),
            recording=Recording(
                c.recording.name, rng.normal(0, 0.1, len(c.recording.wave)).astype(np.float32)
            ),
        )
        for c in clips
    ]


def searched(clips, config, plan, cache):
    """What a search inside the first fold finds: every trial, and the settings of the winner."""
    [job, *_] = folds.jobs_of(corpus_of(clips), config.protocol)
    experiment = folds.Experiment(
        clips, sorted({c.label for c in clips}), lambda: Tuned(plan, cache), config.protocol
    )
    [(_, record)] = experiment.run(job, lambda event: None)
    [name] = optuna.get_all_study_names(f"sqlite:///{plan.storage}")
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{plan.storage}")
    trials = [(t.params, t.value, t.intermediate_values, t.state) for t in study.trials]
    return trials, record["chosen"], record["stage2_epochs"]


def corpus_of(clips):
    """The corpus of the clips."""
    return Corpus("c", tuple(c.example for c in clips), license="free")


def check_blind(clips, config, space_file, folder, cache):
    """The search in the first fold must not depend on labels or sound of its test clips."""
    [job, *_] = folds.jobs_of(corpus_of(clips), config.protocol)
    one, other = (plan_of(config, space_file, folder / name, 3) for name in ("a.db", "b.db"))
    before = searched(clips, config, one, cache)
    assert before == searched(changed(clips, job.test), config, other, cache)
    assert len(before[0]) == 3


def test_the_test_fold_does_not_enter_the_search(clips, config, space_file, tmp_path, cache):
    check_blind(clips, config, space_file, tmp_path, cache)


def test_a_leak_of_the_test_fold_is_noticed(
    clips, config, space_file, tmp_path, cache, monkeypatch
):
    training_part = folds._training_part

    def leaking(clips, job):
        return training_part(clips, job._replace(train=job.train | job.test))

    monkeypatch.setattr(folds, "_training_part", leaking)
    with pytest.raises(AssertionError):
        check_blind(clips, config, space_file, tmp_path, cache)


def test_an_interrupted_search_finds_what_an_uninterrupted_one_does(
    clips, config, space_file, tmp_path, cache
):
    class Killed(BaseException):
        pass

    def kill(event):
        if event.done == 2:
            raise Killed

    whole = plan_of(config, space_file, tmp_path / "whole.db", 4)
    cut = plan_of(config, space_file, tmp_path / "odd name?#%.db", 4)
    context = TrainingContext(embedding_cache=cache)
    expected = search(clips, whole, context, seed=1)
    with pytest.raises(Killed):
        search(clips, cut, replace(context, report=kill), seed=1)
    with sqlite3.connect(cut.storage) as database:  # as if it was killed within the third trial
        [row] = database.execute("select study_id from studies").fetchall()
        database.execute(
            "insert into trials (number, study_id, state) values (2, ?, 'RUNNING')", row
        )
    assert search(clips, cut, context, seed=1) == expected
    assert expected.complete + expected.pruned == 4
    assert search(clips, cut, context, seed=1) == expected  # nothing is trained again
    assert search(clips, replace(cut, trials=1), context, seed=1).complete == 1


def test_the_first_trial_has_the_values_of_the_recipe(clips, config, space_file, tmp_path, cache):
    plan = plan_of(config, space_file, tmp_path / "a.db", 1)
    found = search(clips, plan, TrainingContext(embedding_cache=cache), seed=0)
    assert found.values == {
        "stage2.hidden": 16, "stage2.learning_rate": 5e-3, "stage2.dropout": 0.5,
    }  # fmt: skip
    assert found.config == with_values(config, found.values)


def test_a_trial_that_diverges_or_is_bad_is_given_up(clips, config, tmp_path, cache):
    space = tmp_path / "space.toml"
    space.write_text("[stage2]\nlearning_rate = [5e-3, 1e30, 1e-9]\n")
    plan = plan_of(config, space, tmp_path / "a.db", 8)
    found = search(clips, plan, TrainingContext(embedding_cache=cache), seed=0)
    assert found.values == {"stage2.learning_rate": 5e-3}
    assert found.pruned > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[stage2]\nhiden = [1, 2]", "no setting 'stage2.hiden'; did you mean 'stage2.hidden'"),
        ("[stage2]\ncell = ['lstm', 'gru']", "stage2.cell = 'gru'"),
        ("[stage2]\ndropout = { low = 0, high = 1 }", "stage2.dropout = 1"),
        ("[stage2]\ndropout = { low = 0.5, high = 0.1 }", "search space: stage2.dropout"),
        ("[stage2]\ndropout = 0.5", "give a list of choices, or a range"),
        ("[stage2]\ndropout = []", "give a list of choices, or a range"),
        ("[protocol]\nseed = [1, 2]", "'protocol' cannot be searched"),
        ("[loss]\nfocal_gamma = [0, 2]", "'loss' cannot be searched"),
        ("", "names no setting"),
        ("not toml", "search space"),
    ],
)
def test_a_wrong_space_is_refused(text, reason, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(AffektError, match=reason):
        read_space(path, Config())


def test_the_default_space():
    keys = [f"{section}.{key}" for section, own in DEFAULT.items() for key in own]
    assert list(read_space(None, Config())) == keys
    rated = Config.model_validate({"dimensions": ["arousal"]})
    assert "balance.plan" not in read_space(None, rated)


def test_the_paper_protocol_is_refused(clips, config, manifest, tmp_path):
    with pytest.raises(AffektError, match="must not see the test part"):
        Tuned(plan_of(config, None, tmp_path / "a.db", 1), None).fit(clips, 0, print, clips)
    with pytest.raises(AffektError, match="takes no protocol.paper_protocol"):
        affekt.tune(manifest, tmp_path / "out", config={"protocol": {"paper_protocol": True}})


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "affekt.training.search_space")
    for name in [name for name in sys.modules if name.partition(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match="needs the extra 'tune': pip install"):
        import_module("affekt.training.search_space")


def test_recipe_and_nested_score(manifest, config, space_file, tmp_path, cache):
    out = tmp_path / "out"
    outside = with_values(config, {"stage2.hidden": 12})
    given = {"space": space_file, "config": outside, "trials": 1, "cache": cache}
    result = affekt.tune(manifest, out, **given)
    assert read_config(result.recipe) == result.found.config
    assert result.found.config == with_values(outside, result.found.values) != outside
    assert [len(run.chosen) for run in result.score.runs] == [3, 3, 3]
    assert result.score.title == "Tuned, 1 trial"
    recipe = result.recipe.read_bytes()
    assert affekt.tune(manifest, out, **given).score is None  # finished
    assert result.recipe.read_bytes() == recipe
    with pytest.raises(AffektError, match="unfinished search of other data, settings or code"):
        affekt.tune(manifest, out, **given | {"space": None})
    (out / "trials.db").write_bytes(b"no database")
    with pytest.raises(AffektError, match="not a database of affekt tune"):
        affekt.tune(manifest, out, **given)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/recipe.toml").write_text("")
    with pytest.raises(AffektError, match="not empty"):
        affekt.tune(manifest, tmp_path / "mine", **given)
