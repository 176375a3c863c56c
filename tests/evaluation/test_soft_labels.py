"""An evaluation against the votes of annotators: the scores follow from its predictions."""

import json

import numpy as np
import pandas as pd
import pytest

import affekt
from affekt import AffektError
from affekt.evaluation.results import load_run

CLASSES = ["anger", "neutral", "sadness"]


@pytest.fixture(scope="module")
def votes(manifest):
    """The synthetic corpus with the votes of ten annotators, of whom seven agree."""
    table = pd.read_csv(manifest)
    for label in CLASSES:
        after = table["label"].map(lambda c: CLASSES[(CLASSES.index(c) + 1) % 3])
        table[label] = 7 * (table["label"] == label) + 3 * (after == label)
    path = manifest.parent / "votes.csv"
    table.drop(columns="label").to_csv(path, index=False)
    return path


def test_scores_against_votes(votes, tiny_config, tmp_path):
    settings = tiny_config.model_dump(exclude_unset=True) | {"votes": ",".join(CLASSES)}
    settings["stage2"] |= {"epochs": 12, "learning_rate": 1e-2}
    settings["protocol"] |= {"refit": False, "folds": 2}
    result = affekt.evaluate(votes, tmp_path / "run", config=settings)
    table = pd.read_parquet(tmp_path / "run/predictions.parquet")
    shares, p = (table[[f"{kind}_{c}" for c in CLASSES]].to_numpy() for kind in ("target", "prob"))
    assert sorted(set(shares.ravel())) == [0, 0.3, 0.7]
    entropy = -0.7 * np.log(0.7) - 0.3 * np.log(0.3)
    expected = -(shares * np.log(p)).sum(1).mean()
    assert result.soft.cross_entropy == pytest.approx(expected, abs=1e-4)
    assert result.soft.kl_divergence == pytest.approx(expected - entropy, abs=1e-4)
    low, high = result.soft.ci95["cross_entropy"]
    assert low < expected < high
    assert result.UAR > 0.6
    assert expected < np.log(3)  # better than knowing nothing
    assert result.notes[0].startswith("soft labels")
    load_run(tmp_path / "run")
    assert affekt.audit(tmp_path / "run", votes) is not None
    stored = json.loads((tmp_path / "run/metrics.json").read_text())
    stored["soft"]["cross_entropy"] -= 0.1
    (tmp_path / "run/metrics.json").write_text(json.dumps(stored))
    with pytest.raises(AffektError, match=r"soft.cross_entropy is"):
        load_run(tmp_path / "run")


def test_votes_of_a_corpus_without_such_columns_are_refused(manifest, tmp_path):
    with pytest.raises(AffektError, match="no column anger; it has path, label"):
        affekt.evaluate(manifest, tmp_path / "run", config={"votes": ["anger"]})
