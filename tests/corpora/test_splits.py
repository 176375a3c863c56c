from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affekt import CorpusError, Example
from affekt.corpora.splits import Fold, fold_notes, inner_validation, official, speaker_folds

speakers = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=2, max_size=40)


def examples(names, labels=("x", "y")):
    return [
        Example(f"{i}", f"{i}.wav", labels[i % len(labels)], speaker)
        for i, speaker in enumerate(names)
    ]


def as_folds(data, groups):
    return [
        Fold([e for e in data if e.speaker not in g], [], [e for e in data if e.speaker in g])
        for g in groups
    ]


@given(speakers, st.integers(2, 6))
def test_every_speaker_is_tested_in_exactly_one_fold(names, folds):
    data = examples(names)
    if len(set(names)) < folds:
        with pytest.raises(CorpusError, match="speaker"):
            speaker_folds(data, folds)
        return
    groups = speaker_folds(data, folds)
    assert len(groups) == folds
    assert sorted(s for group in groups for s in group) == sorted(set(names))


@given(speakers, st.floats(0.01, 0.99), st.integers(0, 5))
def test_validation_speakers_are_some_but_not_all_and_always_the_same(names, share, seed):
    data = examples(names)
    if len(set(names)) < 2:
        with pytest.raises(CorpusError, match="2 speakers"):
            inner_validation(data, share, seed)
        return
    chosen = inner_validation(data, share, seed)
    assert chosen
    assert chosen < set(names)
    assert inner_validation(data, share, seed) == chosen


def test_emodbs_folds_are_pairs_of_neighbours():
    names = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    pairs = [["03", "08"], ["09", "10"], ["11", "12"], ["13", "14"], ["15", "16"]]
    assert speaker_folds(examples(names), 5) == pairs


def test_speakers_of_one_class_each_are_dealt_out_over_the_folds():
    names = [f"{label}{n}" for label in "abc" for n in range(4)]  # a0 .. a3 speak class a only
    data = [Example(f"{s}{i}", "x.wav", s[0], s) for s in names for i in range(5)]
    groups = speaker_folds(data, 4)
    assert [sorted(s[0] for s in group) for group in groups] == [["a", "b", "c"]] * 4
    assert groups == speaker_folds(data[::-1], 4)
    notes = fold_notes(data, as_folds(data, groups))
    assert notes == [
        "12 of 12 speakers have examples of one class only: a model may recognise the speaker "
        "instead of the emotion"
    ]


def test_a_class_of_one_speaker_is_noted():
    data = [*examples(["a", "b", "c", "d"] * 4), Example("r", "r.wav", "rare", "c")]
    notes = fold_notes(data, as_folds(data, speaker_folds(data, 2)))
    assert "fold 1: no training example of rare" in notes
    assert "fold 2: no test example of rare" in notes


def test_validation_keeps_every_class_in_training_if_it_can():
    data = [Example("r", "r.wav", "rare", "only")]
    data += examples(["a", "b", "c", "only"] * 5)
    for seed in range(5):
        assert "only" not in inner_validation(data, 0.25, seed)


def test_the_official_split_of_a_corpus_overrides_ours():
    parts = {"a": "train", "b": "train", "c": "val", "d": "test", "e": "test"}
    data = [replace(u, split=parts[u.speaker]) for u in examples("abcde" * 3)]
    assert speaker_folds(data, 2) == [["d", "e"]]
    assert inner_validation([u for u in data if u.split != "test"], 0.2, seed=0) == {"c"}
    marked_all = [u for u in data if u.split == "val"] + examples("f")
    assert inner_validation(marked_all, 0.2, seed=0) == {"c"}


def test_if_all_are_marked_val_some_are_used_for_training():
    data = [replace(u, split="val") for u in examples("abcde" * 3)]
    assert len(inner_validation(data, 0.2, seed=0)) == 1


def test_a_speaker_in_two_parts_of_a_split_is_refused():
    data = [replace(u, split=s) for u, s in zip(examples("ab"), ("test", "train"), strict=True)]
    assert official(data, "test") == {"a"}
    data.append(replace(data[0], split="train"))
    with pytest.raises(CorpusError, match="speaker a is in the official part 'test'"):
        speaker_folds(data, 2)


def test_so_many_folds_that_a_fixed_group_leaves_none_have_no_fixed_group():
    names = [f"s{n:02}" for n in range(10)]
    groups = speaker_folds(examples(names), 10, [names[:4]])
    assert groups == [[name] for name in names]
    assert speaker_folds(examples(names * 2), 3, [names[:4]])[0] == names[:4]
