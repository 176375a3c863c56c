"""Published corpora in their owners' layouts: made by hand, and the real ones where they are."""

from collections import Counter

import openpyxl
import pytest
from helpers import lay_out

from affekt import CorpusError
from affekt.corpora.registry import CORPORA, load_corpus
from affekt.corpora.splits import speaker_folds
from affekt.types import ANONYMOUS

REAL = {  # folder under the corpora, speakers
    "casia": ("casia", 4),
    "emodb": ("emodb", 10),
    "emovo": ("emovo", 6),
    "emospeech-india": ("emospeech_india", 107),
    "nemo": ("nemo", 9),
    "tess": ("tess", 2),
    "turev": ("turev", 6),
    "urdu": ("urdu", 29),
}


@pytest.mark.parametrize(
    ("corpus", "names"),
    [
        (
            "ased",
            {
                "05Angry/a5-06-02-02-60.wav": ("anger", "60", "male"),
                "02Fearful/f2-04-02-01-65.wav": ("fear", "65", "female"),
            },
        ),
        (
            "casia",
            {
                "liuchanhg/angry/201.wav": ("anger", "liuchanhg", "female"),
                "wangzhe/surprise/201.wav": ("surprise", "wangzhe", "male"),
            },
        ),
        (
            "cremad",
            {
                "AudioWAV/1001_DFA_ANG_XX.wav": ("anger", "1001", ""),
                "AudioWAV/1002_IEO_NEU_X.flac": ("neutral", "1002", ""),
            },
        ),
        (
            "emospeech-india",
            {
                "webservice/go-safe-calm-1563256944476-9dd2014cc6e95226.wav": (
                    "calm", "9dd2014cc6e9", "",
                ),
                "webservice/help-scream-fearful-??-3d9d3e0eb86e940e.wav": (
                    "fear", "3d9d3e0eb86e", "",
                ),
            },
        ),
        (
            "emovo",
            {
                "EMOVO/f1/gio-f1-b1.wav": ("happiness", "f1", "female"),
                "EMOVO/m3/rab-m3-n5.wav": ("anger", "m3", "male"),
            },
        ),
        (
            "nemo",
            {
                "samples/EB0_surprised_1.wav": ("surprise", "EB0", "female"),
                "samples/WR0_anger_90.wav": ("anger", "WR0", "male"),
            },
        ),
        (
            "ravdess",
            {
                "Actor_01/03-01-05-01-02-01-01.wav": ("anger", "01", "male"),
                "Actor_24/03-01-08-02-02-01-24.opus": ("surprise", "24", "female"),
            },
        ),
        (
            "tess",
            {
                "OAF_Fear/OA_back_fear.wav": ("fear", "OAF", "female"),
                "YAF_pleasant_surprised/YAF_back_ps.wav": ("surprise", "YAF", "female"),
            },
        ),
        (
            "turev",
            {
                "Sound Source/Calm/1157_sk_acik.wav": ("calm", "1157", ""),
                "Sound Source/Sad/7895_hl_gunes.wav": ("sadness", "7895", ""),
            },
        ),
        (
            "urdu",
            {
                "Angry/SM1_F1_A01.wav": ("anger", "SM1", "male"),
                "Neutral/SF2_F3_N04.wav": ("neutral", "SF2", "female"),
            },
        ),
    ],
)  # fmt: skip
def test_a_folder_in_its_owners_layout(corpus, names, tmp_path):
    lay_out(tmp_path, names)
    (tmp_path / "README.txt").write_text("not a recording")
    (tmp_path / "._hidden.wav").write_bytes(b"")
    read = load_corpus(f"{corpus}:{tmp_path}")
    found = {u.path.rsplit("/", 1)[1]: (u.label, u.speaker, u.gender) for u in read.examples}
    assert found == {name.rsplit("/", 1)[1]: expected for name, expected in names.items()}
    assert read.license
    assert read.folds == CORPORA[corpus].folds

    (tmp_path / next(iter(names)).split("/")[0] / "strange.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"strange.wav: not a file name of .+ such as .+"):
        load_corpus(f"{corpus}:{tmp_path}")


@pytest.mark.parametrize("corpus", [name for name in CORPORA if name not in ("cheavd2",)])
def test_an_empty_folder_is_refused(corpus, tmp_path):
    with pytest.raises(CorpusError, match="below it"):
        load_corpus(f"{corpus}:{tmp_path}")


def test_one_recording_in_two_files_is_refused(tmp_path):
    names = ["03a01Wa.wav", "03a01Wa.opus", "08a01Na.wav"]
    with pytest.raises(
        CorpusError, match=r"03a01Wa.wav is the same recording as .+03a01Wa.opus \(1 such"
    ):
        load_corpus(f"emodb:{lay_out(tmp_path, names)}")


def test_ravdess_songs_are_left_out_and_counted(tmp_path):
    names = ["Actor_01/03-01-05-01-02-01-01.wav", "Actor_02/03-01-01-01-02-01-02.wav"]
    corpus = load_corpus(f"ravdess:{lay_out(tmp_path, [*names, '03-02-05-01-02-01-01.wav'])}")
    assert len(corpus.examples) == 2
    assert corpus.notes[0] == "1 song left out"
    assert corpus.notes[1].startswith("incomplete corpus, of the published clips it has: neutral ")
    assert corpus.incomplete


def test_cremads_table_gives_the_genders(tmp_path):
    lay_out(tmp_path, ["AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_DFA_SAD_XX.wav"])
    table = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,x,y\n1002,21,Female,x,y\n"
    (tmp_path / "VideoDemographics.csv").write_text(table)
    corpus = load_corpus(f"cremad:{tmp_path}")
    assert [u.gender for u in corpus.examples] == ["male", "female"]


@pytest.fixture
def iemocap(tmp_path):
    table = (
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5, 2.5, 2.5]\n"
        "C-E2:\tNeutral;\t()\n"
        "[10.0100 - 11.3925]\tSes01F_impro01_M000\texc\t[2.5, 2.5, 2.5]\n"
        "[14.8872 - 18.0175]\tSes01F_impro01_F001\tfru\t[2.5, 2.5, 2.5]\n"
        "[19.2900 - 20.7875]\tSes01F_impro01_F002\txxx\t[2.5, 2.5, 2.5]\n"
    )
    place = tmp_path / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    place.parent.mkdir(parents=True)
    place.write_text(table)
    turns = ("F000", "M000", "F001", "F002")
    wavs = [f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{t}.wav" for t in turns]
    return lay_out(tmp_path, [*wavs, "Session1/dialog/wav/Ses01F_impro01.wav"])


def test_iemocaps_turns_take_label_and_speaker_from_the_evaluation(iemocap):
    four = load_corpus(f"iemocap:{iemocap}")
    assert [(u.label, u.speaker, u.gender) for u in four.examples] == [
        ("neutral", "Ses01F", "female"),
        ("happiness", "Ses01M", "male"),
    ]
    assert four.notes[0] == "left out: 1 fru, 1 xxx"
    six = load_corpus(f"iemocap6:{iemocap}")
    assert [u.label for u in six.examples] == ["neutral", "excitement", "frustration"]


def test_iemocaps_folds_are_its_sessions(iemocap):
    first = load_corpus(f"iemocap:{iemocap}").examples[0]
    pairs = [[f"Ses0{n}F", f"Ses0{n}M"] for n in range(1, 6)]
    turns = [first.__class__(s, s, "neutral", s) for pair in pairs for s in pair]
    assert speaker_folds(turns, CORPORA["iemocap"].folds) == pairs


def test_a_turn_without_its_recording_is_refused(iemocap):
    (iemocap / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav").unlink()
    with pytest.raises(CorpusError, match="no recording of 1 turn, the first .+_M000"):
        load_corpus(f"iemocap:{iemocap}")


HEADER = ("No", "Subject No", "Gender", "Clip Name", "Emotion", "Emotion Code", "Intensity")
ROWS = [
    (1, 1, "F", "S001_001", "Happiness", 8, 3),
    (2, 1, "F", "s001_002", "Anger", 1, 5),
    (3, 2, "M", "S002_001", "Thinking", 12, 2),
    (4, 2, "M", "S002_002", "Joy", 8, 1),
    (5, 15, "M", "S015_007", "Sadness", 9, 4),
    (6, 15, "M", "S015_008", "Fear", 7, 4),
]


def baum(root, rows, columns=range(7), header=HEADER):
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.active.append([row[c] for c in columns])
    book.save(root / "Annotations_BAUM1s.xlsx")
    clips = [row[3].lower() for row in rows]
    return lay_out(root, [f"BAUM1s_MP4 - All/{c[:4]}/{c.upper()}.mp4" for c in clips])


@pytest.mark.parametrize("columns", [range(7), [6, 5, 4, 3, 2, 1, 0], [3, 5], [1, 3, 0, 5, 6]])
def test_baum1s_finds_its_columns_by_their_contents(columns, tmp_path):
    corpus = load_corpus(f"baum1s:{baum(tmp_path, ROWS, columns)}")
    labels = {u.id: u.label for u in corpus.examples}
    expected = {"S001_001": "happiness", "S001_002": "anger", "S002_002": "happiness"}
    assert labels == expected | {"S015_008": "fear"}
    assert [u.speaker for u in corpus.examples] == ["S001", "S001", "S002", "S015"]
    ambiguous = "left out, because code and name of the emotion disagree: S015_007"
    assert (ambiguous in corpus.notes) == (4 in columns)


def test_baum1s_clip_with_two_labels_is_left_out_and_named(tmp_path):
    again = (7, 1, "F", "S001_001", "Anger", 1, 3)
    corpus = load_corpus(f"baum1s:{baum(tmp_path, [*ROWS, again])}")
    assert "S001_001" not in {u.id for u in corpus.examples}
    assert any("S001_001, S015_007" in note for note in corpus.notes)


def test_baum1s_names_what_is_missing(tmp_path):
    with pytest.raises(CorpusError, match="0 workbooks"):
        load_corpus(f"baum1s:{tmp_path}")
    baum(tmp_path, ROWS)
    other = tmp_path / "sound/S001_002.wav"
    other.parent.mkdir()
    other.write_bytes(b"")
    with pytest.raises(CorpusError, match=r"S001_002.wav is the same recording as .+S001_002.mp4"):
        load_corpus(f"baum1s:{tmp_path}")
    other.unlink()
    (tmp_path / "BAUM1s_MP4 - All/s001/S001_002.mp4").unlink()
    with pytest.raises(CorpusError, match="no file of 1 clip of .+, the first S001_002"):
        load_corpus(f"baum1s:{tmp_path}")
    (tmp_path / "Annotations_BAUM1s.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(CorpusError, match="cannot be read as a workbook"):
        load_corpus(f"baum1s:{tmp_path}")


def test_baum1s_first_fold_is_the_published_one(tmp_path):
    clip = "S{:03d}_001"
    rows = [(n, n, "F", clip.format(n), "Fear", 7, 1) for n in range(1, 32) if n != 5]
    rows.append((99, 1, "F", "S001_002", "Anger", 1, 1))
    corpus = load_corpus(f"baum1s:{baum(tmp_path, rows)}")
    folds = speaker_folds(corpus.examples, corpus.folds, corpus.predefined_folds)
    assert folds[0] == ["S003", "S019", "S020", "S024", "S028", "S029"]
    assert [len(group) for group in folds] == [6] * 5
    assert len({s for group in folds for s in group}) == 30


def cheavd(root, rows):
    (root / "manifest.csv").write_text("path,label,split,speaker\n" + "\n".join(rows) + "\n")
    return lay_out(root, [row.split(",")[0] for row in rows])


def test_cheavd2_in_english_or_chinese_tests_on_the_official_validation_part(tmp_path):
    rows = ["a.wav,生气,train,s1", "b.wav,Neutral,train,s2", "c.wav,worried,val,s3"]
    corpus = load_corpus(f"cheavd2:{cheavd(tmp_path, [*rows, 'd.wav,Sad,test,s4'])}")
    labels = [(u.label, u.split) for u in corpus.examples]
    assert labels == [("anger", "train"), ("neutral", "train"), ("worry", "test")]
    assert corpus.notes[1].startswith("1 clip of the official test part left out")
    assert speaker_folds(corpus.examples, corpus.folds) == [["s3"]]


def test_cheavd2s_closed_test_part_needs_no_labels(tmp_path):
    rows = ["a.wav,Angry,train,s1", "b.wav,Neutral,train,s2", "c.wav,Sad,val,s3", "d.wav,,test,"]
    corpus = load_corpus(f"cheavd2:{cheavd(tmp_path, rows)}")
    assert len(corpus.examples) == 3
    assert any("1 clip of the official test part left out" in note for note in corpus.notes)
    (tmp_path / "manifest.csv").unlink()
    with pytest.raises(CorpusError, match="no manifest.csv; write one with the columns"):
        load_corpus(f"cheavd2:{tmp_path}")


def test_cheavd2_without_speakers_is_evaluated_by_clip_with_a_note(tmp_path):
    rows = ["a.wav,Angry,train,", "b.wav,Neutral,train,", "c.wav,Neutral,val,"]
    corpus = load_corpus(f"cheavd2:{cheavd(tmp_path, rows)}")
    assert speaker_folds(corpus.examples, corpus.folds) == [[ANONYMOUS + "c.wav"]]
    assert corpus.notes[1].startswith("speakers are unknown: every clip counts as a speaker")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("c.wav,Bored,val,s", "unknown labels: Bored"),
        ("c.wav,Sad,,s", r"no split \(train, val\) in 1 row$"),
    ],
)
def test_cheavd2_refuses_unknown_labels_and_missing_splits(row, reason, tmp_path):
    with pytest.raises(CorpusError, match=reason):
        load_corpus(f"cheavd2:{cheavd(tmp_path, ['a.wav,Angry,train,s1', row])}")


@pytest.mark.parametrize("corpus", REAL)
def test_the_real_ones_have_their_official_counts(corpus, emodb):
    folder, speakers = REAL[corpus]
    read = load_corpus(f"{corpus}:{emodb.parent / folder}")
    assert len(read.speakers) == speakers
    if CORPORA[corpus].counts:
        assert Counter(u.label for u in read.examples) == CORPORA[corpus].counts
    assert not read.incomplete
