"""The paper's study on folders like its corpora: synthetic voices, real commands."""

import dataclasses
import shutil
import tomllib

import pandas as pd
import pytest
from helpers import ROOT, baum1s

from affekt import AffektError
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.paper.experiments import paper_settings, reproduce, systems_of
from affekt.paper.published import OURS, PUBLISHED
from affekt.paper.report import figures, load_results, write_reproduction
from affekt.paper.tables import tables
from affekt.progress import silent
from affekt.recipe import read_config
from affekt.training.balance import PRESETS

RECIPES = ROOT / "recipes"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    corpus = load_corpus(f"baum1s:{baum1s(tmp_path_factory.mktemp('BAUM1s'))}")
    settings = {"stage1": {"epochs": 1}, "stage2": {"epochs": 1, "hidden": 8}}
    settings["encoder"] = {"width": 0.25}  # a tenth of the time
    config = Config.model_validate({"protocol": {"folds": 2, "seeds": 1}} | settings)
    out = tmp_path_factory.mktemp("study")
    found = reproduce(corpus, [OURS, "mfcc", "majority"], config, out, None, 1, silent)
    return load_results("baum1s", found)


def row(table, name):
    [found] = [r for r in table.rows if r[0].startswith(name)]
    return dict(zip(table.head, found, strict=True))


def test_every_system_runs_under_its_protocols(results):
    assert set(results.ours) == {OURS, "mfcc", "majority"}
    assert set(results.paper_protocol) == {OURS}  # the others have no epoch to choose
    assert results.paper_protocol[OURS].metrics["config"]["protocol"]["paper_protocol"]
    assert not results.ours[OURS].metrics["config"]["protocol"]["paper_protocol"]
    for runs in (results.ours, results.paper_protocol):
        config = runs[OURS].metrics["config"]
        assert (config["encoder"]["name"], config["balance"]["plan"]) == ("vggish", "baum1s")
        assert [run.stage1_epochs for run in runs[OURS].metrics.runs] == [1, 1]  # not VGGish's 12


def test_tables_show_the_papers_numbers_and_ours(results):
    table1, table3, table4, table5, _, beyond, figure4 = tables(results)
    assert [t.title.split(":")[0] for t in (table1, table3, table4, table5, figure4)] == [
        "Table 1", "Table 3", "Table 4", "Table 5", "Figure 4",
    ]  # fmt: skip
    metrics = results.ours[OURS].metrics
    found = row(table4, "VGGish + LSTM + attention")
    assert found["paper"] == "47.27"
    assert found["ours"] == f"{100 * metrics['WA']:.2f}"
    folds = [fold.WA for fold in results.paper_protocol[OURS].metrics.folds]
    assert found["paper_protocol"] == f"{100 * sum(folds) / len(folds):.2f}"
    low, high = (100 * end for end in metrics["ci95"]["WA"])
    where = "no, above" if high < 47.27 else "no, below" if low > 47.27 else "yes"
    assert found["paper inside our 95 % CI"] == where
    assert row(table3, "VGGish + LSTM + attention")["paper inside our 95 % CI"] == "not run"
    assert row(table5, "MFCC")["paper"] == "29.41"
    assert row(beyond, "majority")["paper"] == "–"
    assert row(figure4, "happiness")["paper"] == "64.53"
    assert row(figure4, "fear")["paper"] == "below 40"


def test_segments_are_counted_by_hand(results):
    table1 = tables(results)[0]
    # Fold 1 trains on 3 speakers. Joy is 1.8 s long: one segment at hop 0.96, two ends.
    joy = row(table1, "happiness")
    assert (joy["before, ours"], joy["after, ours"]) == ("3 ≠", "6 ≠")
    assert (joy["before, paper"], joy["after, paper"]) == ("491", "405 †")
    assert any("173 clips" in note for note in table1.notes)
    # Fear is 1.6 s long: starts at 0, 0.24, 0.48 (and at most 0.64).
    fear = row(table1, "fear")
    assert (fear["before, ours"], fear["after, ours"]) == ("3 ≠", "9 ≠")
    assert row(table1, "largest")["before, paper"] == "5.92"


def test_pages_tables_and_pictures_are_written(results, tmp_path):
    assert set(figures(results)) == {"figure2", "figure4", "figure4-paper_protocol"}
    names = {str(p.relative_to(tmp_path)) for p in write_reproduction(results, tmp_path)}
    assert names >= {"figure2.png", "figure4.png", "reproduction.md", "reproduction.html"}
    html = (tmp_path / "reproduction.html").read_text()
    assert "47.27" in html
    for page in (html, (tmp_path / "reproduction.md").read_text()):
        assert "scaled to the same RMS level. The paper names no such step" in page
        assert "test and validation clips are cut every 0.48 s" in page
    assert 'src="http' not in html
    assert "NOT a score on unseen speakers" in html
    markdown = (tmp_path / "reproduction.md").read_text()
    marks = "(incomplete corpus) (random start)"
    title = f"VGGish + LSTM + attention, balance, width 0.25 {marks}"
    assert f"| {title} | 47.27 |" in markdown
    assert "incomplete corpus, of the published clips it has: anger 6 of 56" in markdown
    assert "hop" in markdown
    assert pd.read_csv(tmp_path / "tables" / "table4.csv")["paper"].tolist() == [45.78, 47.27]


