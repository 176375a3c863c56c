"""Existing models and the predictions of other tools are scored without training."""

import csv
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import DEMO

import affekt
from affekt import AffektError
from affekt.audio.decoding import read
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation.audit.run_audit import audit_record, audit_run
from affekt.evaluation.existing import evaluate_model, evaluate_predictions
from affekt.evaluation.results import compare, load_run
from affekt.run_result import load_run_result
from affekt.types import ANONYMOUS


@pytest.fixture(scope="module")
def corpus(manifest):
    return load_corpus(str(manifest))


def table(path, corpus, columns=None, wrong=0):
    """Predictions that are right but for the first clips; returns the file."""
    labels = corpus.labels
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", *(columns or [])])
        writer.writeheader()
        for i, e in enumerate(corpus.examples):
            label = labels[(labels.index(e.label) + 1) % len(labels)] if i < wrong else e.label
            writer.writerow({"path": e.id, "label": label})
    return path


def test_the_predictions_of_another_tool_get_scores_and_intervals(corpus, tmp_path):
    file = table(tmp_path / "theirs.csv", corpus, wrong=3)
    result = evaluate_predictions(corpus, file, Config(), tmp_path / "run")
    clips = len(corpus.examples)
    assert pytest.approx((clips - 3) / clips, abs=1e-4) == result.WA
    assert result.ci95["WA"][0] <= result.WA <= result.ci95["WA"][1]
    assert load_run_result(tmp_path / "run") == result
    assert "existing model, not trained here" in result.title
    assert [f.severity for f in audit_record(result)] == [
        "note"
    ]  # it is unknown who was trained on
    perfect = table(tmp_path / "perfect.csv", corpus)
    evaluate_predictions(corpus, perfect, Config(), tmp_path / "perfect")
    [pair] = compare([load_run(tmp_path / "perfect"), load_run(tmp_path / "run")])
    assert pair.difference == pytest.approx(1 - result.UAR, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1:], "no prediction of 1 of"),
        (lambda rows: [*rows, rows[0]], "has a prediction on line 2 too"),
        (lambda rows: [*rows, {"path": "x.wav", "label": rows[0]["label"]}], "no clip of the"),
        (lambda rows: [{**rows[0], "label": "bliss"}, *rows[1:]], "'bliss' is no class"),
        (lambda rows: [{**rows[0], "label": "uncertain"}, *rows[1:]], "needs columns prob_CLASS"),
        (lambda rows: [{"path": r["path"]} for r in rows], "no column predicted"),
    ],
)
def test_a_table_that_does_not_match_is_refused(corpus, tmp_path, change, message):
    good = pd.read_csv(table(tmp_path / "good.csv", corpus)).to_dict("records")
    pd.DataFrame(change(good)).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(AffektError, match=message):
        evaluate_predictions(corpus, tmp_path / "bad.csv", Config(), tmp_path / "run")


def test_rejections_are_counted_and_both_scores_given(corpus, tmp_path):
    labels = corpus.labels
    rows = []
    for i, e in enumerate(corpus.examples):
        p = dict.fromkeys((f"prob_{c}" for c in labels), 0.1 / (len(labels) - 1))
        best = labels[(labels.index(e.label) + 1) % len(labels)] if i < 2 else e.label
        p[f"prob_{best}"] = 0.9
        rows.append({"file": e.path, "label": "uncertain" if i < 2 else best, **p})
    pd.DataFrame(rows).to_csv(tmp_path / "p.csv", index=False)
    result = evaluate_predictions(corpus, tmp_path / "p.csv", Config(), tmp_path / "run")
    clips = len(rows)
    assert pytest.approx((clips - 2) / clips, abs=1e-4) == result.WA
    assert result.existing.coverage == pytest.approx((clips - 2) / clips, abs=1e-4)
    assert result.existing.accepted["WA"] == 1
    assert any("uncertain" in note for note in result.notes)


