import csv
from collections import Counter

import pytest

from affekt import CorpusError
from affekt.corpora import load_corpus


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
    first, second, _ = corpus.utterances
    assert (first.id, first.gender, first.speaker) == ("a.wav", "f", "s1")
    assert second.label == "Ärger, groß"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([["path", "emotion"], ["a.wav", "joy"]], "no column label, speaker"),
        ([["path", "label", "speaker"], ["a.wav", "", "s"]], "line 2: label is empty"),
        ([["path", "label", "speaker"], ["a.wav", "x"]], "line 2: speaker is empty"),
        ([["path", "label", "speaker"], ["n.wav", "x", "s"]], "1 of 1 files do not exist"),
        (
            [["path", "label", "speaker"], ["a.wav", "x", "s"], ["a.wav", "y", "s"]],
            "line 3: a.wav stands on line 2 too",
        ),
        (
            [["path", "label", "speaker", "split"], ["a.wav", "x", "s", "tset"]],
            "line 2: split 'tset'; use train, val or test",
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
    with pytest.raises(CorpusError, match="does not have: q"):
        load_corpus(path, {"q": "x"})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("emodb:/nowhere/at/all", "not a folder"),
        ("somewhere", "give a manifest CSV"),
        ("casia2:folder", "emodb:FOLDER"),
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
    assert [(u.label, u.speaker, u.gender) for u in corpus.utterances] == [
        ("anger", "03", "male"), ("boredom", "08", "female"), ("sadness", "09", "female"),
        ("fear", "10", "male"), ("neutral", "15", "male"), ("disgust", "16", "female"),
        ("happiness", "16", "female"),
    ]  # fmt: skip
    (tmp_path / "wav" / "notes.txt").write_text("")
    with pytest.raises(CorpusError, match="notes.txt: not a name of EMO-DB"):
        load_corpus(f"emodb:{tmp_path}")


def test_the_real_emodb_has_its_official_counts(emodb):
    corpus = load_corpus(f"emodb:{emodb}")
    assert len(corpus.utterances) == 535
    assert len(corpus.speakers) == 10
    assert Counter(u.label for u in corpus.utterances) == {
        "anger": 127, "boredom": 81, "neutral": 79, "happiness": 71, "fear": 69,
        "sadness": 62, "disgust": 46,
    }  # fmt: skip


def test_what_is_marked_test_is_not_for_training(folder):
    columns = ["path", "label", "speaker", "split"]
    rows = [["a.wav", "x", "s1", "train"], ["b.wav", "y", "s2", ""], ["c d.wav", "y", "s3", "Test"]]
    corpus = load_corpus(str(write(folder / "m.csv", [columns, *rows])))
    assert corpus.speakers == ["s1", "s2", "s3"]
    assert corpus.training().speakers == ["s1", "s2"]
