"""Training parts are made unbalanced; test parts stay whole."""

from collections import Counter
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import affekt
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation import folds
from affekt.evaluation.audit.record_check import record_findings
from affekt.evaluation.imbalance import unbalanced
from affekt.evaluation.runner import evaluate
from affekt.evaluation.systems.probes import Majority
from affekt.training.clips import Clip
from affekt.types import Example


def clips(**numbers):
    return [
        Clip(Example(f"{label}{i}", "x", label, "s"), SimpleNamespace())
        for i in range(max(numbers.values()))
        for label, number in numbers.items()
        if i < number
    ]


def counts(part):
    return Counter(c.label for c in part)


def test_numbers_fall_exponentially_from_the_largest_class():
    left = counts(unbalanced(clips(a=100, b=100, c=100), 4, seed=0))
    assert sorted(left.values()) == [25, 50, 100]


def test_no_class_needs_more_clips_than_it_has():
    part = clips(a=40, b=100, c=200)
    for seed in range(6):
        left = counts(unbalanced(part, 4, seed))
        assert max(left.values()) == pytest.approx(4 * min(left.values()), abs=3)
        assert all(left[label] <= counts(part)[label] for label in left)
        assert any(left[label] == counts(part)[label] for label in left)  # as many as possible


def test_the_seed_decides_which_class_is_rare_and_which_clips_stay():
    part = clips(a=50, b=50, c=50)
    first = unbalanced(part, 5, seed=1)
    assert first == unbalanced(part, 5, seed=1)
    assert [part.index(c) for c in first] == sorted(part.index(c) for c in first)
    rarest = {min(counts(left), key=counts(left).get) for left in (
        unbalanced(part, 5, seed) for seed in range(10)
    )}  # fmt: skip
    assert rarest == {"a", "b", "c"}


def test_a_ratio_of_1_balances_and_a_single_class_stays():
    assert set(counts(unbalanced(clips(a=9, b=4), 1, seed=0)).values()) == {4}
    assert len(unbalanced(clips(a=9), 7, seed=0)) == 9
    assert min(counts(unbalanced(clips(a=2, b=2), 100, seed=0)).values()) == 1


class Watched(Majority):
    """Records the clips that it was given."""

    seen: ClassVar[list] = []

    def train(self, part):
        super().train(part)
        self.fitted = [c.example.id for c in part.clips]

    def predict(self, recordings):
        self.seen.append((self.fitted, [r.name for r in recordings]))
        return super().predict(recordings)


SETTINGS = {"protocol": {"folds": 3, "seeds": 2, "training_imbalance": 4}}


def check_test_parts(corpus, seen, table):
    """All that a test part has to be under a thinned training part."""
    label = {e.id: e.label for e in corpus.examples}
    config = Config.model_validate(SETTINGS)
    for job, (fitted, _) in zip(folds.jobs_of(corpus, config.protocol), seen, strict=True):
        rows = table[(table["seed"] == job.seed) & (table["fold"] == job.fold)]
        assert set(rows["utterance"]) == job.test
        assert set(fitted) < job.train
        kept = Counter(label[name] for name in fitted).values()
        assert max(kept) == 4 * min(kept)
    for _, rows in table.groupby("seed"):
        assert sorted(rows["utterance"]) == sorted(label)


def run(corpus, out):
    Watched.seen = []
    config = Config.model_validate(SETTINGS)
    result = evaluate(corpus, lambda: Watched(config), config, out)
    return result, Watched.seen, pd.read_parquet(out / "predictions.parquet")


def test_test_parts_are_whole(manifest, tmp_path):
    corpus = load_corpus(str(manifest))
    result, seen, table = run(corpus, tmp_path / "run")
    check_test_parts(corpus, seen, table)
    assert "thinned at random until the largest class has 4 times" in result.protocol
    assert result.title == "(training 4 : 1)"
    for info, (fitted, _) in zip(result.runs, seen):
        assert sum(info.training_clips.values()) == len(fitted)
    assert {f.severity for f in record_findings(result, table, corpus)} == {"unchecked"}


def test_a_thinned_test_part_is_noticed(manifest, tmp_path, monkeypatch):
    corpus, jobs_of = load_corpus(str(manifest)), folds.jobs_of
    thin = np.random.default_rng(0)

    def fewer(corpus, protocol):
        jobs = jobs_of(corpus, protocol)
        return [j._replace(test=frozenset(thin.permutation(sorted(j.test))[:9])) for j in jobs]

    monkeypatch.setattr("affekt.evaluation.runner.jobs_of", fewer)
    _, seen, table = run(corpus, tmp_path / "run")
    with pytest.raises(AssertionError):
        check_test_parts(corpus, seen, table)


def test_a_model_is_not_trained_on_a_thinned_corpus(manifest, tmp_path):
    with pytest.raises(affekt.AffektError, match="training_imbalance is for evaluate"):
        affekt.train(manifest, tmp_path / "m", config={"protocol": {"training_imbalance": 5}})
