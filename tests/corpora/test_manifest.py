"""Manifests as people have them: exports of spreadsheets and pandas, odd labels, parts of files."""

import audformat
import numpy as np
import pandas as pd
import pytest
import soundfile

from affekt import AudioError, CorpusError
from affekt.corpora.combine import pool
from affekt.corpora.parts import seconds
from affekt.corpora.registry import load_corpus
from affekt.training.clips import held_out_units, inner_split, load_clips

ROWS = [("a.wav", "joy", "s1"), ("wav/b.wav", "größer", "s2")]
COLUMNS = ["path", "label", "speaker"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wav").mkdir()
    for number, (name, *_) in enumerate(ROWS, 1):
        wave = np.arange(4 * 8000) / 8000 / 10 * number
        soundfile.write(tmp_path / name, wave, 8000, "FLOAT")
    return tmp_path


def csv(rows=ROWS, columns=COLUMNS, delimiter=",", encoding="utf-8"):
    lines = [delimiter.join(map(str, row)) for row in [columns, *rows]]
    return ("\r\n".join(lines) + "\r\n").encode(encoding)


def load(folder, data, name="m.csv", labels=None):
    (folder / name).write_bytes(data)
    return load_corpus(folder / name, labels)


def test_the_index_of_pandas_fills_no_column(folder):
    frame = pd.DataFrame(ROWS, columns=COLUMNS)
    frame.to_csv(folder / "m.csv")
    [first, second] = load_corpus(folder / "m.csv").examples
    assert (first.gender, first.split, first.text, second.text) == ("", "", "", "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.csv", csv(delimiter=";")),
        ("m.csv", b"sep=;\r\n" + csv(delimiter=";")),
        ("m.csv", csv(delimiter="\t", encoding="utf-16")),
        ("m.csv", csv(encoding="utf-8-sig", columns=["Path", " LABEL ", "Speaker ID"])),
        ("m.tsv", csv(delimiter="\t")),
        ("m.csv", csv([(p.replace("/", "\\"), *rest) for p, *rest in ROWS])),
        ("m.csv", csv([*ROWS, ("", "", "")])),
    ],
)
def test_exports_of_spreadsheets_are_read(folder, name, data):
    corpus = load(folder, data, name)
    assert [(e.id, e.label, e.speaker) for e in corpus.examples] == ROWS
    assert corpus.notes == ()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("m.csv", csv(encoding="cp1252"), r"line 3 is not UTF-8 \(byte 0xf6\).+Save As, CSV UTF-8"),
        ("m.xlsx", b"PK\x03\x04", "a spreadsheet; save it as CSV"),
        ("m.csv", b"PK\x03\x04", "a spreadsheet; save it as CSV"),
        ("m.csv", csv([("C:\\x\\a.wav", "joy", "s1")]), "make paths relative to the table"),
        ("m.csv", csv([("a.wav", "joy", "s1", "surplus")]), "line 2 has 4 cells, the header 3"),
        ("m.csv", csv(columns=["path", "label", "Label "]), "2 columns are named label"),
        ("m.csv", csv([(*r, i) for i, r in enumerate(ROWS)], [*COLUMNS, "emotion"]),
         "line 2: the columns label and emotion differ"),
        ("m.csv", csv([("a.wav", x, "s") for x in ("", "nan", "joy", "NaN")]),
         "lines 2, 3, 5: label is empty"),
        ("m.csv", csv([("a.wav", "0", "s1"), ("wav/b.wav", "1.0", "s2")]),
         r"labels are numbers \(0, 1\).+by --labels.0 NAME"),
        ("m.csv", csv([("a.wav", "Happy", "s"), ("wav/b.wav", "happy", "s")]),
         r"differ only in case or blanks: 'Happy' \(1\), 'happy' \(1\)"),
    ],
)  # fmt: skip
def test_what_would_be_a_guess_is_refused_with_the_remedy(folder, name, data, reason):
    with pytest.raises(CorpusError, match=reason):
        load(folder, data, name)


def test_numbers_can_be_named_and_blanks_are_noted(folder):
    rows = [("a.wav", 0.0, "s1"), ("wav/b.wav", 1.0, "s2")]
    names = {"0": "joy", "1": "grief"}
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(folder / "m.parquet")
    assert load_corpus(folder / "m.parquet", names).labels == ["grief", "joy"]
    other = load(folder, csv([("a.wav", "joy ", "s1"), ("wav/b.wav", "grief", "s2")]))
    assert other.notes == ("m.csv: blanks around the label ignored in 1 row",)
    (folder / "m.csv").rename(folder / "n.csv")
    pooled = pool([folder / "m.parquet", folder / "n.csv"], names)
    assert pooled.labels == ["grief", "joy"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.5", 1.5), ("1,5", 1.5), (2, 2.0), ("0 days 00:00:01.500000", 1.5), ("00:01:02", 62.0),
        ("1 day, 0:00:01", 86401.0), (pd.Timedelta("1.5s"), 1.5), (pd.NaT, None), ("NaT", None),
        ("", None), (float("nan"), None), ("01:02.5", 62.5),
    ],
)  # fmt: skip
def test_times(value, expected):
    assert seconds(value) == expected


