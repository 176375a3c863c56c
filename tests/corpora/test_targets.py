"""Targets of a manifest in place of labels: votes become shares, dimensions stay numbers."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from affekt import CorpusError
from affekt.corpora.combine import leave_one_corpus_out, pool
from affekt.corpora.registry import load_corpus
from affekt.types import TargetColumns

VOTES = TargetColumns(votes=("anger", "fear", "sadness"))
ROWS = ["path,speaker,anger,fear,sadness", "a.wav,s1,3,1,0", "b.wav,s2,,0.5,0.5", "c.wav,s2,0,0,1"]


@pytest.fixture
def manifest(tmp_path):
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(8000), 8000)

    def write(rows):
        (tmp_path / "m.csv").write_text("\n".join(rows) + "\n", "utf-8")
        return tmp_path / "m.csv"

    return write


def test_votes_are_shares_and_the_label_is_their_majority(manifest):
    corpus = load_corpus(manifest(ROWS), columns=VOTES)
    assert [e.label for e in corpus.examples] == ["anger", "fear", "sadness"]
    assert corpus.examples[0].targets == (("anger", 0.75), ("fear", 0.25))
    assert corpus.labels == ["anger", "fear", "sadness"]
    assert "the first of several in 1 row" in corpus.notes[0]
    other = load_corpus(manifest([ROWS[0], "a.wav,s1,3,2,0", *ROWS[2:]]), columns=VOTES)
    assert other.digest() != corpus.digest()


def test_renamed_classes_pool_their_votes(manifest):
    names = {"fear": "sadness", "anger": "Wut"}
    first, second, _ = load_corpus(manifest(ROWS), names, VOTES).examples
    assert first.targets == (("Wut", 0.75), ("sadness", 0.25))
    assert second.targets == (("sadness", 1.0),)
    dropped = load_corpus(manifest(ROWS), {"fear": ""}, VOTES).examples
    assert [e.targets for e in dropped] == [(("anger", 1.0),), *[(("sadness", 1.0),)] * 2]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.wav,s1,0,0,0", "line 2: votes must not be negative, and not all 0"),
        ("a.wav,s1,2,-1,0", "line 2: votes must not be negative"),
        ("a.wav,s1,x,1,0", "line 2: anger 'x' is not a number"),
        ("a.wav,s1,inf,1,0", "line 2: anger 'inf' is not a number"),
    ],
)
def test_wrong_votes_are_named(manifest, row, reason):
    with pytest.raises(CorpusError, match=reason):
        load_corpus(manifest([ROWS[0], row, *ROWS[2:]]), columns=VOTES)


def test_columns_that_are_not_there_are_named(manifest):
    path = manifest(ROWS)
    with pytest.raises(CorpusError, match="no column joy; it has path, speaker, anger"):
        load_corpus(path, columns=TargetColumns(votes=("anger", "joy")))
    with pytest.raises(CorpusError, match="given twice"):
        load_corpus(path, columns=TargetColumns(votes=("anger", "anger")))
    labelled = load_corpus(manifest(["path,speaker,label", "a.wav,s1,x", "b.wav,s2,y"]))
    with pytest.raises(CorpusError, match="has no columns anger, fear, sadness"):
        load_corpus(labelled, columns=VOTES)
    soft = load_corpus(manifest(ROWS), columns=VOTES)
    with pytest.raises(CorpusError, match="given twice"):
        pool([soft, soft], {})


def test_dimensions_stay_numbers(manifest):
    rows = ["path,speaker,arousal,label", "a.wav,s1,1.5,x", "b.wav,s2,-2,x", "c.wav,s3,3e0,y"]
    columns = TargetColumns(dimensions=("arousal",))
    corpus = load_corpus(manifest(rows), columns=columns)
    assert [e.targets for e in corpus.examples] == [
        (("arousal", value),) for value in (1.5, -2.0, 3.0)
    ]
    assert (corpus.labels, corpus.dimensions) == ([], ["arousal"])
    assert {e.label for e in corpus.examples} == {""}
    description = corpus.description()
    assert (description["labels"], description["dimensions"]) == ({}, ["arousal"])
    assert all(len(fold.test) == 1 for fold in corpus.test_folds(3))
    with pytest.raises(CorpusError, match="line 3: arousal is empty"):
        load_corpus(manifest([*rows[:2], "b.wav,s2,,x"]), columns=columns)
    with pytest.raises(CorpusError, match="does not have the labels to rename: x"):
        load_corpus(manifest(rows), {"x": "z"}, columns)


def test_dimensions_across_corpora(manifest):
    columns = TargetColumns(dimensions=("arousal",))
    rows = ["path,speaker,arousal", "a.wav,s1,1", "b.wav,s2,2"]
    one = load_corpus(manifest(rows), columns=columns)
    both = leave_one_corpus_out([one, replace(one, name="other")], {})
    assert [len(fold.test) for fold in both.test_folds()] == [2, 2]
    labelled = load_corpus(manifest(["path,speaker,label", "a.wav,s1,x", "b.wav,s2,y"]))
    with pytest.raises(CorpusError, match="has no columns arousal"):
        pool([one, replace(labelled, name="other")], {}, columns)
