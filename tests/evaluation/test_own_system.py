"""A system of the user: built from its dotted path, and its predictions checked."""

import json
from collections import Counter

import numpy as np
import pytest

from affekt import AffektError
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation.runner import evaluate
from affekt.evaluation.systems.registry import Maker, configured, known_system
from affekt.evaluation.systems.system import predict
from affekt.evaluation.systems.titles import title


class Shares:
    """The shares of the classes, whatever the recording."""

    def __init__(self, config):
        self.labels = []
        self.training_info = {}

    def fit(self, clips, seed, report, held_out=None):
        counts = Counter(c.label for c in clips)
        self.labels = sorted(counts)
        self.shares = [counts[label] / len(clips) for label in self.labels]

    def predict(self, recordings):
        return [self.shares] * len(recordings)


class NoPredict:
    def __init__(self, config):
        self.labels, self.training_info = [], {}

    def fit(self, clips, seed, report, held_out=None): ...


class NoConfig(Shares):
    def __init__(self):
        super().__init__(None)


def test_it_is_evaluated_like_any_other(manifest, tmp_path):
    name = f"{__name__}:Shares"
    config = configured(name, Config.model_validate({"protocol": {"folds": 3, "seeds": 1}}))
    assert title(name, config) == "Shares"
    evaluate(
        load_corpus(str(manifest)), Maker(name, config, None), config, tmp_path / "run",
        system=name, title=title(name, config),
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["UAR"] == pytest.approx(1 / 3, abs=1e-3)
    assert metrics["system"] == name


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("NoPredict", "has no predict; see affekt.System"),
        ("NoConfig", "calling it with the settings .* failed: TypeError"),
        ("Nothing", "has no 'Nothing'"),
    ],
)
def test_what_it_lacks_is_said_before_training(part, reason):
    with pytest.raises(AffektError, match=reason):
        Maker(f"{__name__}:{part}", Config(), None)()


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(AffektError, match="did you mean majority"):
        known_system("majorty")


@pytest.mark.parametrize(
    ("probabilities", "reason"),
    [
        ([[0.5, 0.5]], r"returns an array of shape \(1, 2\); it must be \(2, 2\)"),
        ([[0.5, 0.6], [0.5, 0.5]], "do not sum to 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "below 0"),
        ([[np.nan, 1], [0.5, 0.5]], "not finite"),
    ],
)
def test_what_it_predicts_is_checked(probabilities, reason):
    system = Shares(None)
    system.labels = ["a", "b"]
    system.predict = lambda recordings: np.array(probabilities)
    with pytest.raises(AffektError, match=reason):
        predict(system, [object(), object()])