PARTS = [
    ("a.wav", 0, 1.5, "joy", "s1"), ("a.wav", "1.5", "2.5", "grief", "s1"),
    ("./a.wav", "0 days 00:00:02.5", "NaT", "joy", "s1"), ("wav/b.wav", "", "", "joy", "s2"),
]  # fmt: skip
PART_COLUMNS = ["file", "start", "end", "emotion", "speaker"]


def parts(folder, rows=PARTS):
    return load(folder, csv(rows, PART_COLUMNS))


def test_parts_of_files_are_examples(folder):
    corpus = parts(folder)
    ids = [e.id for e in corpus.examples]
    assert ids == ["a.wav#t=0,1.5", "a.wav#t=1.5,2.5", "./a.wav#t=2.5", "wav/b.wav"]
    clips = load_clips(corpus.examples)
    assert [c.seconds for c in clips] == [1.5, 1.0, 1.5, 4.0]
    assert [round(float(c.recording.wave[8000]), 2) for c in clips] == [0.05, 0.2, 0.3, 0.1]
    assert clips[1].recording.name == str(folder / "a.wav#t=1.5,2.5")
    moved = parts(folder, [PARTS[0], ("a.wav", "1.6", "2.5", "grief", "s1"), *PARTS[2:]])
    assert moved.digest() != corpus.digest()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("a.wav", 3, 3, "joy", "s1"), "m.csv, line 2: end 3 s is not after start 3 s"),
        (("a.wav", -1, 3, "joy", "s1"), "m.csv, line 2: start -1 s is before the beginning"),
        (("a.wav", "soon", 3, "joy", "s1"), "line 2: start 'soon' or end '3' is not a time"),
        (("a.wav", 1.5, 2.5, "joy", "s1"), "line 3: a.wav#t=1.5,2.5 is listed on line 2 too"),
        (("a.wav", 3, 5, "joy", "s1"), "m.csv, line 2: end 5 s is beyond the end of .+a.wav"),
        (("a.wav", 4, "", "joy", "s1"), "m.csv, line 2: start 4 s is beyond the end of .+a.wav"),
        (("a.wav", 0, 2, "joy", "s1"), "line 3: a.wav#t=1.5,2.5 overlaps a.wav#t=0,2, with the "
         "labels 'joy' and 'grief'"),
        (("a.wav", 1.7, 2, "grief", "s2"), "with the speakers 's1' and 's2'"),
    ],
)  # fmt: skip
def test_wrong_parts_are_refused_with_their_row(folder, row, reason):
    with pytest.raises((CorpusError, AudioError), match=reason):
        load_clips(parts(folder, [row, PARTS[1], PARTS[3]]).examples)


def test_one_of_start_and_end_is_refused(folder):
    with pytest.raises(CorpusError, match="of start and end only one"):
        load(folder, csv([(*r, 1) for r in ROWS], [*COLUMNS, "start"]))


def test_a_segmented_table_of_audformat_and_parts_of_unknown_speakers(folder):
    database = audformat.Database("db")
    database.schemes["emotion"] = audformat.Scheme(labels=["joy", "grief"])
    database.schemes["speaker"] = audformat.Scheme("str")
    index = audformat.segmented_index(["a.wav", "a.wav"], ["0s", "2.5s"], ["2.5s", pd.NaT])
    database["emotion"] = audformat.Table(index)
    database["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set(["joy", "grief"])
    database["emotion"]["speaker"] = audformat.Column(scheme_id="speaker")
    database.save(str(folder))
    corpus = load_corpus(folder)
    database["emotion"]["emotion"].set(["joy", None])
    (folder / "unlabelled").mkdir()
    database.save(str(folder / "unlabelled"))
    with pytest.raises(CorpusError, match="no label in 1 row of the scheme emotion, the first a"):
        load_corpus(folder / "unlabelled")
    assert [e.id for e in corpus.examples] == ["a.wav#t=0,2.5", "a.wav#t=2.5"]
    assert len(corpus.speakers) == 1
    assert "every file counts as a speaker" in corpus.notes[0]


def test_overlapping_parts_are_never_divided(folder):
    rows = [("a.wav", i / 4, i / 4 + 0.5, "joy", "s1") for i in range(4)]
    rows += [("wav/b.wav", i, i + 1, "joy", "s1") for i in range(2)]
    rows += [("wav/b.wav", i, i + 1, "grief", "s1") for i in (2, 3)]
    clips = load_clips(parts(folder, rows).examples)
    for seed in range(4):
        _, validation = inner_split(clips, 0.3, seed)
        assert sum(c.example.file == "a.wav" for c in validation) in (0, 4)
    assert {u for c, u in zip(clips, held_out_units(clips), strict=True) if c.label == "joy"} == {
        "0", "4", "5",
    }  # fmt: skip