@pytest.mark.parametrize("corpus", ["baum1s", "cheavd2"])
def test_the_recipe_is_what_reproduce_runs(corpus):
    recipe = read_config(RECIPES / "paper" / f"{corpus}.toml")
    ours = paper_settings(corpus, OURS, Config(), paper_protocol=False)
    assert recipe.model_dump() == ours.model_dump()
    assert tomllib.loads((RECIPES / "paper" / f"{corpus}.toml").read_text())


@pytest.mark.parametrize("corpus", ["baum1s", "cheavd2"])
def test_the_papers_numbers_are_complete_and_add_up(corpus):
    paper = PUBLISHED[corpus]
    assert set(paper.segments) == set(PRESETS[corpus])
    assert set(paper.impossible) <= set(paper.segments)
    systems_named = [*paper.unbalanced, *paper.balanced, *paper.compared]
    assert set(systems_named) < set(systems_of(corpus))
    before = [b for b, _ in paper.segments.values()]
    after = [a for _, a in paper.segments.values()]
    ratio = {"baum1s": (5.92, 1.69), "cheavd2": (11.18, 2.12)}[corpus]
    assert (max(before) / min(before), max(after) / min(after)) == pytest.approx(ratio, abs=0.01)


def test_weights_of_vggish_reach_vggish_only():
    given = Config.model_validate({"encoder": {"weights": "vggish-10086976.pth"}})
    vggish = paper_settings("baum1s", "vggish-mean", given, paper_protocol=False)
    assert (vggish.encoder.name, vggish.encoder.weights) == ("vggish", "vggish-10086976.pth")
    assert vggish.balance.plan == "none"
    assert paper_settings("baum1s", "default", given, paper_protocol=False).encoder.weights is None


def test_gains_are_differences_of_the_runs_and_of_the_papers_tables(results):
    other = results.ours[OURS]
    metrics = other.metrics.model_copy(update={"WA": other.metrics.WA - 0.1})
    lower = dataclasses.replace(other, metrics=metrics)
    both = {OURS: other, "vggish-mean-balance": lower}
    found = row(tables(dataclasses.replace(results, ours=both))[4], "of attention, with balance")
    assert (found["paper"], found["ours"]) == ("+1.49", "+10.00")
    assert found["p"] == "1.000"  # the same predictions
    assert row(tables(results)[4], "of balance, with attention")["ours"] == "–"


def test_a_later_call_shows_what_an_earlier_one_finished(tmp_path):
    corpus = load_corpus(f"baum1s:{baum1s(tmp_path / 'BAUM1s')}")
    config = Config.model_validate({"protocol": {"folds": 2, "seeds": 1}})
    out = tmp_path / "study"
    for name in ("majority", "length"):
        found = reproduce(corpus, [name], config, out, None, 1, silent)
    assert set(found.ours) == {"majority", "length"}
    assert found.left_out == []
    other = Config.model_validate({"protocol": {"folds": 3, "seeds": 1}})
    with pytest.raises(AffektError, match=r"\(config.protocol.folds was 2, now 3\)"):
        reproduce(corpus, ["length"], other, out, None, 1, silent)
    shutil.rmtree(out / "sound/length")
    found = reproduce(corpus, ["length"], other, out, None, 1, silent)
    assert set(found.ours) == {"length"}
    [reason] = found.left_out
    assert "majority: holds a finished run of other data, settings or code" in reason


def test_our_protocol_never_selects_on_the_test_fold():
    opt_in = Config.model_validate({"protocol": {"paper_protocol": True}})
    assert not paper_settings(
        "baum1s", "mfcc", opt_in, paper_protocol=False
    ).protocol.paper_protocol


def test_a_missing_file_is_an_error_before_any_training(tmp_path):
    corpus = load_corpus(f"baum1s:{baum1s(tmp_path / 'BAUM1s')}")
    config = Config.model_validate({"baselines": {"alexnet": str(tmp_path / "none.pth")}})
    with pytest.raises(AffektError, match="none.pth"):
        reproduce(corpus, ["majority", "alexnet"], config, tmp_path / "s", None, 1, silent)
    assert not (tmp_path / "s").exists()
