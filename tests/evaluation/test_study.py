"""A study: which systems run, in which folders, and what is not run again."""

import json

import pytest

from affekt import AffektError
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation.study import chosen_systems, is_finished, run_folder, run_study
from affekt.evaluation.systems.registry import SYSTEMS, configured
from affekt.evaluation.systems.system import ConfiguredSystem
from affekt.progress import silent


class First(ConfiguredSystem):
    """Always predicts the first class."""

    def fit(self, clips, seed, report, held_out=None):
        self.labels = sorted({c.label for c in clips})

    def predict(self, recordings):
        return [[1.0, *[0.0] * (len(self.labels) - 1)]] * len(recordings)


def test_systems_are_chosen_by_name():
    fast = chosen_systems("")
    assert "majority" in fast
    assert "resnet" not in fast
    assert chosen_systems("all") == list(SYSTEMS)
    assert chosen_systems("length, majority,length") == ["length", "majority"]
    with pytest.raises(AffektError, match="names no system"):
        chosen_systems(" , ")


def test_an_own_system_has_a_folder_without_a_colon(manifest, tmp_path):
    name = f"{__name__}:First"
    protocol = {"protocol": {"folds": 3, "seeds": 1}}
    config = configured(name, Config.model_validate(protocol))
    corpus = load_corpus(str(manifest))
    folders = run_study(corpus, {name: config}, tmp_path, None, 1, silent)
    assert folders == [tmp_path / f"{__name__}.First"] == [run_folder(tmp_path, name)]
    metrics = json.loads((folders[0] / "metrics.json").read_text())
    assert metrics["system"] == name
    assert metrics["UAR"] == pytest.approx(1 / 3, abs=1e-4)
    assert is_finished(folders[0], corpus, config)
    written = (folders[0] / "metrics.json").stat().st_mtime_ns
    assert run_study(corpus, {name: config}, tmp_path, None, 1, silent) == folders
    assert (folders[0] / "metrics.json").stat().st_mtime_ns == written
    with pytest.raises(AffektError, match="holds a run of other settings"):
        is_finished(folders[0], corpus, Config())
