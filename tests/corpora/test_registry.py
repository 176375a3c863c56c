import csv
import os
from pathlib import Path

import audformat
import pandas as pd
import pytest
from faults.mistaken import recording
from helpers import lay_out

from affekt import CorpusError
from affekt.audio.decoding import read
from affekt.corpora.combine import pool
from affekt.corpora.own_layout import load_layout
from affekt.corpora.registry import load_corpus
from affekt.types import Example


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c d.wav"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_manifest_gives_its_rows(folder):
    path = write(
        folder / "m.csv",
        [
            ["gender", "path", "speaker", "label", "note"],
            ["f", "a.wav", "s1", "joy", "x"],
            ["", "./b.wav", "s2", "Ärger, groß", ""],
            ["m", "c d.wav", "s2", "joy", ""],
        ],
    )
    corpus = load_corpus(str(path), {"joy": "happiness"})
    assert corpus.name == "m"
    assert corpus.labels == ["happiness", "Ärger, groß"]
    first, second, _ = corpus.examples
    assert (first.id, first.gender, first.speaker) == ("a.wav", "f", "s1")
    assert second.label == "Ärger, groß"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([["path", "mood"], ["a.wav", "joy"]], "no column label, speaker"),
        ([["path", "label", "speaker"], ["a.wav", "", "s"]], "line 2: label is empty"),
        ([["path", "label", "speaker"], ["a.wav", "x"]], "line 2: speaker is empty"),
        ([["path", "label", "speaker"], ["n.wav", "x", "s"]], "1 of 1 file missing"),
        (
            [["path", "label", "speaker"], ["a.wav", "x", "s"], ["a.wav", "y", "s"]],
            "line 3: a.wav is listed on line 2 too",
        ),
        (
            [["path", "label", "speaker", "split"], ["a.wav", "x", "s", "tset"]],
            "line 2: unknown split 'tset'; use train, val or test",
        ),
        (
            [["path", "label", "speaker"], ["a.wav", "x", "s"], ["./x/../a.wav", "y", "t"]],
            "line 3: ./x/../a.wav is listed on line 2 too",
        ),
        ([["path", "label", "speaker"]], "no recordings"),
        ([], "it has none"),
        ([["path", "label", "speaker"], ["a.wav", "x", "s"]], "only one class"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_line(folder, rows, reason):
    with pytest.raises(CorpusError, match=reason):
        load_corpus(str(write(folder / "m.csv", rows)))


def test_labels_to_rename_must_exist_and_can_be_left_out(folder):
    rows = [["path", "label", "speaker"], ["a.wav", "x", "s"], ["b.wav", "y", "s"]]
    rows.append(["c d.wav", "z", "s"])
    path = str(write(folder / "m.csv", rows))
    assert load_corpus(path, {"z": ""}).labels == ["x", "y"]
    with pytest.raises(CorpusError, match="does not have the labels to rename: q"):
        load_corpus(path, {"q": "x"})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("emodb:/nowhere/at/all", "not a folder"),
        ("somewhere", "give a manifest"),
        ("casia2:folder", "corpus:FOLDER with one of .+emodb"),
        ("none.csv", "No such file"),
    ],
)
def test_an_unknown_source_is_refused(source, reason):
    with pytest.raises(CorpusError, match=reason):
        load_corpus(source)


def test_emodb_in_its_owners_layout(tmp_path):
    (tmp_path / "wav").mkdir()
    for stem in ("03a01Wa", "08b02Lc", "16a04Fb", "16a04Ea", "10b09Ad", "09a02Tb", "15b03Na"):
        (tmp_path / "wav" / f"{stem}.opus").write_bytes(b"")
    corpus = load_corpus(f"emodb:{tmp_path}")
    assert [(u.label, u.speaker, u.gender) for u in corpus.examples] == [
        ("anger", "03", "male"), ("boredom", "08", "female"), ("sadness", "09", "female"),
        ("fear", "10", "male"), ("neutral", "15", "male"), ("disgust", "16", "female"),
        ("happiness", "16", "female"),
    ]  # fmt: skip
    (tmp_path / "wav" / "notes.wav").write_text("")
    with pytest.raises(CorpusError, match="notes.wav: not a file name of EMO-DB"):
        load_corpus(f"emodb:{tmp_path}")


