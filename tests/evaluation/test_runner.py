"""The harness must not let a test speaker touch anything that is chosen or learned."""

import dataclasses
import io
import json
import os
import re
import signal
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from sklearn.tree import DecisionTreeClassifier

from affekt import AffektError
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.evaluation.audit.run_audit import audit_record
from affekt.evaluation.protocol_text import TEST_FOLD_SELECTS
from affekt.evaluation.results import load_run
from affekt.evaluation.runner import evaluate
from affekt.evaluation.systems.paper import PaperSystem
from affekt.evaluation.systems.registry import Maker
from affekt.progress import silent
from affekt.report.console import score_table, study_table
from affekt.report.model_card import model_card
from affekt.report.page import study_page
from affekt.training.balance import cut
from affekt.training.clips import inner_split, load_clips
from affekt.types import ANONYMOUS

KEYS = {"WA", "UAR", "macro_f1", "MAP", "majority", "ci95", "seeds", "folds"}


@pytest.fixture(scope="module")
def corpus(manifest):
    return load_corpus(str(manifest))


class Watched(PaperSystem):
    """Records what it was given and what came of it."""

    def fit(self, clips, seed, report, held_out=None):
        super().fit(clips, seed, report, held_out)
        self.seen.append(
            {
                "speakers": {c.example.speaker for c in clips},
                "training_info": self.training_info,
                "weights": self._recognizer._model.state_dict(),
            }
        )


def run(corpus, config, out, seen, embeddings=None):
    def make():
        system_ = Watched(config, embeddings)
        system_.seen = seen
        return system_

    return evaluate(corpus, make, config, out)


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    """Folder in which runs of this file cache their embeddings."""
    return tmp_path_factory.mktemp("embeddings")


@pytest.fixture(scope="module")
def outcome(corpus, tiny_config, embeddings, tmp_path_factory):
    seen = []
    out = tmp_path_factory.mktemp("run") / "out"
    return out, run(corpus, tiny_config, out, seen, embeddings), seen


def test_metrics_and_predictions_have_the_promised_form(outcome, corpus):
    out, metrics, _ = outcome
    assert json.loads((out / "metrics.json").read_text()) == metrics.to_json()
    assert metrics.to_json().keys() >= KEYS
    assert metrics["seeds"] == 1
    low, high = metrics["ci95"]["UAR"]
    assert low <= metrics["UAR"] <= high
    assert metrics["majority"] == pytest.approx(1 / 3, abs=1e-3)
    table = pd.read_parquet(out / "predictions.parquet")
    probabilities = [f"prob_{label}" for label in corpus.labels]
    columns = ["utterance", "speaker", "fold", "seed", "label", "predicted"]
    assert list(table.columns) == columns + probabilities
    assert len(table) == len(corpus.examples)
    assert np.allclose(table[probabilities].sum(axis=1), 1)
    best = table[probabilities].idxmax(axis=1).str.removeprefix("prob_")
    assert (best == table["predicted"]).all()
    assert metrics["WA"] == pytest.approx((table["label"] == table["predicted"]).mean(), abs=1e-4)
    assert metrics["config"]["encoder"]["weights"] == "tiny.safetensors"


def test_no_test_speaker_is_trained_on_or_chooses(outcome, corpus):
    out, metrics, seen = outcome
    table = pd.read_parquet(out / "predictions.parquet")
    for fold, (group, record) in enumerate(zip(metrics["folds"], seen, strict=True)):
        test = set(group["test_speakers"])
        assert test.isdisjoint(record["speakers"])
        assert test | record["speakers"] == set(corpus.speakers)
        validation = set(record["training_info"]["validation_speakers"])
        assert validation < record["speakers"]
        assert set(table.loc[table["fold"] == fold, "speaker"]) == test


