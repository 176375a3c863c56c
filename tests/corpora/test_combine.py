import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import affekt, lay_out, settings

from affekt import CorpusError, Example
from affekt.__main__ import run
from affekt.config import Protocol
from affekt.corpora.combine import across, leave_one_corpus_out, pool, with_training_corpora
from affekt.corpora.corpus import Corpus
from affekt.corpora.registry import load_corpus
from affekt.corpora.splits import inner_validation, speaker_folds
from affekt.evaluation.folds import jobs_of
from affekt.training.clips import load_clips
from affekt.training.run import train


def without_incomplete(corpus):
    """The notes apart from those on published clips that these small folders lack."""
    return tuple(note for note in corpus.notes if ": incomplete corpus, " not in note)


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
    assert without_incomplete(corpus) == (
        "emodb: 1 clip of boredom not tested",
        "casia: 1 clip of surprise not tested",
    )
    assert [u.id for u in corpus.train_only] == ["emodb/08a01La.wav"]  # casia's is nobody's
    assert "EMO-DB" in corpus.license
    assert "CASIA" in corpus.license


def test_labels_are_renamed_in_the_corpus_that_has_them(places):
    corpus = across(places["emodb"], places["casia"], {"boredom": "neutral", "surprise": ""})
    assert without_incomplete(corpus) == ()
    assert corpus.incomplete
    assert sum(u.label == "neutral" for u in corpus.examples) == 4
    with pytest.raises(CorpusError, match="no corpus has the labels to rename: joy"):
        across(places["emodb"], places["casia"], {"joy": "happiness"})


def test_each_corpus_is_left_out_once(places):
    corpus = leave_one_corpus_out(list(places.values()), {})
    folds = [fold.test for fold in corpus.test_folds(2)]  # a number of folds is by speaker
    assert [{e.corpus for e in test} for test in folds] == [{"emodb"}, {"casia"}, {"urdu"}]
    assert sum(map(len, folds)) == len(corpus.examples)


def marked(name, parts, labels="xy"):
    """A corpus with a clip of each class of each speaker; `parts`: speaker to official part."""
    examples = [
        Example(f"{speaker}{label}", f"{speaker}{label}.wav", label, speaker, split=split)
        for speaker, split in parts.items()
        for label in labels
    ]
    return Corpus(name, tuple(examples), "free")


A = marked("A", {"a1": "train", "a2": "train", "a3": "val", "a4": "test"})
B = marked("B", {"b1": "train", "b2": "", "b3": "test"}, "xyz")
C = marked("C", {"c1": "", "c2": "", "c3": ""})


def speakers(examples):
    return sorted({e.speaker.partition("/")[2] for e in examples})


def parts(corpus, fold=0, seed=0):
    """Speakers that one fold trains on, validates on and tests, as systems see them."""
    job = jobs_of(corpus, Protocol(seeds=1))[fold]
    rows = [*corpus.examples, *corpus.train_only]
    train = [e for e in rows if e.id in job.train]
    assert job.validation is None
    validation = inner_validation(train, 0.2, seed)
    assert not job.train & job.test
    return (
        speakers(e for e in train if e.speaker not in validation),
        speakers(e for e in train if e.speaker in validation),
        speakers(e for e in rows if e.id in job.test),
    )


def test_a_pool_trains_on_no_test_row_and_validates_on_each_corpus():
    corpus = pool([A, B, C], {}).training()
    assert speakers(corpus.examples) == ["a1", "a2", "a3", "b1", "b2", "c1", "c2", "c3"]
    assert len(corpus.examples) == 6 + 6 + 6
    assert corpus.notes == ("A: 2 clips marked test left out", "B: 3 clips marked test left out")
    for seed in range(5):
        validation = speakers(
            e for e in corpus.examples if e.speaker in inner_validation(corpus.examples, 0.2, seed)
        )
        assert [s[0] for s in validation] == ["a", "b", "c"]
        assert validation[0] == "a3"  # the official one; of B and C one is drawn
    assert A.training().notes == ("2 clips marked test left out",)
    single = [marked(name, {f"{name}1": ""}) for name in "DE"]
    for corpora, chosen in (([A, single[0]], {"A/a3"}), (single, {"D/D1"})):
        assert inner_validation(pool(corpora, {}).training().examples, 0.2, 0) == chosen


def test_a_tested_corpus_is_tested_on_its_test_rows_and_the_other_trains_without_its_own():
    corpus = across(A, B, {})
    assert parts(corpus) == (["a1", "a2"], ["a3"], ["b3"])
    assert len(corpus.test_folds()) == 1
    assert len(corpus.test_folds()[0].test) == 2  # of class z, which A lacks, none
    assert corpus.notes == (
        "A: 2 clips marked test left out",
        "B: 6 clips not marked test left out",
        "B: 1 clip of z not tested",
    )
    train, validation, test = parts(across(B, C, {}))
    assert sorted(train + validation) == ["b1", "b2"]
    assert test == ["c1", "c2", "c3"]  # all of an unmarked corpus
    assert [e.id for e in across(B, C, {}).train_only] == ["B/b1z", "B/b2z"]
    with pytest.raises(CorpusError, match="A: all clips are marked test"):
        across(marked("A", {"a1": "test", "a2": "test"}), C, {})


