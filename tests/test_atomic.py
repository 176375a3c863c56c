"""Atomic writes: complete or absent."""

import errno
import json
import os

import pytest

from affekt import AffektError
from affekt.atomic import new_folder, write, write_folder


def fails_halfway(place):
    (place / "a" if place.is_dir() else place).write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "deep" / "x.json"
    write(path, "one")
    with pytest.raises(AffektError, match=r"x\.json: cannot be written: No space left") as caught:
        write(path, fails_halfway)
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_is_complete_or_absent(tmp_path):
    with pytest.raises(AffektError, match="No space left"):
        write_folder(tmp_path / "model", fails_halfway)
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "model", lambda place: (place / "a").write_text("all"))
    assert (tmp_path / "model" / "a").read_text() == "all"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(AffektError, match="not empty"):
        new_folder(tmp_path)
    with pytest.raises(AffektError, match="cannot be written"):
        new_folder(tmp_path / "mine")
    with pytest.raises(AffektError, match="cannot be written"):
        write(tmp_path / "mine" / "x", "")
    assert new_folder(tmp_path / "new" / "er").is_dir()


def test_json_with_a_path_that_is_not_unicode_reads_back_as_it_was(tmp_path):
    name = os.fsdecode(b"\xff.wav")
    write(tmp_path / "a.json", json.dumps({"file": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"file": name}
