"""What standardises the utterances of a recording: its own speech, and that of each voice in it."""

import csv
import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import DEMO, affekt

from affekt import AffektError, AudioError
from affekt.audio.decoding import read
from affekt.audio.recording import make_recording
from affekt.errors import RenamedWarning
from affekt.formats.writers import TEXT_FORMATS, database
from affekt.inference.normalisation import NormalisationStatistics
from affekt.inference.pipeline import shared_statistics
from affekt.inference.recognizer import Recognizer, load
from affekt.inference.speaker_statistics import with_speakers
from affekt.inference.utterances import encode_utterances
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer():
    return load()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The demo recordings one after the other, with pauses of a second."""
    pause = np.zeros(RATE, np.float32)
    waves = [part for path in DEMO * 2 for part in (read(path).wave, pause)]
    path = tmp_path_factory.mktemp("spoken") / "long.wav"
    soundfile.write(path, np.concatenate(waves), RATE)
    return path


class Conversation:
    """Two speakers of EMO-DB in turns, each in four emotions."""

    def __init__(self, emodb, path):
        names = ["03a01Fa", "08a01Na", "03a01Nc", "08a01Wa"]
        names += ["03b01Td", "08b02Tc", "03a01Wa", "08a01Fd"]
        files = [next(emodb.rglob(f"{name}.wav")) for name in names]
        waves = [soundfile.read(file, dtype="float32")[0] for file in files]
        pause = np.zeros(RATE, np.float32)
        self.path = path
        self.ends = np.cumsum([len(wave) + RATE for wave in waves]) / RATE
        soundfile.write(path, np.concatenate([part for w in waves for part in (w, pause)]), RATE)

    def speakers(self, starts):
        """Who speaks in utterances that start at these times."""
        turns = np.searchsorted(self.ends, np.array(starts) + 0.3)  # they begin in a pause
        return [f"speaker {1 + turn % 2}" for turn in turns]


@pytest.fixture(scope="module")
def conversation(emodb, tmp_path_factory):
    return Conversation(emodb, tmp_path_factory.mktemp("talk") / "talk.wav")


def segments_behind(predictions):
    return [p.normalisation_segments for p in predictions]


def test_every_utterance_is_standardised_by_the_whole_recording(recognizer, file):
    whole = list(recognizer.utterances(file))
    expected = recognizer.statistics_of(
        u.encoded for [own] in [encode_utterances(recognizer, [read(file)])] for u in own
    )
    assert set(segments_behind(whole)) == {expected.segments}
    given = list(recognizer.utterances(file, normalisation=expected))
    for one, other in zip(whole, given, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=0.02)
    plain = list(recognizer.utterances(file, normalisation="none"))
    assert set(segments_behind(plain)) == {0}
    assert plain[0].probabilities != pytest.approx(whole[0].probabilities, abs=0.02)


def test_after_the_lookahead_statistics_grow_with_each_utterance(recognizer, file):
    live = segments_behind(recognizer.utterances(file, lookahead=0))
    assert live == sorted(set(live))
    some = segments_behind(recognizer.utterances(file, lookahead=8))
    first = some.count(some[0])
    assert 1 < first < len(some)
    assert some[first - 1 :] == live[first - 1 :]


def test_utterances_before_an_error_come_first(recognizer):
    [utterances] = encode_utterances(recognizer, [read(DEMO[0])])

    def broken():
        yield from utterances
        raise AudioError("damaged")

    found = with_speakers(recognizer, broken())
    for _ in utterances:
        assert next(found).statistics.segments > 0
    with pytest.raises(AudioError, match="damaged"):
        next(found)


def test_a_model_without_linear_classifier_is_not_normalised_unless_statistics_are_given():
    checkpoint = load_checkpoint(model_folder("default"))
    checkpoint.model.linear.weight.zero_()
    old = Recognizer(checkpoint)
    assert old(DEMO[0]).normalisation_segments == 0
    statistics = old.statistics_of(old.encode([read(DEMO[0])]))
    assert old(DEMO[0], normalisation=statistics).normalisation_segments > 0


def test_shared_statistics_are_of_all_recordings(recognizer):
    together = recognizer(DEMO, normalisation="shared")
    total = sum(recognizer(path).normalisation_segments for path in DEMO)
    assert segments_behind(together) == [total] * len(DEMO)
    sources = [("", partial(str, path)) for path in DEMO]
    assert shared_statistics(recognizer, sources).segments == total
    alone = recognizer(DEMO[0], normalisation="shared")
    assert alone.normalisation_segments == recognizer(DEMO[0]).normalisation_segments


def test_old_names_of_python_warn_and_work(recognizer, file):
    with pytest.warns(RenamedWarning, match="lookahead=0"):
        old = segments_behind(recognizer.utterances(file, learn=True))
    assert old == segments_behind(recognizer.utterances(file, lookahead=0))


def test_the_option_of_the_command(tmp_path):
    done = affekt("predict", *DEMO, "--json", "--normalisation", "auto")
    assert "--normalisation auto is now shared" in done.stderr
    told = [json.loads(line)["normalisation_segments"] for line in done.stdout.splitlines()]
    assert len(set(told)) == 1
    wrong = affekt("predict", DEMO[0], "--normalisation", "speakers")
    assert wrong.returncode == 2
    assert "choose speaker, shared, none, or a file" in wrong.stderr


def test_voices_are_told_apart_and_named(recognizer, conversation):
    found = list(recognizer.utterances(conversation.path, speakers="auto"))
    expected = conversation.speakers([p.start for p in found])
    assert [p.speaker for p in found] == expected
    assert recognizer(conversation.path, speakers=2).speaker == ""
    whole = recognizer(conversation.path).utterances
    assert {p.speaker for p in whole} == {""}
    assert found[0].probabilities != pytest.approx(whole[0].probabilities, abs=1e-4)
    plain = list(recognizer.utterances(conversation.path, speakers=2, normalisation="none"))
    assert [p.speaker for p in plain] == expected
    assert set(segments_behind(plain)) == {0}


def test_later_utterances_go_to_the_voices_of_the_first(recognizer, conversation):
    found = list(recognizer.utterances(conversation.path, speakers=2, lookahead=8))
    assert [p.speaker for p in found] == conversation.speakers([p.start for p in found])
    growing = segments_behind(found)
    assert growing[0] < growing[-1]


def test_absurd_numbers_of_speakers_are_refused(recognizer):
    for speakers in (0, 21):
        with pytest.raises(ValueError, match=f"speakers is {speakers}; it must be 1 to 20"):
            recognizer(DEMO[0], speakers=speakers)
    for speakers in ("0", "21"):
        done = affekt("predict", DEMO[0], "--speakers", speakers)
        assert done.returncode == 2
        assert "from 1 to 20, or auto" in done.stderr
    done = affekt("batch", DEMO[0].parent, "--out", "never", "--speakers", "21")
    assert (done.returncode, "from 1 to 20, auto or column" in done.stderr) == (2, True)


def test_every_format_names_the_speaker(recognizer, conversation, tmp_path):
    found = list(recognizer.utterances(conversation.path, speakers="auto"))
    for write in TEXT_FORMATS.values():
        text = write(found)
        assert "speaker 2" in text or "speaker_2" in text
    database(found, tmp_path / "out.audformat")
    tables = [pd.read_csv(p) for p in (tmp_path / "out.audformat").glob("db.*.csv")]
    tables += [pd.read_parquet(p) for p in (tmp_path / "out.audformat").glob("db.*.parquet")]
    assert tables
    assert all(set(t["speaker"]) == {"speaker 1", "speaker 2"} for t in tables)


def test_the_command_writes_and_draws_the_speakers(conversation, tmp_path):
    target, plot = tmp_path / "out.csv", tmp_path / "p.png"
    done = affekt("predict", conversation.path, "--speakers", "auto", "--out", target)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(target.open()))
    expected = conversation.speakers([float(row["start"]) for row in rows])
    assert [row["speaker"] for row in rows] == expected
    drawn = affekt("predict", conversation.path, "--speakers", "2", "--plot", plot)
    assert drawn.returncode == 0, drawn.stderr
    assert "speaker 2" in drawn.stdout


def test_the_speakers_of_a_table_share_their_statistics_in_batch(recognizer, tmp_path):
    for number, path in enumerate(DEMO):
        soundfile.write(tmp_path / f"{number}.wav", read(path).wave, RATE)
    table = "file,speaker\n0.wav,b\n1.wav,a\n2.wav,b\n"
    (tmp_path / "table.csv").write_text(table)
    done = affekt("batch", tmp_path / "table.csv", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "out/files")
    assert rows["speaker"].tolist() == ["a", "b", "b"]
    files = [tmp_path / name for name in ("1.wav", "0.wav", "2.wav")]
    expected = [recognizer(files[0]), *recognizer(files[1:], normalisation="shared")]
    for row, one in zip(rows.to_dict("records"), expected, strict=True):
        assert row["confidence"] == pytest.approx(one.confidence, abs=0.02)
        assert row["label"] == one.label
    assert set(pd.read_parquet(tmp_path / "out/segments")["speaker"]) == {"a", "b"}
    resumed = affekt("batch", tmp_path / "table.csv", "--out", tmp_path / "out", "--resume",
                     "--speakers", "auto")  # fmt: skip
    assert resumed.returncode == 2
    assert "speakers" in resumed.stderr


def test_statistics_of_another_encoder_are_refused(recognizer):
    other = NormalisationStatistics.unknown("another", 1024)
    with pytest.raises(AffektError, match="another encoder"):
        recognizer(make_recording("", read(DEMO[0]).wave), normalisation=other)