def test_several_normalisations_share_a_training_and_are_those_of_each_alone(
    outcome, corpus, tiny_config, embeddings, tmp_path
):
    expected, _, once = outcome
    seen, names = [], ("none", "clip", "speaker", "fold")

    def make():
        system = Watched(tiny_config, embeddings)
        system.seen = seen
        return system

    first = evaluate(corpus, make, tiny_config, tmp_path / "all", normalisations=names)
    assert len(seen) == len(once)
    tables = {n: pd.read_parquet(tmp_path / "all" / n / "predictions.parquet") for n in names}
    assert tables["none"].equals(pd.read_parquet(expected / "predictions.parquet"))
    assert first == load_run(tmp_path / "all" / "none").metrics
    config = tiny_config.with_test_normalisation("speaker")
    evaluate(corpus, Maker("default", config, embeddings), config, tmp_path / "alone")
    assert tables["speaker"].equals(pd.read_parquet(tmp_path / "alone" / "predictions.parquet"))
    columns = [f"prob_{label}" for label in corpus.labels]
    values = [table[columns].to_numpy() for table in tables.values()]
    for i, one in enumerate(values):
        assert not any(np.allclose(one, other, atol=1e-6) for other in values[i + 1 :])
    titles = [load_run(tmp_path / "all" / name).title for name in names]
    marks = ["", "normalised by clip", "speaker normalisation", "domain normalisation"]
    assert [title.partition("(")[2].rstrip(")") for title in titles] == marks


def test_test_labels_change_neither_the_chosen_epoch_nor_a_weight(
    outcome, corpus, tiny_config, tmp_path
):
    _, metrics, seen = outcome
    test = set(metrics["folds"][0]["test_speakers"])
    turn = dict(zip(corpus.labels, corpus.labels[1:] + corpus.labels[:1], strict=True))
    wrong = tuple(
        dataclasses.replace(u, label=turn[u.label]) if u.speaker in test else u
        for u in corpus.examples
    )
    again = []
    run(dataclasses.replace(corpus, examples=wrong), tiny_config, tmp_path / "out", again)
    for key in ("stage1_epochs", "stage2_epochs", "validation_speakers", "plan"):
        assert again[0]["training_info"][key] == seen[0]["training_info"][key]
    for name, value in seen[0]["weights"].items():
        assert torch.equal(again[0]["weights"][name], value)
    # In the second fold these clips are trained on.
    assert again[1]["training_info"] != seen[1]["training_info"]


def test_a_corpus_with_test_speakers_of_its_own_is_tested_on_them(
    corpus, tiny_config, embeddings, tmp_path
):
    *_, val, test = corpus.speakers
    parts = {val: "val", test: "test"}
    marked = tuple(
        dataclasses.replace(u, split=parts.get(u.speaker, "train")) for u in corpus.examples
    )
    seen = []
    own = dataclasses.replace(corpus, examples=marked)
    metrics = run(own, tiny_config, tmp_path / "out", seen, embeddings)
    assert [fold["test_speakers"] for fold in metrics["folds"]] == [[test]]
    assert seen[0]["training_info"]["validation_speakers"] == [val]
    assert seen[0]["speakers"] == set(own.training().speakers)
    assert "the test speakers of the corpus" in metrics["protocol"]
    assert metrics["clips"] == len(own.examples) - len(own.training().examples)


def test_under_the_papers_protocol_the_test_fold_chooses_and_the_result_says_so(
    corpus, tiny_config, embeddings, tmp_path, outcome
):
    protocol = tiny_config.protocol.model_copy(update={"paper_protocol": True})
    config = tiny_config.model_copy(update={"protocol": protocol})
    seen = []
    metrics = run(corpus, config, tmp_path / "out", seen, embeddings)
    for group, record in zip(metrics["folds"], seen, strict=True):
        test = set(group["test_speakers"])
        assert set(record["training_info"]["validation_speakers"]) == test  # they choose the epoch
        assert record["speakers"] == set(corpus.speakers) - test  # and are not trained on
        assert not record["training_info"]["refit"]
    assert metrics["title"] == "(paper_protocol)"
    assert "NOT a score on unseen speakers" in metrics["protocol"]
    assert metrics["notes"] == [TEST_FOLD_SELECTS]  # which the command prints
    assert "NOT a score" not in outcome[1]["protocol"]
    [finding] = {f.kind for f in audit_record(metrics)}
    assert finding == "choice"


def test_ctrl_c_in_a_training_gives_no_score(corpus, tiny_config, tmp_path):
    def report(event):
        if "stage 1" in event.stage and event.done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        evaluate(corpus, Maker("default", tiny_config, None), tiny_config, tmp_path / "out",
                 report=report)  # fmt: skip
    assert not (tmp_path / "out" / "metrics.json").exists()


class Breaks(PaperSystem):
    """Fails in the second of its calls; counts them all."""

    calls = 0

    def fit(self, clips, seed, report, held_out=None):
        Breaks.calls += 1
        if Breaks.calls == 2:
            raise AffektError("broken")
        super().fit(clips, seed, report, held_out)


