"""Which files of a folder are recordings."""

import pytest
from faults.mistaken import READ, REFUSED

from affekt import AffektError
from affekt.audio.listing import LeftOut, below_pattern, expand, recordings_below


@pytest.fixture
def folder(tmp_path):
    """Recordings of all names and kinds, with what is mistaken for one and system files."""
    for kind, make in READ.items():
        if kind != "fifo":
            make(tmp_path)
    for name in (".hidden.wav", "Thumbs.db", "__MACOSX/._a.wav", "@eaDir/a.wav", ".git/a.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    for name in [
        "README.txt",
        "labels.csv",
        "speakers.csv",
        "call.pcm",
        "LICENSE",
        "a.md",
        "a.pdf",
    ]:
        (tmp_path / name).write_bytes(b"\x80")
    return tmp_path


def test_a_folder_has_all_recordings_that_predict_reads(folder):
    left_out = LeftOut()
    found = recordings_below(folder, left_out)
    assert len(found) == len(READ) - 1
    assert left_out.note() == (
        "7 files left out, not recordings: 2 .csv, 1 without suffix, 1 .txt, 1 .md, 1 .pdf, "
        "others; the first is LICENSE"
    )
    assert expand([str(folder)], LeftOut()) == [str(path) for path in found]


def test_a_pattern_stands_for_the_recordings_that_match(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert expand(["*.fl*"], LeftOut()) == ["a.flv", "linked.flac"]
    left_out = LeftOut()
    assert expand(["call*"], left_out) == [
        "call", "call-10:30.wav", "call.recording", "call[1]*?.wav"
    ]  # fmt: skip
    assert left_out.note() == "1 file left out, not recordings: 1 .pcm; the first is call.pcm"
    assert expand(["call[1]*?.wav", "none.wav", "-"], LeftOut()) == [
        "call[1]*?.wav", "none.wav", "-"
    ]  # fmt: skip
    assert len(expand(["**"], LeftOut())) == len(READ) - 1
    with pytest.raises(AffektError, match=r"\*\.xyz: no recording matches this pattern"):
        expand(["*.xyz"], LeftOut())


def test_what_cannot_be_read_is_not_left_out_silently(tmp_path):
    with pytest.raises(AffektError, match="no recordings in this folder"):
        expand([str(tmp_path)], LeftOut())
    REFUSED["empty"][0](tmp_path)
    assert recordings_below(tmp_path, LeftOut()) == [tmp_path / "empty.wav"]


@pytest.mark.parametrize(
    ("name", "pattern", "relative"),
    [
        ("/.x/a/b.wav", "/.x", "a/b.wav"),
        ("/.x/a/b.wav", "/.x/*/b*", "a/b.wav"),
        ("call.wav", "call*", "call.wav"),
        ("/.x/b.wav", "/.x/b.wav", "b.wav"),
    ],
)
def test_hidden_folders_above_the_given_one_do_not_matter(name, pattern, relative):
    assert below_pattern(name, pattern) == relative
