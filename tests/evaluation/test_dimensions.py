"""Regression of dimensions: trained, scored on unseen speakers, and predicted, on synthetic speech.

The arousal of a clip follows its pitch, on a scale from 1 to 7; its valence falls with it, from 1
to -1.
"""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import DEMO

import affekt
from affekt import AffektError
from affekt.__main__ import run
from affekt.audio.decoding import read
from affekt.config import Config
from affekt.formats.writers import FILE_FOR_ALL
from affekt.inference.pipeline import combine
from affekt.metrics import ccc
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import train
from affekt.types import Prediction

AROUSAL = {"anger": 6.0, "neutral": 3.5, "sadness": 1.5}
NAMES = ["arousal", "valence"]


@pytest.fixture(scope="module")
def rated(manifest):
    """The synthetic corpus with two dimensions in place of labels."""
    table = pd.read_csv(manifest)[::2].copy()  # two of four clips
    rng = np.random.default_rng(0)
    table["arousal"] = table["label"].map(AROUSAL) + rng.normal(0, 0.3, len(table))
    table["valence"] = (4 - table["arousal"]) / 3 + rng.normal(0, 0.1, len(table))
    path = manifest.parent / "rated.csv"
    table.drop(columns="label").to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def settings(tiny_config):
    chosen = tiny_config.model_dump(exclude_unset=True) | {"dimensions": "arousal, valence"}
    chosen["stage2"] |= {"epochs": 12, "learning_rate": 1e-2}
    chosen["protocol"] |= {"refit": False, "folds": 2}
    return chosen


@pytest.fixture(scope="module")
def model(rated, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "rated"
    return out, affekt.train(rated, out, config=settings)


def test_the_scores_follow_from_the_predictions(rated, settings, tmp_path):
    result = affekt.evaluate(rated, tmp_path / "run", config=settings)
    table = pd.read_parquet(tmp_path / "run/predictions.parquet")
    arousal, valence = (result.dimensions[name] for name in NAMES)
    assert arousal.CCC > 0.6
    assert valence.CCC > 0.6
    assert ccc(table["target_arousal"], table["predicted_arousal"]) == pytest.approx(
        arousal.CCC, abs=1e-4
    )
    error = table["target_arousal"] - table["predicted_arousal"]
    assert np.sqrt((error**2).mean()) == pytest.approx(arousal.RMSE, abs=1e-4)
    assert arousal.target_sd > arousal.RMSE  # better than their mean
    assert arousal.ci95["CCC"][0] < arousal.CCC < arousal.ci95["CCC"][1]
    assert np.isclose(2 * result.CCC, arousal.CCC + valence.CCC, atol=2e-4)
    for fold, rows in table.groupby("fold"):
        assert result.folds[fold].test_speakers == sorted(set(rows["speaker"]))
        assert not set(rows["speaker"]) & set(result.runs[fold].training_speakers)
    assert result.corpus.dimensions == NAMES
    assert "one class only" not in " ".join(result.notes)
    with pytest.raises(AffektError, match="scores of dimensions"):
        affekt.audit(tmp_path / "run")


def test_a_model_of_dimensions_predicts_their_values(model, rated, tmp_path, capsys):
    out, recognizer = model
    assert (recognizer.labels, recognizer.dimensions) == ([], NAMES)
    table = pd.read_csv(rated)
    found = recognizer.recognise([read(rated.parent / name) for name in table["path"]])
    values = [p.dimensions["arousal"] for p in found]
    assert ccc(table["arousal"], values) > 0.6  # on the scale of the corpus
    first, second = [p for p in found if not p.is_uncertain][:2]
    assert (first.arousal, first.valence) == tuple(first.dimensions.values())
    both, seconds = combine([first, second]), [first.duration, second.duration]
    assert both.arousal == pytest.approx(
        np.average([first.arousal, second.arousal], weights=seconds)
    )
    assert (first.label, first.probabilities, first.confidence) == ("", {}, 0)
    assert first.segments[0].dimensions.keys() == set(NAMES)
    values = json.loads(json.dumps(first.to_dict()))
    assert values["dimensions"]["valence"] == values["valence"]
    assert Prediction.from_dict(values) == first
    row = pd.read_csv(pd.io.common.StringIO(FILE_FOR_ALL[".csv"]([first])))
    assert row["dim_arousal"][0] == pytest.approx(first.arousal, abs=1e-4)
    frame = first.to_frame()
    assert frame["dim_valence"].notna().all()
    assert "valence" in first._repr_html_()
    info = json.loads((out / "config.json").read_text())
    assert (info["labels"], info["dimensions"]) == ([], NAMES)
    assert info["training"]["validation_CCC"] > 0.5
    assert "| dimensions | arousal, valence |" in (out / "README.md").read_text()
    assert run(["predict", str(DEMO[0]), "--model", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["dimensions"].keys() == set(NAMES)
    assert run(["predict", str(DEMO[0]), "--model", str(out)]) == 0
    assert "arousal" in capsys.readouterr().out
    target = str(tmp_path / "a.srt")
    assert run(["predict", str(DEMO[0]), "--model", str(out), "--out", target]) == 2
    assert "needs a model with classes" in capsys.readouterr().err


def test_what_needs_classes_refuses(model, rated, settings, tmp_path):
    out, recognizer = model
    for use in (
        lambda: recognizer.predict_proba(rated.parent / "s1_anger_0.wav"),
        lambda: affekt.Stream(recognizer),
        lambda: affekt.adapt(rated.parent / "manifest.csv", tmp_path / "a", model=out),
    ):
        with pytest.raises(AffektError, match=r"predicts dimensions \(arousal, valence\)"):
            use()
    for key, value, text in [
        ("labels", {"anger": "x"}, "labels is of classes"),
        ("balance", {"plan": "paper-like"}, "balance.plan paper-like is of classes"),
        ("balance", {"scope": "both"}, "balance.scope both is of classes"),
        ("loss", {"focal_gamma": 2}, "loss is of classes"),
        ("protocol", {"training_imbalance": 2}, "protocol.training_imbalance is of classes"),
        ("votes", ["arousal"], "votes is of classes"),
    ]:
        with pytest.raises(AffektError, match=text):
            affekt.evaluate(rated, tmp_path / "b", config=settings | {key: value})
    with pytest.raises(AffektError, match="dimensions has no effect"):
        affekt.evaluate(rated, tmp_path / "c", system="majority", config={"dimensions": NAMES})
    corpus = affekt.load_corpus(rated, dimensions=NAMES)
    parts = TrainingContext(gradient_accumulation_steps=2)
    with pytest.raises(AffektError, match="CCC is of a whole batch"):
        train(load_clips(corpus.examples), Config.model_validate(settings), parts, seed=0)