def test_a_broken_run_goes_on_where_it_ended(corpus, tiny_config, outcome, embeddings, tmp_path):
    out = tmp_path / "out"
    Breaks.calls = 0
    with pytest.raises(AffektError, match="broken"):
        evaluate(corpus, lambda: Breaks(tiny_config, embeddings), tiny_config, out)
    assert not (out / "metrics.json").exists()

    other = tiny_config.model_copy(update={"intended_use": "other"})
    with pytest.raises(AffektError, match="unfinished run of other data, settings or code"):
        evaluate(corpus, lambda: Breaks(other, embeddings), other, out)

    fold = out / "folds/seed0-fold0.json"
    record = fold.read_text()
    fold.write_text(record.replace('"identity": "', '"identity": "0'))
    with pytest.raises(AffektError, match="a fold of other data, settings or code"):
        evaluate(corpus, lambda: Breaks(tiny_config, embeddings), tiny_config, out)
    fold.write_text(record)
    noise = dict.fromkeys(corpus.audio_hashes(), "noise")
    with pytest.raises(AffektError, match="audio changed: 72 of 72 recordings"):
        evaluate(
            corpus, lambda: Breaks(tiny_config, embeddings), tiny_config, out, recordings=noise
        )
    with pytest.raises(AffektError, match="content of instance changed"):
        evaluate(
            corpus, lambda: Breaks(tiny_config, embeddings), tiny_config, out, instance="C = 2"
        )

    metrics = evaluate(corpus, lambda: Breaks(tiny_config, embeddings), tiny_config, out)
    assert Breaks.calls == 4  # one, the broken one, and the two that were missing
    whole, reference = outcome[0], outcome[1]
    assert metrics == reference
    table = pd.read_parquet(out / "predictions.parquet")
    pd.testing.assert_frame_equal(table, pd.read_parquet(whole / "predictions.parquet"))
    with pytest.raises(AffektError, match="not empty"):
        evaluate(corpus, lambda: Breaks(tiny_config, embeddings), tiny_config, out)


