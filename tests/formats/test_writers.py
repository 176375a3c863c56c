"""Every format is read back by a program that is not ours."""

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import pytest
import soundfile
import webvtt
from helpers import DEMO, affekt, spoken
from praatio import textgrid
from pympi import Eaf

from affekt import AffektError
from affekt.__main__ import run
from affekt.audio.decoding import read
from affekt.audio.source import shown
from affekt.cli.target import Target
from affekt.formats.writers import FILE_FOR_ALL, FILE_PER_RECORDING, TEXT_FORMATS, writer

KNOWN = ["anger", "fear"]  # 0.1 and 0.7: arousal 0.1 * 0.59 + 0.7 * 0.6
HOSTILE = '=1+1 "<b>&é\n-->'


@pytest.fixture
def predictions():
    labels = ["anger", HOSTILE, "neutral"]
    return [
        spoken(0.0, "anger", labels), spoken(2.5, HOSTILE, labels),
        spoken(3700.25, "neutral", labels, "no speech"),
    ]  # fmt: skip


TIMES = [(0.0, 1.92), (2.5, 4.42), (3700.25, 3702.17)]


def test_csv_and_its_formulas(predictions):
    rows = list(csv.DictReader(io.StringIO(FILE_FOR_ALL[".csv"](predictions))))
    assert [(float(r["start"]), float(r["end"])) for r in rows] == TIMES
    assert [r["label"] for r in rows] == ["anger", "'" + HOSTILE, "uncertain"]
    assert rows[2]["reason"] == "no speech"
    assert float(rows[1]["prob_" + HOSTILE]) == 0.7
    assert rows[0]["arousal"] == ""  # of a class without a position
    row = next(csv.DictReader(io.StringIO(FILE_FOR_ALL[".csv"]([spoken(0.0, "fear", KNOWN)]))))
    assert (row["arousal"], row["valence"]) == ("0.4790", "-0.4990")
    assert FILE_FOR_ALL[".csv"]([]).startswith("file,channel,speaker,start,end")