def test_the_test_part_is_not_used_for_training(folder):
    columns = ["path", "label", "speaker", "split"]
    rows = [["a.wav", "x", "s1", "train"], ["b.wav", "y", "s2", ""], ["c d.wav", "y", "s3", "Test"]]
    corpus = load_corpus(str(write(folder / "m.csv", [columns, *rows])))
    assert corpus.speakers == ["s1", "s2", "s3"]
    assert corpus.training().speakers == ["s1", "s2"]


ROWS = [("a.wav", "x", "s1", "f", "train"), ("b.wav", "y", "s2", "", "test")]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_manifest_gives_the_same_examples_in_every_format(folder, suffix):
    columns = ["file_name", "emotion", "speaker_id", "gender", "split"]
    frame = pd.DataFrame(ROWS, columns=columns)
    path = folder / f"metadata{suffix}"
    {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        ".jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        ".parquet": lambda: frame.replace("", None).to_parquet(path),
    }[suffix]()
    for source in (path, folder):  # the folder is Hugging Face's audiofolder
        read = load_corpus(str(source)).examples
        assert [(u.id, u.label, u.speaker, u.gender, u.split) for u in read] == ROWS


def test_a_broken_table_is_refused(folder):
    for suffix in (".jsonl", ".parquet"):
        (folder / f"m{suffix}").write_text("[1]\n{")
        with pytest.raises(CorpusError, match=f"cannot be read as {suffix[1:].upper()}"):
            load_corpus(str(folder / f"m{suffix}"))


