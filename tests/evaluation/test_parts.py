"""Parts of files are examples like files: the same scores, and the same leaks are found."""

import csv
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import RATE

import affekt
from affekt.api import audit
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation.audit.corpus_check import check
from affekt.evaluation.existing import evaluate_model, evaluate_predictions
from affekt.evaluation.runner import evaluate
from affekt.evaluation.systems.registry import Maker


@pytest.fixture(scope="module")
def joined(manifest, tmp_path_factory):
    """One file for each speaker with all of the speaker's clips, and a manifest of its parts."""
    folder = tmp_path_factory.mktemp("joined")
    waves, rows = {}, []
    for e in load_corpus(manifest).examples:
        wave, _ = soundfile.read(e.path, dtype="int16")
        before = waves.setdefault(e.speaker, [np.zeros(1600, np.int16)])
        start = sum(map(len, before))
        before.append(wave)
        rows.append(
            (f"{e.speaker}.wav", start / RATE, (start + len(wave)) / RATE, e.label, e.speaker)
        )
    for speaker, parts in waves.items():
        soundfile.write(folder / f"{speaker}.wav", np.concatenate(parts), RATE)
    return write(folder / "manifest.csv", rows)


def write(path, rows, columns=("file", "start", "end", "label", "speaker")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_parts_have_the_predictions_of_files(manifest, joined, tiny_config, tmp_path):
    settings = tiny_config.model_dump()
    settings["stage1"]["epochs"] = settings["stage2"]["epochs"] = 1
    settings["protocol"] |= {"folds": 2, "refit": False}
    config, tables = Config.model_validate(settings), []
    for source in (manifest, joined):
        corpus, out = load_corpus(source), tmp_path / source.parent.name
        corpus = replace(corpus, examples=corpus.examples[:36])
        evaluate(corpus, Maker("default", config, None), config, out)
        tables.append(pd.read_parquet(out / "predictions.parquet"))
    files, parts = tables
    columns = [c for c in files if c != "utterance"]
    pd.testing.assert_frame_equal(files[columns], parts[columns])
    first = parts.iloc[0]
    assert (first["file"], first["start"]) == ("s1.wav", 0.1)
    assert first["utterance"] == f"s1.wav#t=0.1,{first['end']}"
    result = evaluate_predictions(corpus, out / "predictions.parquet", Config(), tmp_path / "own")
    assert pytest.approx((parts["label"] == parts["predicted"]).mean(), abs=1e-4) == result.WA


def test_a_model_is_scored_on_parts_and_adapted_to_them(joined, tmp_path):
    rows = [row for row in rows_of(joined) if row[4] in ("s1", "s2")][1::2]
    corpus = load_corpus(source := write(joined.parent / "two.csv", rows))
    evaluate_model(corpus, "default", Config(), tmp_path / "scored")
    table = pd.read_parquet(tmp_path / "scored/predictions.parquet")
    assert list(table["utterance"]) == [e.id for e in corpus.examples]
    adapted = affekt.adapt(source, tmp_path / "model", cache=tmp_path / "cache")
    assert adapted.after > adapted.before


def texts(findings, severity="serious"):
    return " ".join(f.text + " " + " ".join(f.evidence) for f in findings if f.severity == severity)


def test_overlapping_parts_are_findings(joined, tmp_path):
    rows = [[*row, "test" if row[4] in ("s1", "s2") else "train"] for row in rows_of(joined)]
    columns = ("file", "start", "end", "label", "speaker", "split")
    assert texts(audit(write(joined.parent / "sound.csv", rows, columns))) == ""
    _, start, end, *_ = rows[0]
    other = ["s1.wav", float(start) + 0.2, end, "sadness", "s4", "train"]
    found = texts(audit(write(joined.parent / "overlap.csv", [*rows, other], columns)))
    assert "files with several labels: 1, in 2 rows" in found
    assert "files with several splits: 1, in 2 rows" in found
    assert "test recordings in the training part: 1, in 1 of 1 fold" in found
    folds = [[*r[:5], 0, r[5]] for r in rows]
    columns = ("path", "start", "end", "label", "speaker", "fold", "part")
    table = write(joined.parent / "folds.csv", folds, columns)
    assert texts(audit(table)) == ""


def test_parts_are_checked_one_by_one(joined):
    found = check(load_corpus(joined))
    assert len(found.seconds) == len(rows_of(joined))
    assert not found.duplicates
    assert not found.unreadable