def test_json_lines(predictions):
    back = [json.loads(line) for line in FILE_FOR_ALL[".jsonl"](predictions).splitlines()]
    assert back == [p.to_dict() for p in predictions]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_subtitles(suffix, predictions, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_text(FILE_PER_RECORDING[suffix](predictions), "utf-8")
    captions = webvtt.from_srt(path) if suffix == ".srt" else webvtt.read(path)
    times = [(c.start_in_seconds, c.end_in_seconds) for c in captions]
    assert len(captions) == 3
    assert [t for pair in times for t in pair] == [0, 1, 2, 4, 3700, 3702]
    assert captions[0].text == "anger 70%"
    assert captions[2].text == "uncertain"
    if suffix == ".vtt":
        assert "<b>" not in path.read_text("utf-8")


def test_textgrid(predictions, tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(FILE_PER_RECORDING[".textgrid"](predictions), "utf-8")
    grid = textgrid.openTextgrid(path, includeEmptyIntervals=False)
    tier = grid.getTier("utterances")
    assert [(i.start, i.end) for i in tier.entries] == [pytest.approx(t) for t in TIMES]
    assert [i.label for i in tier.entries] == ["anger", HOSTILE, "uncertain"]
    over_time = grid.getTier("over time").entries
    assert len(over_time) == 6
    assert over_time[0].end == pytest.approx(1.2)  # halfway between the second and third centre
    whole = textgrid.openTextgrid(path, includeEmptyIntervals=True).getTier("utterances").entries
    assert [e.start for e in whole[1:]] == [e.end for e in whole[:-1]]


def test_elan(predictions, tmp_path):
    path = tmp_path / "a.eaf"
    path.write_text(FILE_PER_RECORDING[".eaf"](predictions), "utf-8")
    eaf = Eaf(path)
    rows = sorted(eaf.get_annotation_data_for_tier("utterances"))
    assert [(a / 1000, b / 1000) for a, b, *_ in rows] == TIMES
    assert rows[1][2] == HOSTILE.replace("\n", "?")
    assert len(eaf.get_annotation_data_for_tier("over time")) == 6


def test_rttm(predictions):
    lines = [line.split(" ") for line in FILE_FOR_ALL[".rttm"](predictions).splitlines()]
    assert [len(fields) for fields in lines] == [10, 10, 10]
    assert lines[0] == [
        "SPEAKER", "a_call", "1", "0.000", "1.920", "anger", "<NA>", "<NA>", "0.7000", "<NA>",
    ]  # fmt: skip
    told_apart = [replace(predictions[0], speaker="speaker 1")]
    fields = FILE_FOR_ALL[".rttm"](told_apart).split()
    assert fields == [*lines[0][:7], "speaker_1", *lines[0][8:]]


def test_rttm_names_recordings_of_one_stem_apart(predictions):
    files = ["x/a/a b.wav", "x/b/a b.wav", "x/b/a b.mp3", "x/a_b.wav", "x/c d.wav", "x/a/a_b.wav"]
    own = [replace(predictions[0], file=file) for file in files]
    names = [line.split()[1] for line in FILE_FOR_ALL[".rttm"](own).splitlines()]
    assert names == [
        "a/a_b.wav", "b/a_b.wav", "b/a_b.mp3", "a_b.wav", "c_d", "a/a_b.wav-2"
    ]  # fmt: skip


def test_elan_finds_the_recording_and_a_servers_folder_is_not_disclosed(predictions, tmp_path):
    (tmp_path / "my calls").mkdir()
    recording = tmp_path / "my calls/bad\udcff é.wav"
    recording.touch()
    own = [replace(predictions[0], file=shown(recording))]
    write, _ = writer(tmp_path / "out.eaf")
    write(own, tmp_path / "out.eaf")
    [media] = Eaf(tmp_path / "out.eaf").media_descriptors
    assert Path(os.fsdecode(unquote_to_bytes(urlsplit(media["MEDIA_URL"]).path))) == recording
    assert media["RELATIVE_MEDIA_URL"] == "./my%20calls/bad%FF%20%C3%A9.wav"
    for name in ("/etc/passwd", "C:\\calls\\passwd", "passwd"):
        text = TEXT_FORMATS[".eaf"]([replace(predictions[0], file=name)])
        assert 'MEDIA_URL="./passwd" RELATIVE_MEDIA_URL="./passwd"' in text
        assert "file:" not in text


@pytest.mark.parametrize("suffix", [".csv", ".eaf", ".audformat"])
def test_a_failed_predict_leaves_no_file(suffix, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    out = tmp_path / f"new/out{suffix}"
    broken = [str(tmp_path / "broken.wav"), str(tmp_path / "none.wav")]
    assert run(["predict", *broken, "--out", str(out)]) == 2
    assert not out.parent.exists()
    out.parent.mkdir()
    out.write_text("mine")
    assert run(["predict", str(DEMO[0]), "--out", str(out)]) == 2
    assert [p.read_text() for p in out.parent.iterdir()] == ["mine"]
    (tmp_path / "file").touch()
    with pytest.raises(AffektError, match="file is not a folder"):
        Target(tmp_path / f"file/out{suffix}", broken)


def test_utterances_before_an_error_are_not_written(predictions, tmp_path):
    target = Target(tmp_path / "a.csv", ["dir/a call.wav", "b.wav"])
    target.take(predictions[0])
    target.take(replace(predictions[0], file="b.wav"))
    target.drop("dir/a call.wav")
    target.write()
    assert [r["file"] for r in csv.DictReader((tmp_path / "a.csv").open())] == ["b.wav"]


def test_channels_that_were_recognised_separately(predictions, tmp_path):
    apart = [replace(p, channel=1 + i % 2) for i, p in enumerate(predictions)]
    rows = list(csv.DictReader(io.StringIO(FILE_FOR_ALL[".csv"](apart))))
    assert [r["channel"] for r in rows] == ["1", "2", "1"]
    assert [line.split()[2] for line in FILE_FOR_ALL[".rttm"](apart).splitlines()] == [
        "1",
        "2",
        "1",
    ]
    (tmp_path / "a.TextGrid").write_text(FILE_PER_RECORDING[".textgrid"](apart), encoding="utf-8")
    grid = textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=False)
    assert grid.tierNames == (
        "utterances of channel 1", "over time of channel 1",
        "utterances of channel 2", "over time of channel 2",
    )  # fmt: skip
    assert len(grid.getTier("utterances of channel 1").entries) == 2
    (tmp_path / "a.eaf").write_text(FILE_PER_RECORDING[".eaf"](apart), encoding="utf-8")
    assert len(Eaf(tmp_path / "a.eaf").get_tier_names()) == 4
    (tmp_path / "a.srt").write_text(FILE_PER_RECORDING[".srt"](apart), encoding="utf-8")
    assert webvtt.from_srt(tmp_path / "a.srt")[1].text.startswith("[2] ")


def test_audformat(predictions, tmp_path):
    audformat = pytest.importorskip("audformat")
    write, each = writer(tmp_path / "a.audformat")
    assert not each
    write(predictions, tmp_path / "a.audformat")
    back = audformat.Database.load(str(tmp_path / "a.audformat"))
    table = back["utterances"].get()
    assert table["emotion"].tolist() == ["anger", HOSTILE, "uncertain"]
    times = table.index.to_frame()[["start", "end"]] / np.timedelta64(1, "s")
    assert np.allclose(times.to_numpy(), TIMES, atol=1e-3)
    assert len(back["timeline"].get()) == 9
    assert table["arousal"].isna().all()
    write([spoken(0.0, "fear", KNOWN)], tmp_path / "known.audformat")
    known = audformat.Database.load(str(tmp_path / "known.audformat"))["timeline"].get()
    assert known["valence"].tolist() == [-0.499] * 3
    write([replace(p, channel=2) for p in predictions], tmp_path / "b.audformat")
    assert "utterances.channel2" in audformat.Database.load(str(tmp_path / "b.audformat")).tables
    write([], tmp_path / "c.audformat")
    write([*predictions, *predictions], tmp_path / "twice.audformat")
    assert (
        audformat.Database.load(str(tmp_path / "twice.audformat"))["utterances"].get().equals(table)
    )
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_suffix_of_no_format_is_refused(tmp_path):
    with pytest.raises(AffektError, match="one of"):
        writer(tmp_path / "a.doc")


def test_an_undecodable_name_is_escaped_and_audio_warnings_are_printed(tmp_path, capsys):
    odd = tmp_path / "bad\udcff.wav"
    clipped = io.BytesIO()
    soundfile.write(clipped, np.clip(read(DEMO[0]).wave * 30, -1, 1), 16_000, format="wav")
    odd.write_bytes(clipped.getvalue())
    assert run(["predict", str(odd), "--out", str(tmp_path / "a.csv")]) == 0
    assert "bad\\udcff.wav" in (tmp_path / "a.csv").read_text("utf-8")
    assert "clipped" in capsys.readouterr().err


def test_the_command_writes_new_files_only(tmp_path):
    pause = np.zeros(16_000, np.float32)
    waves = [part for file in DEMO * 3 for part in (pause, read(file).wave)]
    soundfile.write(tmp_path / "long.wav", np.concatenate(waves), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    files = [tmp_path / "long.wav", DEMO[0], tmp_path / "broken.wav"]
    done = affekt("predict", *files, "--out", tmp_path / "all.csv")
    assert done.returncode == 2
    assert not done.stdout
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    assert {r["file"] for r in rows} == {str(f) for f in files[:2]}
    again = affekt("predict", DEMO[0], "--out", tmp_path / "all.csv")
    assert again.returncode == 2
    assert "exists" in again.stderr
    done = affekt("predict", *files, "--out", tmp_path / "t.srt")
    assert {p.name for p in tmp_path.glob("*.srt")} == {"t-long.srt", f"t-{DEMO[0].stem}.srt"}
