"""metrics.json of every earlier version is read, and written again without a change of a number."""

import json
from pathlib import Path

import pytest

from affekt import AffektError
from affekt.renamed_settings import renamed_keys
from affekt.run_result import load_run_result, to_text

RESULTS = sorted((Path(__file__).parents[1] / "results").rglob("metrics.json"))


def test_there_are_old_results():
    assert len(RESULTS) > 50


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: "-".join(p.parts[-4:-1]))
def test_old_results_are_read_and_written_again_equal(path):
    old = json.loads(path.read_text("utf-8"))
    old["config"] = renamed_keys(old["config"])[0]
    result = load_run_result(path)
    assert json.loads(to_text(result)) == old
    assert result.settings.protocol.seeds == old["seeds"]
    assert result.corpus.license == old["corpus"]["terms"]


def test_a_folder_is_read_as_its_file():
    assert load_run_result(RESULTS[0].parent) == load_run_result(RESULTS[0])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"UAR": "high"}'])
def test_something_else_is_refused(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(AffektError, match=r"metrics\.json.*not a metrics\.json of affekt evaluate"):
        load_run_result(tmp_path)


def test_no_file(tmp_path):
    with pytest.raises(AffektError, match=r"metrics\.json"):
        load_run_result(tmp_path / "metrics.json")
