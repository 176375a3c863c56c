"""The tools under results/: paired tables from collected runs, against numbers by hand."""

import importlib.util
import json
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"results/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_of(folder, name, right, *, thinned=True):
    """A finished run of 2 seeds: of 3 speakers' clips (4 of a, 2 of b), some are recognised."""
    rows = []
    for seed, speaker in ((seed, s) for seed in (0, 1) for s in ("s1", "s2", "s3")):
        for label, number in (("a", 4), ("b", 2)):
            other = {"a": "b", "b": "a"}[label]
            hits = right[label]
            rows += [(seed, speaker, label, label if i < hits else other) for i in range(number)]
    out = folder / name
    out.mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["seed", "speaker", "label", "predicted"])
    table.to_parquet(out / "predictions.parquet")
    clips = {0: {"a": 9, "b": 1}, 1: {"a": 1, "b": 9}}
    balance = [{"before": 90, "after": 30}, {"before": 10, "after": 20}]
    runs = [
        {"seed": seed, "curves": {}, "balance": balance}
        | ({"training_clips": clips[seed]} if thinned else {})
        for seed in (0, 1)
    ]
    uar = (right["a"] / 4 + right["b"] / 2) / 2
    metrics = {
        "UAR": uar, "ci95": {"UAR": [0.5, 1]}, "seeds": 2, "runs": runs,
        "title": f"network, {name} (training 9 : 1)",
        "corpus": {"labels": {"a": 12, "b": 6}}, "confusion": {"labels": ["a", "b"]},
        "config": {"protocol": {"seed": 0}},
    }  # fmt: skip
    (out / "metrics.json").write_text(json.dumps(metrics))
    return out


@pytest.fixture
def table(tmp_path, monkeypatch):
    module = tool("table")
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def collected(tmp_path, *runs):
    collect = tool("collect")
    for run in runs:
        collect.collect(run, tmp_path / "x", by_speaker=True)
    return [json.loads((tmp_path / "x" / run.name / "by_speaker.json").read_text()) for run in runs]


def cells(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


def test_balance_table_by_hand(table, tmp_path):
    first = run_of(tmp_path / "runs", "none", {"a": 4, "b": 1})
    second = run_of(tmp_path / "runs", "weights", {"a": 3, "b": 2})
    stored, _ = collected(tmp_path, first, second)
    assert stored["confusions"]["s2"] == [[[4, 0], [1, 1]]] * 2
    assert stored["segment_ratio"] == [9.0, 1.5]
    metrics = json.loads((tmp_path / "x/none/metrics.json").read_text())
    assert metrics["runs"][0].keys() == {"seed", "training_clips"}
    head, _, none, weights = cells(table.by_balance("x"))
    assert none == ["none", "1.5", "0.750, 0.500 - 1.000", "", "", "0.750", "", ""]
    # UAR (3/4 + 1) / 2; accuracy (0.9 * 3/4 + 0.1 + 0.1 * 3/4 + 0.9) / 2, before 0.75 too; all
    # three speakers agree: p is that of 2 of 8 exchanges
    gain = ["+0.125, +0.125 to +0.125", "0.250"]
    assert weights == ["weights", "1.5", "0.875, 0.500 - 1.000", *gain, "0.875", *gain]
    assert len(head) == len(weights)


def test_accuracy_has_the_shares_of_the_training_part(table, tmp_path):
    first = run_of(tmp_path / "runs", "none", {"a": 4, "b": 0}, thinned=False)
    collected(tmp_path, first)
    assert cells(table.by_balance("x"))[2][5] == "0.667"  # 12 of 18 clips are of class a
    matrices = table._confusions(tmp_path / "x/none", "WA")
    assert matrices.sum() == pytest.approx(1)
    assert np.allclose(matrices.sum((0, 2)), [2 / 3, 1 / 3])


def test_an_unfinished_study_has_an_empty_table(table):
    assert len(cells(table.by_balance("nothing"))) == 2
    assert "results" not in sys.modules
