"""A study: which systems run, in which folders, and what is not run again."""

import json
import shutil
from pathlib import Path

import pytest

from affekt import AffektError
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation.results import evaluation_for_card, load_run
from affekt.evaluation.study import chosen_systems, is_finished, run_folder, run_study
from affekt.evaluation.systems.registry import SYSTEMS, configured
from affekt.evaluation.systems.system import ConfiguredSystem
from affekt.progress import silent
from affekt.provenance import identity
from affekt.training.output import train_to_folder


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
    current = identity(corpus, config, corpus.audio_hashes(), name)
    assert is_finished(folders[0], current)
    written = (folders[0] / "metrics.json").stat().st_mtime_ns
    assert run_study(corpus, {name: config}, tmp_path, None, 1, silent) == folders
    assert (folders[0] / "metrics.json").stat().st_mtime_ns == written
    with pytest.raises(AffektError, match=r"settings or code \(config.protocol.folds was 3, now"):
        is_finished(folders[0], identity(corpus, Config(), corpus.audio_hashes(), name))


def settings(folder):
    values = {"encoder": {"weights": str(folder / "w.safetensors")}}
    return Config.model_validate(values | {"protocol": {"folds": 3, "seeds": 1}})


@pytest.fixture
def own_copy(manifest, tiny_weights, tmp_path):
    """A small corpus and weights that a test may overwrite, and the run of two systems on it."""
    header, *rows = manifest.read_text().splitlines()
    rows = [row for row in rows if "_0.wav" in row or "_1.wav" in row]
    for row in rows:
        shutil.copy(manifest.parent / row.split(",")[0], tmp_path)
    (tmp_path / "own.csv").write_text("\n".join([header, *rows]) + "\n")
    weights = shutil.copy(tiny_weights, tmp_path / "w.safetensors")
    systems = dict.fromkeys(("length", "majority"), settings(Path(weights).parent))

    def study():
        corpus = load_corpus(str(tmp_path / "own.csv"))
        return run_study(corpus, systems, tmp_path / "study", None, 1, silent)

    study()
    return tmp_path, study


def test_finished_runs_of_other_audio_weights_or_code_are_refused(own_copy, monkeypatch):
    folder, study = own_copy
    study()
    audio = folder / "s1_anger_0.wav"
    content = audio.read_bytes()
    audio.write_bytes(content[:1000] + bytes(len(content) - 1000))
    with pytest.raises(AffektError, match=r"audio changed: 1 of 36 recordings, the first s1_anger"):
        study()
    corpus = load_corpus(str(folder / "own.csv"))
    score, config = load_run(folder / "study/length/metrics.json").metrics, settings(folder)
    with pytest.raises(AffektError, match="has the scores of number of segments only"):
        evaluation_for_card(folder / "study/length")
    with pytest.raises(AffektError, match=r"of another corpus .* \(the audio changed\)"):
        train_to_folder(corpus, config, folder / "model", evaluation=score)
    audio.write_bytes(content)

    weights = folder / "w.safetensors"
    stored = weights.read_bytes()
    weights.write_bytes(stored[:-1] + b"x")
    with pytest.raises(AffektError, match=r"the content of encoder\.weights changed"):
        study()
    weights.write_bytes(stored)
    with monkeypatch.context() as patch:
        patch.setattr("affekt.provenance.code_hash", lambda: "edited")
        with pytest.raises(AffektError, match="source code of affekt changed"):
            study()

    path = folder / "study/length/metrics.json"
    values = json.loads(path.read_text())
    del values["hashes"], values["versions"]["code"], values["corpus"]["audio"]  # as of 0.1
    path.write_text(json.dumps(values))
    with pytest.raises(AffektError, match=r"is unknown: affekt .* did not record it\);.*--out"):
        study()
    assert load_run(path.parent).title  # still read and reported


def test_recordings_that_change_between_two_systems_stop_a_study(own_copy):
    folder, _ = own_copy
    corpus = load_corpus(str(folder / "own.csv"))
    config = Config.model_validate({"protocol": {"folds": 3, "seeds": 1}})

    def report(event):
        if event.stage == "systems" and event.done == 1:
            shutil.copy(folder / "s1_anger_1.wav", folder / "s1_anger_0.wav")

    systems = dict.fromkeys(("length", "majority"), config)
    with pytest.raises(AffektError, match="recordings changed during the study"):
        run_study(corpus, systems, folder / "other", None, 1, report)
    assert not (folder / "other/majority").exists()
