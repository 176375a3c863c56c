"""What is a recording, whatever it is called, and what is only mistaken for one."""

import io
import sys

import pytest
from faults.mistaken import READ, REFUSED, recording

from affekt import AudioError
from affekt.audio.decoding import read, split_channels
from affekt.audio.kind import HEAD, is_recording


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_recording_is_called_what_it_is(kind, tmp_path):
    make, reason = REFUSED[kind]
    path = make(tmp_path)
    with pytest.raises(AudioError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("kind", READ)
def test_a_recording_is_read_whatever_it_is_called(kind, tmp_path):
    path = READ[kind](tmp_path)
    assert read(path).seconds == pytest.approx(4.16, abs=0.13)
    assert kind == "fifo" or is_recording(path.read_bytes()[:HEAD])


class Pipe(io.RawIOBase):
    """A binary file that cannot seek, as a socket or a pipe."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(buffer)


def test_a_binary_file_that_cannot_seek_is_read():
    assert read(Pipe(recording())).seconds == pytest.approx(4.16, abs=0.01)
    assert len(split_channels(io.BufferedReader(Pipe(recording())))) == 1


def test_a_text_stream_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recording())))
    with pytest.raises(ValueError, match="opened as text; open it with mode 'rb'"):
        read(sys.stdin)


@pytest.mark.parametrize("data", [recording("MP3"), recording("MP3").replace(b"Xing", b"Xinh")])
def test_no_library_prints_about_an_mp3(data, capfd):
    whole = read(data)
    assert whole.seconds == pytest.approx(4.16, abs=0.13)
    assert whole.warnings == ()
    cut = read(data[: len(data) // 2])
    assert any(w.code == "truncated" for w in cut.warnings) == (b"Xing" in data)
    read(data[:9000] + bytes(3000) + data[12000:] + data)
    assert capfd.readouterr().err == ""
