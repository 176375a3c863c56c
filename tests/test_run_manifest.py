"""A resumable run continues only with the data, settings and code that it was started with."""

import json

import pytest

from affekt import AffektError
from affekt.run_manifest import RUN, start_or_resume

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
