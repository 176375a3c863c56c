import json

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import affekt, lay_out, settings

from affekt import CorpusError
from affekt.config import Protocol
from affekt.corpora.combine import across, leave_one_corpus_out, pool, with_training_corpora
from affekt.corpora.registry import load_corpus
from affekt.corpora.splits import inner_validation, speaker_folds
from affekt.evaluation.folds import jobs_of
from affekt.training.clips import load_clips
from affekt.training.run import train


@pytest.fixture
def places(tmp_path):
    """Three corpora in their owners' layouts; EMO-DB alone has boredom, CASIA surprise."""
    lay_out(tmp_path / "emodb", ["03a01Wa.wav", "03a01Na.wav", "08a01Wa.wav", "08a01La.wav"])
    names = [f"{s}/{e}/201.wav" for s in ("wangzhe", "liuchanhg") for e in ("angry", "neutral")]
    lay_out(tmp_path / "casia", [*names, "wangzhe/surprise/201.wav"])
    lay_out(tmp_path / "urdu", ["Angry/SM1_F1_A01.wav", "Neutral/SM2_F1_N01.wav"])
    return {name: f"{name}:{tmp_path / name}" for name in ("emodb", "casia", "urdu")}


def test_trained_on_one_tested_on_the_other_on_common_classes(places):
    corpus = across(places["emodb"], places["casia"], {})
    assert corpus.name == "emodb to casia"
    assert corpus.labels == ["anger", "neutral"]
    assert speaker_folds(corpus.examples, 5) == [["casia/liuchanhg", "casia/wangzhe"]]
    assert corpus.training().speakers == ["emodb/03", "emodb/08"]
    assert corpus.notes == (
        "emodb: 1 clip of boredom not tested",
        "casia: 1 clip of surprise not tested",
    )
    assert [u.id for u in corpus.train_only] == ["emodb/08a01La.wav"]  # casia's is nobody's
    assert "EMO-DB" in corpus.license
    assert "CASIA" in corpus.license


def test_labels_are_renamed_in_the_corpus_that_has_them(places):
    corpus = across(places["emodb"], places["casia"], {"boredom": "neutral", "surprise": ""})
    assert corpus.notes == ()
    assert sum(u.label == "neutral" for u in corpus.examples) == 4
    with pytest.raises(CorpusError, match="no corpus has the labels to rename: joy"):
        across(places["emodb"], places["casia"], {"joy": "happiness"})


def test_each_corpus_is_left_out_once(places):
    corpus = leave_one_corpus_out(list(places.values()), {})
    folds = speaker_folds(corpus.examples, corpus.folds, corpus.predefined_folds)
    assert [{s.split("/")[0] for s in group} for group in folds] == [{"emodb"}, {"casia"}, {"urdu"}]
    assert sum(map(len, folds)) == len(corpus.speakers)


def test_a_corpus_is_not_tested_by_itself(places):
    with pytest.raises(CorpusError, match="given twice"):
        across(places["emodb"], places["emodb"], {})


def test_corpora_without_common_classes_are_refused(places, tmp_path):
    lay_out(tmp_path / "own", ["joy/s/a.wav", "grief/s/a.wav"])
    with pytest.raises(CorpusError, match="fewer than two classes in common"):
        across(places["emodb"], str(tmp_path / "own"), {})
    assert load_corpus(str(tmp_path / "own")).labels == ["grief", "joy"]


def test_the_command_scores_across(manifest, tiny_config, tmp_path):
    other = tmp_path / "other.csv"
    rows = manifest.read_text().splitlines()
    selected = [rows[0]] + [
        f"{manifest.parent}/{r}" for r in rows[1:] if ",s5," in r or ",s6," in r
    ]
    other.write_text("\n".join(selected).replace("neutral,", "calm,") + "\n")
    done = affekt("evaluate", manifest, "--test", other, "--labels.calm", "neutral", "--system",
                  "length", "--out", tmp_path / "run", *settings(tiny_config))  # fmt: skip
    assert done.returncode == 0, done.stderr
    both = affekt(
        "evaluate", manifest, "--test", other, "--leave-out", other, "--out", tmp_path / "x"
    )
    assert both.returncode == 2
    assert "give one of them" in both.stderr


