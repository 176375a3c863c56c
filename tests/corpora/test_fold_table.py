"""Fold tables of other toolkits, matched to a corpus by path."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from affekt import CorpusError
from affekt.corpora.corpus import Corpus
from affekt.corpora.fold_table import with_fold_table
from affekt.corpora.matching import match_paths
from affekt.corpora.registry import load_corpus
from affekt.types import ANONYMOUS, Example


@pytest.fixture(scope="module")
def corpus(manifest):
    return load_corpus(str(manifest))


def ids(examples):
    return {e.id for e in examples}


def by_speaker(corpus, test, val=()):
    part = {**dict.fromkeys(val, "val"), **dict.fromkeys(test, "test")}
    return [(e.id, part.get(e.speaker, "train")) for e in corpus.examples]


def write_csv(path, corpus, folds):
    rows = [(p, n, part) for n, fold in folds.items() for p, part in fold]
    pd.DataFrame(rows, columns=["path", "fold", "part"]).to_csv(path, index=False)
    return path


def write_emobox(folder, folds):
    for number, fold in folds.items():
        (folder / f"fold_{number}").mkdir(parents=True)
        for part in ("train", "test"):
            rows = [
                {"key": p, "wav": f"downloads/x/{p[:-4].upper()}.mp3", "emo": "?"}
                for p, own in fold
                if own == part
            ]
            stem = folder / f"fold_{number}/x_{part}_fold_{number}"
            stem.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, rows)))
            stem.with_name(f"x_{part}_fold{number}.jsonl").write_text('{"older": "name"}')
            stem.with_suffix(".json").write_text(json.dumps({r["key"]: r for r in rows}))
    return folder


def test_a_table_and_emoboxs_folder_give_the_same_folds(corpus, tmp_path):
    folds = {n: by_speaker(corpus, corpus.speakers[2 * n - 2 : 2 * n]) for n in (1, 2, 3)}
    for path in (
        write_csv(tmp_path / "folds.csv", corpus, folds),
        write_emobox(tmp_path / "emobox", folds),
    ):
        divided = with_fold_table(corpus, path)
        assert divided.notes == corpus.notes
        assert [f.test_speakers for f in divided.test_folds()] == [
            corpus.speakers[:2], corpus.speakers[2:4], corpus.speakers[4:]
        ]  # fmt: skip
        for fold in divided.test_folds():
            assert ids(fold.train) | ids(fold.test) == ids(corpus.examples)
            assert not fold.trained_test_speakers
    assert divided.digest() != corpus.digest()


def test_without_parts_a_fold_trains_on_the_test_parts_of_the_others(corpus, tmp_path):
    rows = [(e.id, corpus.speakers.index(e.speaker) // 3) for e in corpus.examples]
    pd.DataFrame(rows, columns=["path", "fold"]).to_csv(tmp_path / "folds.csv", index=False)
    first, second = with_fold_table(corpus, tmp_path / "folds.csv").test_folds()
    assert ids(first.train) == ids(second.test)
    assert first.test_speakers == corpus.speakers[:3]


def test_speakers_in_both_parts_are_noticed_and_missing_clips_counted(corpus, tmp_path):
    fold = [(e.id, "test" if e.id.endswith("_0.wav") else "train") for e in corpus.examples]
    path = write_csv(tmp_path / "leaky.csv", corpus, {1: [*fold, ("elsewhere.wav", "train")]})
    divided = with_fold_table(corpus, path)
    [only] = divided.test_folds()
    assert only.trained_test_speakers == corpus.speakers
    assert divided.notes[-2:] == (
        "1 clip of the fold table not in the corpus",
        f"{len(only.train)} clips of the corpus tested by no fold of the table",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows, (rows[0][0], "test")], "is listed twice"),
        (lambda rows: [(p, "train") for p, _ in rows], "nothing to test"),
        (
            lambda rows: [("x" + p, part) for p, part in rows],
            "no clip of manifest among its 72 rows",
        ),
        (lambda rows: [(p, "pony") for p, _ in rows], "line 2: part 'pony'"),
        (lambda rows: [(rows[0][0], "val"), *rows[1:]], "is also trained on"),
    ],
)
def test_tables_that_cannot_be_evaluated_are_refused(corpus, tmp_path, change, message):
    rows = by_speaker(corpus, corpus.speakers[-2:])
    path = write_csv(tmp_path / "folds.csv", corpus, {1: change(rows)})
    with pytest.raises(CorpusError, match=message):
        with_fold_table(corpus, path)


def test_a_folder_without_folds_and_a_number_of_folds_with_a_table_are_refused(corpus, tmp_path):
    write_emobox(tmp_path / "data/x", {1: by_speaker(corpus, corpus.speakers[-2:])})
    with pytest.raises(CorpusError, match="no EmoBox folds"):  # the folder of all corpora
        with_fold_table(corpus, tmp_path / "data")
    rows = by_speaker(corpus, corpus.speakers[-2:])
    divided = with_fold_table(corpus, write_csv(tmp_path / "folds.csv", corpus, {1: rows}))
    with pytest.raises(CorpusError, match=r"protocol\.folds is 3, but folds prescribes"):
        divided.test_folds(3)


def matched(paths, examples):
    found = match_paths({f"line {n}": path for n, path in enumerate(paths)}, examples)
    return [example and example.id for example in found.values()]


def test_paths_are_matched_below_the_other_tools_folder_and_never_by_chance():
    names = ["ann/happy/1.opus", "ann/sad/1.opus", "ben/happy/1.opus"]
    corpus = Corpus("x", tuple(Example(n, f"/data/x/{n}", "y", n[:3]) for n in names), "")
    theirs = ["dl/x/ann/happy/1.wav", "dl/x/ben/happy/1.wav", "dl/x/eve/happy/1.wav"]
    assert matched(theirs, corpus.examples) == [names[0], names[2], None]
    assert matched(["sad/1"], corpus.examples) == [names[1]]
    with pytest.raises(CorpusError, match="1.wav fits 3 clips"):
        matched(["1.wav"], corpus.examples)
    only = matched(["dl/ann/happy/1.wav", "dl/eve/happy/1.wav"], corpus.examples[:1])
    assert only == [names[0], None]  # "happy/1.wav" of eve is not ann's


PARTS = [
    Example(f"{s}.wav#t={i},{i + 1}", f"/x/{s}.wav", "joy", s, start=i, end=i + 1)
    for s in ("s1", "s2") for i in range(2)
]  # fmt: skip


def parts_of(folder, rows, columns=("file", "start", "end", "fold", "part"), corpus=PARTS):
    pd.DataFrame(rows, columns=columns).to_csv(folder / "folds.csv", index=False)
    return with_fold_table(Corpus("x", tuple(corpus), ""), folder / "folds.csv").test_folds()


def test_parts_of_files_are_matched_by_their_times(tmp_path):
    rows = [("s1.wav", 0, 1, 1, "train"), ("s1.wav", 1, 2.004, 1, "train")]
    rows += [("s2.wav", "0 days 00:00:01", "0 days 00:00:02", 1, "test"), ("s2.wav", 5, 6, 1, "")]
    rows[-1] = (*rows[-1][:4], "test")
    [fold] = parts_of(tmp_path, rows)
    assert [[e.id for e in part] for part in fold] == [
        ["s1.wav#t=0,1", "s1.wav#t=1,2"], [], ["s2.wav#t=1,2"]
    ]  # fmt: skip
    named = [(e.id, "test" if e.speaker == "s2" else "train", 1) for e in PARTS]
    [fold] = parts_of(tmp_path, named, ["path", "part", "fold"])
    assert fold.test == tuple(PARTS[2:])
    with pytest.raises(CorpusError, match="line 2: of s1.wav the corpus has parts only"):
        parts_of(tmp_path, [("s1.wav", 1)], ["path", "fold"])


def test_overlapping_parts_and_files_of_unknown_speakers_are_not_divided(tmp_path):
    overlap = Example("s1.wav#t=0.5,1.5", "/x/s1.wav", "joy", "s3", start=0.5, end=1.5)
    rows = [(e.id, "train", 1) for e in PARTS] + [(overlap.id, "test", 1)]
    with pytest.raises(CorpusError, match="s1.wav#t=0,1 and s1.wav#t=0.5,1.5 overlap"):
        parts_of(tmp_path, rows, ["path", "part", "fold"], [*PARTS, overlap])
    unknown = [replace(e, speaker=ANONYMOUS + e.file) for e in PARTS]
    rows = [(e.id, "test" if e.start else "train", 1) for e in PARTS]
    with pytest.raises(CorpusError, match="parts of s1.wav are in training and test"):
        parts_of(tmp_path, rows, ["path", "part", "fold"], unknown)
