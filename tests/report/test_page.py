"""The page of a study, also with hostile names, and the commands study and report."""

import dataclasses
import io
import itertools
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from helpers import affekt, settings

from affekt import AffektError
from affekt.audio.segmentation import to_seconds
from affekt.evaluation.results import Run, by_gender, compare, load_run, with_marks
from affekt.report.figures import charts
from affekt.report.i18n import TEXT
from affekt.report.page import study_page
from affekt.run_result import RunResult, load_run_result
from affekt.training.balance import TIERS, cut
from affekt.types import ClassBalance

HOSTILE = '<script>alert("x")</script>|=1'


def run(name, predicted, labels=("a", HOSTILE), seeds=2):
    """A run over four clips of two speakers with these predictions."""
    targets = [labels[0], labels[1]] * 2
    rows = [
        (f"u{i}", f"s{i // 2}", 0, seed, targets[i], predicted[i], 0.5, 0.5)
        for seed in range(seeds)
        for i in range(4)
    ]
    columns = ["utterance", "speaker", "fold", "seed", "label", "predicted"]
    columns += [f"prob_{label}" for label in labels]
    table = pd.DataFrame(rows, columns=columns)
    from affekt.evaluation.runner import measure

    metrics = measure(table, list(labels))
    metrics |= {
        "majority": 0.5, "title": f"=system {HOSTILE}", "notes": [HOSTILE], "protocol": HOSTILE,
        "config": {"intended_use": HOSTILE}, "versions": {},
        "gender": {"s0": "female", "s1": "male"},
        "corpus": {"name": HOSTILE, "clips": 4, "speakers": 2, "labels": {HOSTILE: 2},
                   "terms": HOSTILE},
    }  # fmt: skip
    curve = {"loss": [1.0, 0.5], "validation_loss": [1.0, 0.9], "validation_UAR": [0.5, 0.6]}
    row = {"label": HOSTILE, "rule": "hop 0.48 s", "clips": 2, "before": 2, "after": 4,
           "median_seconds": 2.0, "starts": [0.0, 0.48]}  # fmt: skip
    metrics["runs"] = [{"curves": {"stage 1": curve}, "balance": [row]}]
    return Run(name, RunResult.model_validate(metrics), table)


@pytest.fixture(scope="module")
def pair():
    labels = ("a", HOSTILE)
    return [run("good", [labels[i % 2] for i in range(4)]), run("bad", [labels[0]] * 4)]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_needs_nothing_else_and_runs_nothing(pair, language):
    page = study_page(pair, language)
    tags = Tags()
    tags.feed(page.html)
    assert "script" not in tags.seen
    assert tags.seen.count("img") == 8  # confusion, risk, curves and balance of two runs
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert "&lt;script&gt;" in page.html
    assert "<script" not in page.markdown
    tables = re.findall(r"(?:^\|.*\n)+", page.markdown, re.MULTILINE)
    bars = [[len(re.findall(r"(?<!\\)\|", row)) for row in t.splitlines()] for t in tables]
    assert bars == [[7] * 4, [5] * 3]  # scores of two runs, one comparison
    assert "'=system" in page.csv
    assert page.csv.count("\n") == 3


def test_the_best_system_comes_first_with_its_numbers(pair):
    page = study_page(pair[::-1])
    first, second = [line for line in page.markdown.splitlines() if "system &lt;script" in line][:2]
    assert "1.000 ± 0.000 [1.000, 1.000] | 1.000" in first
    assert "0.500" in second
    [comparison] = compare(pair)
    assert comparison.difference == pytest.approx(0.5)
    assert comparison.p == pytest.approx(0.5)  # two speakers: 2 of 4 permutations


def test_genders_have_their_own_scores(pair):
    table = by_gender(pair[0])
    assert table["female"]["UAR"] == 1
    assert table["female"]["ci95"] is None  # of one speaker nothing is known
    assert table["male"]["speakers"] == 1


def test_runs_over_other_clips_are_not_compared(pair):
    with pytest.raises(AffektError, match="different test clips"):
        study_page([pair[0], run("other", ["a"] * 4, labels=("a", "b"))])