def test_a_pool_keeps_every_class_of_every_corpus(places):
    corpus = pool(list(places.values()), {})
    assert corpus.labels == ["anger", "boredom", "neutral", "surprise"]
    assert {u.corpus for u in corpus.examples} == {"emodb", "casia", "urdu"}
    assert pool([places["emodb"]], {}) == load_corpus(places["emodb"])


def test_further_corpora_are_trained_on_and_not_tested(places):
    corpus = leave_one_corpus_out([places["emodb"], places["urdu"]], {}, [places["casia"]])
    assert corpus.folds == 2
    assert {u.corpus for u in corpus.examples} == {"emodb", "urdu"}
    assert corpus.labels == ["anger", "neutral"]
    train_only = [u.id for u in corpus.train_only]
    assert train_only[0] == "emodb/08a01La.wav"
    assert {u.split("/")[0] for u in train_only[1:]} == {"casia"}
    assert len(train_only) == 6


def test_one_corpus_is_tested_with_further_training_corpora_in_every_fold(places):
    alone = load_corpus(places["emodb"])
    corpus = with_training_corpora(places["emodb"], [places["casia"]], {})
    assert corpus.folds == alone.folds
    assert [u.id for u in corpus.examples] == [f"emodb/{u.id}" for u in alone.examples]
    assert {u.corpus for u in corpus.train_only} == {"casia"}
    for number, fold in enumerate(corpus.test_folds(2)):
        assert {u.corpus for u in fold.test} == {"emodb"}
        job = jobs_of(corpus, Protocol(folds=2, seeds=1))[number]
        assert {u.id for u in corpus.train_only} < job.train
        assert job.test == {u.id for u in fold.test}
        assert not job.test & job.train


def test_each_corpus_gives_validation_speakers(places):
    corpus = pool([places["emodb"], places["casia"]], {})
    chosen = inner_validation(corpus.examples, 0.2, 0)
    assert sorted(s.split("/")[0] for s in chosen) == ["casia", "emodb"]


def test_a_model_learns_from_corpora_with_different_classes(manifest, tiny_config, tmp_path):
    """One corpus lacks sadness, the other neutral; their statistics differ too."""
    rows = manifest.read_text().splitlines()
    sources = []
    for name, lacking in (("one", "sadness"), ("two", "neutral")):
        selected = [f"{manifest.parent}/{r}" for r in rows[1:] if f",{lacking}," not in r]
        sources.append(tmp_path / f"{name}.csv")
        sources[-1].write_text("\n".join([rows[0], *selected]) + "\n")
    corpus = pool(list(map(str, sources)), {})
    clips = load_clips(corpus.examples)
    trained = train(clips, tiny_config, seed=0)
    assert trained.labels == ["anger", "neutral", "sadness"]
    assert set(trained.model.projection.corpora) == {"one", "two"}
    again = train(clips, tiny_config, seed=0)
    for one, two in zip(
        trained.model.state_dict().values(), again.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two)


def test_a_run_with_statistics_of_its_test_fold_states_this(manifest, tiny_config, tmp_path):
    done = affekt("evaluate", manifest, "--protocol.test-normalisation", "fold",
                  "--out", tmp_path / "run", *settings(tiny_config))  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert "(domain normalisation)" in metrics["title"]
    assert "standardised by their own statistics" in metrics["protocol"]
    audited = affekt("audit", tmp_path / "run")
    assert audited.returncode == 0
    assert "by the statistics of the unlabelled test clips" in audited.stdout
    by_speaker = affekt("evaluate", manifest, "--protocol.test-normalisation",
                        "speaker", "--out", tmp_path / "by", *settings(tiny_config))  # fmt: skip
    assert by_speaker.returncode == 0, by_speaker.stderr
    tables = [pd.read_parquet(tmp_path / f / "predictions.parquet") for f in ("run", "by")]
    assert tables[0].utterance.tolist() == tables[1].utterance.tolist()
    assert not np.allclose(tables[0].prob_anger, tables[1].prob_anger, atol=1e-3)
    metrics = json.loads((tmp_path / "by/metrics.json").read_text())
    assert "(speaker normalisation)" in metrics["title"]
    other = affekt("evaluate", manifest, "--protocol.test-normalisation", "fold",
                   "--system", "length", "--out", tmp_path / "other",
                   *settings(tiny_config))  # fmt: skip
    assert other.returncode == 2
    assert "needs a system that standardises embeddings" in other.stderr
