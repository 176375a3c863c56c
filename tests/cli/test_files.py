"""Recordings that are given to a command: folders, patterns, pipes, unusual names."""

import json
import os
import subprocess
import sys

import pytest
from faults.mistaken import READ, recording
from helpers import DEMO

from affekt.__main__ import run


@pytest.fixture
def predicted(capsys):
    """Run predict, and give its predictions by file and its messages."""

    def predict(*arguments):
        capsys.readouterr()
        code = run(["predict", *map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        found = {}
        for line in out.splitlines():
            found.setdefault(json.loads(line)["file"], []).append(json.loads(line))
        assert (code == 2) == (not found), err
        return found, err

    return predict


def test_a_folder_and_a_pattern_are_predicted_and_what_is_left_out_is_named(
    predicted, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calls").mkdir()
    for name in ("a.wav", "b"):
        (tmp_path / "calls" / name).write_bytes(recording())
    (tmp_path / "calls/notes.txt").write_text("x")
    found, err = predicted("calls")
    assert list(found) == [os.path.join("calls", n) for n in ("a.wav", "b")]  # noqa: PTH118
    assert "1 file left out, not recordings: 1 .txt; the first is notes.txt" in err
    assert list(predicted("calls/*.wav")[0]) == ["calls/a.wav"]
    for wrong, reason in (("*.wav", "no recording matches"), ("nothing", "cannot be opened")):
        found, err = predicted(wrong)
        assert not found
        assert reason in err


def test_names_that_are_not_utf8_are_predicted_and_written(predicted, tmp_path, capsys):
    path = READ["not-utf8"](tmp_path)
    [name] = predicted(path)[0]
    assert name == f"{tmp_path}/\\udcb0\\udca1.wav"
    for suffix in ("csv", "jsonl", "srt", "eaf", "rttm", "TextGrid", "audformat"):
        assert run(["predict", str(path), "--out", str(tmp_path / f"out.{suffix}")]) == 0
    assert run(["embed", str(path), "--out", str(tmp_path / "e.parquet")]) == 0
    assert run(["predict", str(path), "--plot", str(tmp_path / "p.png")]) == 0


def test_a_pipe_is_read_once_also_with_statistics_and_split_channels(predicted, tmp_path):
    found, _ = predicted(READ["fifo"](tmp_path), "--normalisation", "shared")
    assert list(found) == [str(tmp_path / "fifo.wav")]
    (tmp_path / "fifo.wav").unlink()
    assert predicted(READ["fifo"](tmp_path), "--channels", "split")[0]


def test_standard_input_is_a_recording(tmp_path):
    command = f"cat {DEMO[0]} | {sys.executable} -m affekt predict - --json"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["file"] for line in done.stdout.splitlines()} == {"<stdin>"}
    command = f"{sys.executable} -m affekt embed <(cat {DEMO[0]}) --out {tmp_path}/e.parquet"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