def test_a_model_scored_on_the_corpus_that_it_was_trained_on_is_marked(emodb, tmp_path):
    corpus = load_corpus(f"emodb:{emodb}")
    few = replace(corpus, examples=corpus.examples[::12])
    result = evaluate_model(few, "open", Config(), tmp_path / "run")
    assert result.existing.unseen_speakers is False
    assert result.notes[0].startswith("NOT a score on unseen speakers")
    assert [f.severity for f in audit_record(result)] == ["serious"]
    found = audit_run(tmp_path / "run", few)  # and not that recordings were changed
    assert [(f.severity, f.kind) for f in found if f.severity != "unchecked"] == [
        ("serious", "speaker")
    ]
    boredom = sum(e.label == "boredom" for e in few.examples)
    assert result.existing.left_out == {"boredom": boredom}
    assert result.clips == len(few.examples) - boredom
    rows = pd.read_parquet(tmp_path / "run/predictions.parquet")
    example = next(e for e in few.examples if e.label != "boredom")
    one = affekt.load("open")(example.path)
    row = rows[rows["utterance"] == example.id].iloc[0]
    for label in result.confusion.labels:
        assert np.isclose(row[f"prob_{label}"], one.probabilities[label], atol=1e-4)


def test_of_clips_under_another_name_it_is_unknown_who_was_trained_on(emodb, tmp_path):
    rows = [f"{e.path},{e.label},{e.speaker}" for e in load_corpus(f"emodb:{emodb}").examples[::40]]
    (tmp_path / "m.csv").write_text("\n".join(["path,label,speaker", *rows]))
    few = load_corpus(tmp_path / "m.csv")
    result = evaluate_model(few, "open", Config(), tmp_path / "run")
    assert result.existing.unseen_speakers is None
    assert any("unknown who was trained on" in note for note in result.notes)


def test_on_another_corpus_it_is_not_marked(corpora, tmp_path):
    corpus = load_corpus(f"emovo:{corpora / 'emovo'}")
    few = replace(corpus, examples=corpus.examples[::25])
    result = evaluate_model(few, "open", Config(), tmp_path / "run")
    assert result.existing.unseen_speakers is True
    assert not any("NOT" in note for note in result.notes)
    assert audit_record(result) == []
    clips = tuple(replace(e, speaker=ANONYMOUS + e.id) for e in few.examples)
    unknown = evaluate_model(replace(few, examples=clips), "open", Config(), tmp_path / "unknown")
    assert unknown.existing.unseen_speakers is None
    assert unknown.title == "open (existing model, not trained here) (speakers unknown)"


def test_an_exported_model_has_the_score_of_its_folder(corpus, exported_default, tmp_path):
    few = replace(corpus, examples=corpus.examples[::3])
    folder, file = (
        affekt.evaluate(few, tmp_path / f"run{i}", model=model)
        for i, model in enumerate(("default", exported_default))
    )
    assert file.clips == folder.clips == len(few.examples)
    assert file.confusion == folder.confusion
    for result in (file, folder):  # the folder's rejects what is no speech to silero-vad
        assert result.existing.left_out == {}
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(AffektError, match="not a file of affekt export"):
        affekt.evaluate(few, tmp_path / "run2", model=tmp_path / "broken.onnx")


def test_an_exported_model_knows_its_training_speakers(emodb, exported_default, tmp_path):
    corpus = load_corpus(f"emodb:{emodb}")
    few = replace(corpus, examples=corpus.examples[::50])
    result = evaluate_model(few, str(exported_default), Config(), tmp_path / "run")
    assert result.existing.unseen_speakers is False


def test_a_long_clip_is_scored_as_predict_recognises_it(corpus, tmp_path):
    waves = [read(path).wave for path in DEMO] * 3
    soundfile.write(tmp_path / "long.wav", np.concatenate(waves), 16_000)
    rows = [f"{e.path},{e.label},{e.speaker}" for e in corpus.examples[:8]]
    long = f"long.wav,{corpus.examples[0].label},{corpus.examples[0].speaker}"
    (tmp_path / "my.csv").write_text("\n".join(["path,label,speaker", long, *rows]) + "\n")
    result = affekt.evaluate(tmp_path / "my.csv", tmp_path / "run", model="default")
    row = pd.read_parquet(tmp_path / "run/predictions.parquet").iloc[0]
    one = affekt.load()(tmp_path / "long.wav")
    assert one.utterances
    assert bool(row["accepted"]) is not one.is_uncertain
    shares = {label: one.probabilities[label] for label in result.confusion.labels}
    for label, share in shares.items():
        assert np.isclose(row[f"prob_{label}"], share / sum(shares.values()), atol=0.02)