def test_an_evaluation_is_not_started_by_torchrun(corpus, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(AffektError, match="use --workers, not torchrun"):
        evaluate(corpus, Maker("majority", tiny_config, None), tiny_config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_change_between_two_folds_stop_the_evaluation(corpus, tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"1")
    values = {"baselines": {"resnet": str(weights)}, "protocol": {"folds": 3, "seeds": 1}}
    config = Config.model_validate(values)

    def report(event):
        if event.stage == "folds" and event.done == 1:
            weights.write_bytes(b"2")

    with pytest.raises(AffektError, match="weights changed during the evaluation"):
        evaluate(corpus, Maker("majority", config, None), config, tmp_path / "out", report=report)
    assert len(list((tmp_path / "out/folds").glob("*.json"))) == 1


def test_several_processes_give_the_same(corpus, tiny_config, outcome, embeddings, tmp_path):
    make = Maker("default", tiny_config, embeddings)
    evaluate(corpus, make, tiny_config, tmp_path / "out", workers=2)
    table = pd.read_parquet(tmp_path / "out/predictions.parquet")
    pd.testing.assert_frame_equal(table, pd.read_parquet(outcome[0] / "predictions.parquet"))


def test_the_number_of_segments_at_test_tells_nothing_of_the_class(manifest, tiny_config):
    """A probe that sees only how many segments a test clip gets stays at majority level."""
    clips = load_clips(load_corpus(str(manifest)).examples)
    labels = np.array([c.label for c in clips])
    system_ = PaperSystem(tiny_config, None)
    system_.fit(clips, 0, silent)
    seen = system_._recognizer.recognise([c.recording for c in clips])
    at_test = np.array([len(p.segments) for p in seen])
    plan = {"anger": "ends", "neutral": 0.96, "sadness": 0.24}
    by_class = np.array([len(cut(c.seconds, plan[c.label])) for c in clips])
    speakers = np.array([c.example.speaker for c in clips])

    def probe(counts):
        """Accuracy on each speaker of a tree grown on the others."""
        hits = 0
        for speaker in set(speakers):
            train, test = speakers != speaker, speakers == speaker
            tree = DecisionTreeClassifier(max_depth=3, random_state=0)
            tree.fit(counts[train, None], labels[train])
            hits += (tree.predict(counts[test, None]) == labels[test]).sum()
        return hits / len(labels)

    assert probe(at_test) <= 1 / 3 + 0.1
    assert probe(by_class) > 0.6  # the leak is real where segments are cut by class


def test_a_class_unknown_to_a_fold_and_an_unclean_folder(corpus, tiny_config, embeddings, tmp_path):
    rare = tuple(
        dataclasses.replace(u, label="rare") if u.speaker == "s6" and u.label == "anger" else u
        for u in corpus.examples
    )
    metrics = run(
        dataclasses.replace(corpus, examples=rare), tiny_config, tmp_path / "a", [], embeddings
    )
    assert metrics["per_class"]["rare"]["recall"] == 0
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "precious.txt").write_text("mine")
    with pytest.raises(AffektError, match="not empty"):
        run(corpus, tiny_config, tmp_path / "b", [])
    assert (tmp_path / "b" / "precious.txt").read_text() == "mine"


def test_with_one_training_speaker_some_of_the_clips_choose(
    corpus, tiny_config, embeddings, tmp_path
):
    two = tuple(u for u in corpus.examples if u.speaker in corpus.speakers[:2])
    pair = dataclasses.replace(corpus, examples=two)
    folds = tiny_config.protocol.model_copy(update={"folds": 2})
    seen = []
    metrics = run(
        pair, tiny_config.model_copy(update={"protocol": folds}), tmp_path / "o", seen, embeddings
    )
    assert metrics["notes"] == [
        f"fold {n}: one training speaker, whose clips also select the epoch" for n in (1, 2)
    ]
    for group, record in zip(metrics["folds"], seen, strict=True):
        assert set(group["test_speakers"]).isdisjoint(record["speakers"])
    clips = load_clips([u for u in two if u.speaker == corpus.speakers[0]])
    inner, validation_part = inner_split(clips, 0.25, 0, None)
    assert len(validation_part) == 3  # one of each class
    assert {c.label for c in validation_part} == set(corpus.labels)
    assert {c.example.id for c in inner}.isdisjoint(c.example.id for c in validation_part)
    with pytest.raises(AffektError, match="one training speaker with one clip of anger"):
        inner_split([c for c in clips if c.label != "anger"] + clips[:1], 0.25, 0, None)


def test_where_nobody_knows_who_speaks_the_protocol_says_so(
    corpus, tiny_config, embeddings, tmp_path
):
    part = [u for u in corpus.examples if u.id.endswith("0.wav")]
    clips = tuple(dataclasses.replace(u, speaker=ANONYMOUS + u.id) for u in part)
    metrics = run(
        dataclasses.replace(corpus, examples=clips), tiny_config, tmp_path / "o", [], embeddings
    )
    assert "3 folds by clip" in metrics["protocol"]
    assert "speakers are unknown" in metrics["protocol"]
    assert not any("one class only" in note for note in metrics["notes"])
    assert metrics.title == "(speakers unknown)"
    assert metrics.corpus.speakers == 0
    capture = Console(file=io.StringIO(), width=200)
    capture.print(score_table(metrics), study_table([(metrics.title, metrics)] * 2))
    both = [load_run(tmp_path / "o")] * 2
    pages = [page for lang in ("en", "zh") for page in astuple(study_page(both, lang))]
    [training] = metrics.runs[:1]
    card = model_card("m", "", corpus.labels, training.to_json() | metrics.to_json(), metrics)
    for text in (capture.file.getvalue(), *pages, card):
        claims = re.sub("(NOT|not) (a score )?on unseen speakers", "", text)
        assert not re.search(
            r"(over|unseen|test|training|validation) speakers?\b|\d speakers?\b|位说话人", claims
        )
        assert "speakers unknown" in text or "语音" in text or "over clips" in text


def test_a_class_that_no_validation_speaker_has_is_noted(corpus, tiny_config, embeddings, tmp_path):
    rare = corpus.speakers[-1]
    few = tuple(u for u in corpus.examples if u.label != "anger" or u.speaker == rare)
    metrics = run(
        dataclasses.replace(corpus, examples=few), tiny_config, tmp_path / "o", [], embeddings
    )
    lacks = [info.get("validation_lacks") for info in metrics["runs"]]
    assert lacks.count(["anger"]) == 2  # in the third fold nobody speaks it
    assert "in 2 of 3 trainings the validation speakers lack a class" in metrics["notes"]
