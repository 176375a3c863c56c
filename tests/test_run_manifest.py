"""A resumable run continues only with the data, settings and code that it was started with."""

import json
from pathlib import Path

import pytest

from affekt import AffektError
from affekt.run_manifest import RUN, check_same_run, differences, start_or_resume

IDENTITY = {"corpus": {"name": "a", "clips": 3}, "config": {"stage2": {"epochs": 40}, "x": [1, 2]}}


def start(folder, identity=IDENTITY, *, resume=True):
    start_or_resume(folder, identity, "training", resume=resume)


def test_a_run_is_started_and_resumed(tmp_path):
    folder = tmp_path / "out"
    start(folder, resume=False)
    assert json.loads((folder / RUN).read_text()) == IDENTITY
    (folder / "fold").write_text("done")
    start(folder)
    start(folder, {"config": IDENTITY["config"], "corpus": IDENTITY["corpus"]})
    assert (folder / "fold").read_text() == "done"
    with pytest.raises(AffektError, match=r"unfinished training; add --resume"):
        start(folder, resume=False)


def test_a_message_names_what_differs(tmp_path):
    start(tmp_path)
    other = {"corpus": {"name": "b", "clips": 3}, "config": {"stage2": {"epochs": 41}}}
    with pytest.raises(AffektError) as caught:
        start(tmp_path, other)
    assert str(caught.value) == (
        f"{tmp_path}: holds an unfinished training of other data, settings or code (corpus.name "
        "was a, now b; config.stage2.epochs was 40, now 41; config.x was [1, 2], now not set); "
        "delete the folder to start again, or choose another --out"
    )
    assert json.loads((tmp_path / RUN).read_text()) == IDENTITY


def test_what_an_earlier_version_did_not_record_is_unknown():
    old = {"corpus": {"name": "a"}, "versions": {"affekt": "0.1.0"}}
    new = {
        "corpus": {"name": "a", "audio": "1"},
        "versions": {"affekt": "0.2.0", "code": "1"},
        "hashes": {"encoder.weights": "1"},
        "recordings": {"a.wav": "1"},
    }
    assert differences(old, new) == [
        "the content of its audio, weights and code is unknown: affekt 0.1.0 did not record it",
        "versions.affekt was 0.1.0, now 0.2.0",
    ]
    assert differences(new, new) == []
    edited = new | {"versions": {"affekt": "0.2.0", "code": "2"}}
    assert differences(new, edited) == ["the source code of affekt changed"]
    other = new | {"recordings": {"a.wav": "2", "b.wav": "1"}, "hashes": {"encoder.weights": "2"}}
    assert differences(new, other) == [
        "audio changed: 1 of 2 recordings, the first a.wav",
        "audio added: 1 of 2 recordings, the first b.wav",
        "the content of encoder.weights changed",
    ]
    no_list = {k: v for k, v in new.items() if k != "recordings"}
    silent = new | {"corpus": {"name": "a", "audio": "2"}}
    assert differences(no_list, silent) == ["the audio changed"]
    with pytest.raises(AffektError, match=r"or install affekt 0\.1\.0 to finish it"):
        check_same_run(Path("out"), old, new, "run")


def test_long_messages_are_cut(tmp_path):
    start(tmp_path, {str(i): "a" * 99 for i in range(9)})
    with pytest.raises(AffektError, match=r"\.\.\.\); delete") as caught:
        start(tmp_path, {str(i): "b" * 99 for i in range(9)})
    assert len(str(caught.value)) < 700


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(AffektError, match="not empty"):
        start(tmp_path)
    (tmp_path / RUN).write_text("{")
    with pytest.raises(AffektError, match="damaged"):
        start(tmp_path)