def test_runs_on_other_folds_or_numbers_of_seeds_are_marked():
    labels = ("a", HOSTILE)
    good = [labels[i % 2] for i in range(4)]
    one, two, three = (run(name, good, seeds=n) for name, n in (("x", 2), ("y", 2), ("z", 3)))
    two.table["fold"] = two.table["speaker"].map({"s0": 0, "s1": 1})
    for runs, marks, notes in (
        ([one, one], [""] * 2, []),
        ([one, two], [" (1 fold)", " (2 folds)"], ["other_folds"]),
        ([one, three], [" (2 seeds)", " (3 seeds)"], ["other_seeds"]),
    ):
        page = study_page(runs)
        titles = pd.read_csv(io.StringIO(page.csv))["system"]
        assert titles.str.removeprefix(f"'{one.title}").tolist() == marks
        for key in ("other_folds", "other_seeds"):
            assert (TEXT["en"][key] in page.html) == (key in notes)
            assert (TEXT["en"][key] in page.markdown) == (key in notes)
    shifted = one.table["utterance"].map({"u0": 0, "u1": 1, "u2": 1, "u3": 1})
    other = dataclasses.replace(two, table=two.table.assign(fold=shifted))
    assert [r.title.removeprefix(one.title) for r in with_marks([two, other])] == [
        " (2 folds, division 1)", " (2 folds, division 2)",
    ]  # fmt: skip


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(AffektError, match="not a finished run"):
        load_run(tmp_path)
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(AffektError, match="not a finished run"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, t: m.update(UAR=0.9), "UAR is 0.9, from the predictions 0.5"),
        (lambda m, t: m["ci95"].update(WA=[0.8, 0.9]), r"ci95.WA\[0\] is 0.8"),
        (lambda m, t: m["per_class"]["a"].update(recall=0.7), "per_class.a.recall is 0.7"),
        (lambda m, t: m["confusion"].update(counts=[[4, 0], [0, 4]]), "confusion.counts"),
        (lambda m, t: m["folds"][0]["test_speakers"].append("s9"), "folds.*test_speakers is"),
        (lambda m, t: t.at.__setitem__((0, "utterance"), "u9"), "the seeds have different"),
        (lambda m, t: t.__setitem__("utterance", "u0"), "6 predictions of a clip that has one"),
        (lambda m, t: t.__setitem__(f"prob_{HOSTILE}", 0.7), "8 predictions of a class that is"),
    ],
)
def test_a_score_that_the_predictions_do_not_give_is_refused(tmp_path, change, message):
    made = run("run", ["a"] * 4)
    metrics, table = made.metrics.to_json(), made.table.copy()
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    table.to_parquet(tmp_path / "predictions.parquet")
    assert load_run(tmp_path).metrics.UAR == 0.5
    change(metrics, table)
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    table.to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(AffektError, match=f"does not hold the scores .*{message}"):
        load_run(tmp_path)


def test_a_study_is_run_reported_and_not_run_again(manifest, tiny_config, tmp_path):
    command = [
        "study", manifest, "--out", tmp_path / "s", "--systems", "default,length,majority",
        "--cache", tmp_path / "cache", *settings(tiny_config),
    ]  # fmt: skip
    first = affekt(*command)
    assert first.returncode == 0, first.stderr
    assert "Whisper layer 2 + LSTM" in first.stdout
    page = (tmp_path / "s/report.html").read_text()
    assert "number of segments only" in page
    stamp = (tmp_path / "s/default/metrics.json").stat().st_mtime_ns
    again = affekt(*command, "--lang", "zh")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "s/default/metrics.json").stat().st_mtime_ns == stamp
    assert "显著性检验" in (tmp_path / "s/report.html").read_text()
    assert json.loads((tmp_path / "s/default/metrics.json").read_text())["system"] == "default"

    other = affekt(*command, "--protocol.seed", "7")
    assert other.returncode == 2
    assert "holds a finished run of other" in other.stderr
    assert "now 7" in other.stderr
    unknown = affekt("study", manifest, "--out", tmp_path / "t", "--systems", "egemap")
    assert unknown.returncode == 2
    assert "did you mean egemaps-svm?" in unknown.stderr

    done = affekt("report", tmp_path / "s/default", tmp_path / "s/length", "--html",
                  tmp_path / "r.html")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.glob("r.*")} == {"r.html", "r.md", "r.csv"}


def test_a_study_on_the_folds_of_others(manifest, tmp_path):
    rows = manifest.read_text().splitlines()[1:]
    folds = [f"{row.split(',')[0]},{int(row.split(',')[2] > 's3')}" for row in rows]
    (tmp_path / "theirs.csv").write_text("\n".join(["path,fold", *folds]) + "\n")
    done = affekt("study", manifest, "--out", tmp_path / "s", "--systems", "length,majority",
                  "--folds", tmp_path / "theirs.csv", "--protocol.seeds", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    for system in ("length", "majority"):
        result = load_run_result(tmp_path / "s" / system)
        assert [f.test_speakers for f in result.folds] == [["s1", "s2", "s3"], ["s4", "s5", "s6"]]
        assert result.title.endswith("(folds of theirs)")


def test_a_page_says_where_nothing_can_be_significant():
    page = study_page([run(name, ["a"] * 4) for name in ("x", "y", "z")])
    assert "The number of speakers (2) limits p to at least 0.5000, " in page.html
    assert "at least 1.000 after correction for the number of pairs (3)" in page.markdown


@pytest.mark.parametrize("tier", TIERS)
def test_each_segment_of_the_balance_figure_has_its_own_bar(tier):
    starts = tuple(to_seconds(cut(5.0, tier))[:, 0].tolist())
    row = ClassBalance("fear", "", 1, 1, len(starts), 5.0, starts)
    duration, *bars = charts.balance([row], "").axes[0].patches
    assert duration.get_width() == 5.0
    assert sorted(bar.get_x() for bar in bars) == pytest.approx(sorted(starts))
    for one, other in itertools.combinations(bars, 2):
        if abs(one.get_y() - other.get_y()) < one.get_height():  # in the same lane
            assert abs(one.get_x() - other.get_x()) > 1.0