def test_a_folder_for_each_class_and_one_for_each_speaker(tmp_path):
    for name in ("joy/s1/a.wav", "joy/s2/a.wav", "grief/s1/a.flac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    corpus = load_corpus(str(tmp_path))
    assert {(u.label, u.speaker) for u in corpus.examples} == {
        ("joy", "s1"), ("joy", "s2"), ("grief", "s1"),
    }  # fmt: skip
    assert corpus.notes == ()
    (tmp_path / "joy/b.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match="no speaker for 1 of 4 clips, the first joy/b.wav"):
        load_corpus(str(tmp_path))


def test_unknown_speakers_are_noted(tmp_path):
    for name in ("joy/a.wav", "grief/a.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    corpus = load_corpus(str(tmp_path))
    assert len(corpus.speakers) == 2
    assert corpus.notes[0].startswith("speakers are unknown")
    (tmp_path / "c.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match="not CLASS/file"):
        load_corpus(str(tmp_path))


CLIPS = ("joy/s1/a.wav", "joy/s2/a.wav", "grief/s1/a.wav", "grief/s2/b")


@pytest.mark.parametrize(
    ("outer", "further"),
    [
        ("", []),
        ("corpus", ["__MACOSX/corpus/joy/._a.wav", ".DS_Store", "corpus.zip", "README.txt"]),
        ("corpus/corpus", []),
    ],
    ids=["plain", "zip", "doubled"],
)
def test_folders_around_a_corpus_are_passed_and_noted(outer, further, tmp_path):
    for name in (*(f"{outer}/{clip}" for clip in CLIPS), *further):
        lay_out(tmp_path / "given", [name.lstrip("/")])
    (tmp_path / "given" / outer / "grief/s2/b").write_bytes(recording())
    lay_out(tmp_path / "given" / outer, ["notes.txt"])
    corpus = load_corpus(f"{tmp_path}/given")
    assert {(e.id, e.label, e.speaker) for e in corpus.examples} == {
        (clip, *clip.split("/")[:2]) for clip in CLIPS
    }
    assert corpus.name == "given"
    *notes, last = corpus.notes
    assert last == "1 file left out, not recordings: 1 .txt; the first is notes.txt"
    inner = f"{tmp_path}/given/{outer}"
    assert notes == ([f"read from the only folder in the one given: {inner}"] if outer else [])


def test_a_folder_that_may_be_a_class_or_a_corpus_is_refused_unless_it_is_doubled(tmp_path):
    lay_out(tmp_path / "mine/corpus", ["joy/a.wav", "grief/b.wav"])
    with pytest.raises(CorpusError, match=f"if its folders are .* give {tmp_path}/mine/corpus"):
        load_corpus(f"{tmp_path}/mine")
    (tmp_path / "mine").rename(tmp_path / "corpus")
    assert load_corpus(f"{tmp_path}/corpus").labels == ["grief", "joy"]


def test_a_published_corpus_and_an_own_layout_are_found_in_the_folder_of_their_archive(tmp_path):
    names = [f"{speaker}a01{code}a.wav" for speaker in ("03", "08") for code in "WF"]
    lay_out(tmp_path / "given/emodb/wav", names)
    corpus = load_corpus(f"emodb:{tmp_path}/given")
    assert len(corpus.examples) == 4

    def only_wav(root):
        return [Example(p.name, str(p), p.stem[5], p.name[:2]) for p in root.glob("wav/*.wav")]

    own = load_layout(only_wav, tmp_path / "given")
    assert len(own.examples) == 4
    assert own.notes[0].endswith("given/emodb")


def test_names_of_a_class_folder_need_not_be_utf8(tmp_path):
    tmp_path /= os.fsdecode(b"\xff")
    for name in (b"\xcf\xb2/s1/\xb0.wav", b"joy/s1/a.wav"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.parent.mkdir(parents=True)
        path.write_bytes(recording())
    corpus = load_corpus(str(tmp_path))
    corpus.name.encode()
    for example in corpus.examples:
        (example.id + example.label).encode()
        assert read(example.path).seconds > 4


def test_audformat_with_speakers_in_a_table_of_their_own(folder):
    database = audformat.Database("db")
    database.schemes["emotion"] = audformat.Scheme(labels=["joy", "grief"])
    people = {"s1": {"gender": "female"}, "s2": {"gender": "male"}}
    database.schemes["speaker"] = audformat.Scheme(labels=people)
    database.splits["test"] = audformat.Split("test")
    files = ["a.wav", "b.wav"]
    database["files"] = audformat.Table(audformat.filewise_index(files))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set(["s1", "s2"])
    for name, split in (("a.wav", None), ("b.wav", "test")):
        table = audformat.Table(audformat.filewise_index([name]), split_id=split)
        database[f"emotion.{name[0]}"] = table
        table["emotion"] = audformat.Column(scheme_id="emotion")
        table["emotion"].set(["joy" if split else "grief"])
    database.save(str(folder))
    corpus = load_corpus(str(folder))
    assert {(u.id, u.label, u.speaker, u.gender, u.split) for u in corpus.examples} == {
        ("a.wav", "grief", "s1", "female", ""), ("b.wav", "joy", "s2", "male", "test"),
    }  # fmt: skip
    database.splits["train"] = audformat.Split("train")
    database["again"] = audformat.Table(audformat.filewise_index(["b.wav"]), split_id="train")
    database["again"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["again"]["emotion"].set(["joy"])
    database.save(str(folder / "contradictory"))
    with pytest.raises(CorpusError, match="b.wav is in two splits: test and train"):
        load_corpus(str(folder / "contradictory"))
    (folder / "b.wav").unlink()
    with pytest.raises(CorpusError, match="1 file missing, the first b.wav"):
        load_corpus(str(folder))


def test_a_loaded_corpus_is_a_source_too(manifest):
    corpus = load_corpus(str(manifest))
    assert load_corpus(corpus) == corpus
    assert load_corpus(manifest) == corpus
    assert load_corpus(corpus, {"anger": ""}).labels == ["neutral", "sadness"]
    assert pool([corpus], {}) == corpus
    with pytest.raises(CorpusError, match="manifest: does not have the labels to rename: joy"):
        load_corpus(corpus, {"joy": "happiness"})


def test_the_nearest_corpus_is_suggested(tmp_path):
    with pytest.raises(CorpusError, match=f"did you mean emodb:{tmp_path}"):
        load_corpus(f"emobd:{tmp_path}")