def test_further_training_corpora_give_no_test_rows_but_validation_rows():
    corpus = with_training_corpora(C, [A, B], {})
    assert corpus.notes == ("A: 2 clips marked test left out", "B: 3 clips marked test left out")
    for fold in range(3):
        train, validation, test = parts(replace(corpus, folds=3), fold)
        assert test == [f"c{fold + 1}"]
        assert "a3" in validation
        assert not {"a4", "b3"} & {*train, *validation}
        assert len(train + validation) == 2 + 3 + 2
    assert parts(with_training_corpora(A, [C], {}))[2] == ["a4"]
    assert "a3" in parts(with_training_corpora(A, [C], {}))[1]


def test_a_corpus_that_is_left_out_is_not_trained_on_beyond_its_test_rows():
    corpus = leave_one_corpus_out([A, B, C], {})
    assert [parts(corpus, fold)[2] for fold in range(3)] == [["a4"], ["b3"], ["c1", "c2", "c3"]]
    trained = [sorted(parts(corpus, fold)[0] + parts(corpus, fold)[1]) for fold in range(3)]
    assert trained == [
        ["b1", "b2", "c1", "c2", "c3"],
        ["a1", "a2", "a3", "c1", "c2", "c3"],
        ["a1", "a2", "a3", "b1", "b2"],
    ]
    assert "a3" in parts(corpus, 1)[1]
    jobs = jobs_of(corpus, Protocol(seeds=1))
    assert [len(job.train) for job in jobs] == [2 * 3 + 6, 6 + 6, 6 + 2 * 3]  # z of B is trained on
    assert [len(job.test) for job in jobs] == [2, 2, 6]
    assert "A: tested on its 2 clips marked test, which no fold trains on" in corpus.notes
    further = leave_one_corpus_out([A, C], {}, [B])
    assert [parts(further, fold)[2] for fold in range(2)] == [["a4"], ["c1", "c2", "c3"]]
    train, validation, _ = parts(further, 1)
    assert sorted(train + validation) == ["a1", "a2", "a3", "b1", "b2"]
    others = [marked(name, {f"{name}1": "test", f"{name}2": "test"}) for name in "DE"]
    with pytest.raises(CorpusError, match="nothing to train on"):
        leave_one_corpus_out(others, {})


def test_what_is_tested_is_part_of_the_digest():
    """The same rows under the same name, divided in another way, are another evaluation."""
    divided = [
        leave_one_corpus_out([A, C], {}),
        with_training_corpora(A, [C], {}),
        pool([A, C], {}),
    ]
    assert {c.name for c in divided} == {"A and C"}
    assert len({c.digest() for c in divided}) == 3


def test_a_corpus_is_not_tested_by_itself(places):
    with pytest.raises(CorpusError, match="given twice"):
        across(places["emodb"], places["emodb"], {})


def test_corpora_without_common_classes_are_refused(places, tmp_path):
    lay_out(tmp_path / "own", ["joy/s/a.wav", "grief/s/a.wav"])
    with pytest.raises(CorpusError, match="fewer than two classes in common"):
        across(places["emodb"], str(tmp_path / "own"), {})
    assert load_corpus(str(tmp_path / "own")).labels == ["grief", "joy"]


def test_the_command_scores_across(manifest, tmp_path):
    other = tmp_path / "other.csv"
    rows = manifest.read_text().splitlines()
    selected = [rows[0]] + [
        f"{manifest.parent}/{r}" for r in rows[1:] if ",s5," in r or ",s6," in r
    ]
    other.write_text("\n".join(selected).replace("neutral,", "calm,") + "\n")
    done = affekt("evaluate", manifest, "--test", other, "--labels.calm", "neutral", "--system",
                  "length", "--out", tmp_path / "run", "--seeds", "1")  # fmt: skip
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
    assert {"one", "two"} <= trained.model.projection.domains.keys()
    again = train(clips, tiny_config, seed=0)
    for one, two in zip(
        trained.model.state_dict().values(), again.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two)


def test_the_card_and_the_command_count_what_training_left_out(
    manifest, tiny_config, tmp_path, capsys
):
    """One corpus marks a test speaker; the other is a validation part throughout."""
    header, *rows = manifest.read_text().splitlines()
    sources = []
    for name, marks in {
        "one": {"s1": "train", "s2": "test", "s3": ""},
        "two": {"s4": "val"},
    }.items():
        own = [f"{manifest.parent}/{r},{marks[s]}" for r in rows if (s := r.split(",")[2]) in marks]
        sources.append(tmp_path / f"{name}.csv")
        sources[-1].write_text("\n".join([f"{header},split", *own]) + "\n")
    arguments = ["train", sources[0], "--pool", sources[1], "--out", tmp_path / "model",
                 "--cache", tmp_path / "cache", *settings(tiny_config, 1)]  # fmt: skip
    assert run([str(a) for a in arguments]) == 0
    assert "note: one: 12 clips marked test left out" in capsys.readouterr().err
    card = (tmp_path / "model/README.md").read_text()
    assert "| notes on the data | one: 12 clips marked test left out |" in card
    info = json.loads((tmp_path / "model/config.json").read_text())["training"]
    assert info["corpus"]["clips"] == 36
    assert "two/s4" in info["validation_speakers"]


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
                   "--system", "length", "--out", tmp_path / "other")  # fmt: skip
    assert other.returncode == 2
    assert "protocol.test_normalisation has no effect on length" in other.stderr
