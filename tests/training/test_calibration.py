"""Masks of classes, temperatures of the softmax, the speech gate."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from affekt import AffektError, load
from affekt.config import Config
from affekt.evaluation.runner import measure
from affekt.metrics import SCORES
from affekt.nn.speech_gate import SpeechGate
from affekt.training.calibration import (
    cautious_temperature,
    left_out_temperature,
    temperature,
)
from affekt.training.synthetic_noise import synthetic_noise
from affekt.training.targets import ClassTargets

YES, NO = True, False


def test_loss_and_score_compare_only_the_classes_of_an_items_corpus():
    logits = torch.tensor([[2.0, 1.0, 9.0], [0.0, 1.0, 3.0]])
    targets = ClassTargets(torch.tensor([0, 2]), torch.tensor([[YES, YES, NO], [YES, YES, YES]]))
    by_hand = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2) + math.exp(-3))) / 2
    assert targets.loss(logits).item() == pytest.approx(by_hand, abs=1e-6)
    assert targets.score(logits).value == 1  # the 9 is of a class that the first corpus lacks
    assert targets.select([1]).loss(logits[1:]).item() == pytest.approx(
        cross_entropy(logits[1:], torch.tensor([2])).item()
    )


def test_an_unknown_class_gets_no_gradient():
    logits = torch.zeros(1, 3, requires_grad=True)
    ClassTargets(torch.tensor([0]), torch.tensor([[YES, YES, NO]])).loss(logits).backward()
    assert logits.grad[0].tolist() == pytest.approx([-0.5, 0.5, 0])


def test_a_few_clips_without_an_error_do_not_make_it_sure():
    logits = 20 * torch.eye(2).repeat(5, 1)  # ten clips
    targets = ClassTargets(torch.tensor([0, 1] * 5), torch.ones(10, 2, dtype=torch.bool))
    assert temperature(logits, targets) == pytest.approx(1)
    found = cautious_temperature(logits, targets)
    assert (logits / found).softmax(1).amax(1).mean() == pytest.approx(11 / 12, abs=0.01)
    wrong = ClassTargets(1 - targets.indices, targets.known)
    even = (logits / cautious_temperature(logits, wrong)).softmax(1).amax(1)
    assert even.mean() == pytest.approx(0.5, abs=0.05)
    many = logits.repeat(200, 1), ClassTargets(targets.indices.repeat(200), torch.ones(2000, 2) > 0)
    assert (many[0] / cautious_temperature(*many)).softmax(1).amax(1).mean() > 0.999


def test_the_temperature_undoes_overconfidence():
    """Logits three times too large for the frequencies that they were drawn from."""
    torch.manual_seed(0)
    honest = torch.randn(4000, 4) * 1.5
    drawn = torch.distributions.Categorical(logits=honest).sample()
    targets = ClassTargets(drawn, torch.ones(4000, 4, dtype=torch.bool))
    assert temperature(honest * 3, targets) == pytest.approx(3, rel=0.06)
    assert temperature(honest / 2, targets) == 1
    assert temperature(honest / 2, targets, 0.25) == pytest.approx(0.5, rel=0.06)
    assert temperature(honest, targets) == pytest.approx(1, rel=0.06)


def test_the_gate_accepts_everything_until_it_is_fitted():
    assert SpeechGate(8).rejection_reason(torch.full((3, 8), 1e6)) == ""


def test_the_gate_scores_the_mean_of_the_segments():
    gate = SpeechGate(2)
    gate.mean.copy_(torch.tensor([1.0, 0.0]))
    gate.sd.copy_(torch.tensor([2.0, 1.0]))
    gate.weight.copy_(torch.tensor([1.0, -1.0]))
    gate.threshold.fill_(0.5)
    assert gate.score(torch.tensor([3.0, 1.0])).item() == pytest.approx(1 - 1)
    assert "not speech" in gate.rejection_reason(torch.tensor([[1.0, 0.0], [5.0, 2.0]]))
    assert gate.rejection_reason(torch.tensor([[5.0, 0.0]])) == ""
    assert gate.score(torch.tensor([1e6, 0.0])).item() == 8  # a single dimension is bounded


def test_the_bundled_model_rejects_what_is_not_speech(emodb):
    default_model = load()
    unseen = synthetic_noise(60, seed=1)
    rejected = [bool(p.rejection_reason) for p in map(default_model, unseen, [16_000] * 60)]
    assert np.mean(rejected) > 0.9
    spoken = sorted(emodb.glob("wav/*.wav"))[::25]
    assert np.mean([not p.rejection_reason for p in default_model.many(spoken)]) > 0.9


@pytest.fixture
def run(tmp_path):
    """Three corpora left out in turn; logits are 0.5, 3 and 9 times as large as they should be."""
    rng = np.random.default_rng(0)
    rows, folds = [], []
    for fold, (name, heat) in enumerate({"one": 0.5, "two": 3.0, "three": 9.0}.items()):
        logits = rng.normal(0, 1.5, (4000, 3))
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        drawn = (p.cumsum(1) < rng.random((4000, 1))).sum(1)
        sure = np.exp(heat * logits - (heat * logits).max(1, keepdims=True))
        sure /= sure.sum(1, keepdims=True)
        speakers = [f"{name}/a", f"{name}/b"]
        folds.append(dict.fromkeys(SCORES, 0.5) | {"test_speakers": speakers})
        for t, values in zip(drawn, sure, strict=True):
            rows.append(
                {
                    "fold": fold,
                    "label": "abc"[t],
                    **dict(zip(("prob_a", "prob_b", "prob_c"), values, strict=True)),
                }
            )
    pd.DataFrame(rows).to_parquet(tmp_path / "predictions.parquet")
    table = pd.DataFrame(rows).assign(seed=0, speaker="one/a", predicted="a")
    metrics = measure(table, ["a", "b", "c"]) | {"majority": 0.4}
    metrics |= {"config": Config().model_dump(mode="json"), "folds": folds}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


def test_the_temperature_for_new_corpora_is_the_geometric_mean_of_those_left_out(run):
    calibration = left_out_temperature(run, Config())
    assert list(calibration.corpora) == ["one", "two", "three"]
    assert list(calibration.corpora.values()) == pytest.approx([0.5, 3, 9], rel=0.08)
    assert calibration.temperature == pytest.approx(13.5 ** (1 / 3), rel=0.06)
    assert not calibration.known_source


def test_a_run_that_left_no_corpora_out_or_is_of_other_settings_is_rejected(run):
    with pytest.raises(AffektError, match="other settings"):
        left_out_temperature(run, Config.model_validate({"stage2": {"cell": "none"}}))
    with pytest.raises(AffektError, match="not a run"):
        left_out_temperature(run / "absent", Config())
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["folds"][2] = metrics["folds"][1]
    (run / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(AffektError, match="leaves out three or more corpora in turn"):
        left_out_temperature(run, Config())
