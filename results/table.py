"""The tables of docs/en/results/index.md, out of the runs under results/.

python results/table.py     writes them between <!-- runs FOLDER -->, <!-- corpora FOLDER --> or
                            <!-- balance FOLDER --> and <!-- end -->
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affekt.evaluation.significance import holm, permutation_test
from affekt.metrics import group_draws, scores

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "en" / "results" / "index.md"
MARKED = re.compile(r"(<!-- (runs|corpora|balance) (\S+) -->\n).*?(<!-- end -->)", re.S)
DRAWS = 2000  # bootstrap samples of speakers


def row(folder: Path) -> str:
    """One run as a row: name, scores with intervals, seeds."""
    metrics = _metrics(folder)
    cells = [folder.name, metrics.get("title", "")]
    for score in ("UAR", "WA"):
        interval, sd = metrics["ci95"][score], metrics["sd"][score]
        cells.append(f"{metrics[score]:.3f}" + ("" if sd is None else f" ± {sd:.3f}"))
        cells.append("{:.3f} - {:.3f}".format(*interval) if interval else "")
    cells += [f"{metrics['majority']:.3f}", str(metrics["seeds"])]
    return "| " + " | ".join(cells) + " |"


def table(name: str) -> str:
    """All runs below a folder of results/, the best UAR first."""
    folders = [path.parent for path in (HERE / name).rglob("metrics.json")]
    folders.sort(key=lambda folder: (-_metrics(folder)["UAR"], folder.name))
    head = "| run | system | UAR | 95 % over speakers | WA | 95 % | majority WA | seeds |"
    return "\n".join([head, "|" + "---|" * 8, *map(row, folders)])


def by_corpus(name: str) -> str:
    """UAR of all runs below a folder on each corpus that was left out, and their mean."""
    runs = [_metrics(path.parent) for path in (HERE / name).rglob("metrics.json")]
    runs.sort(key=lambda run: run["title"])
    corpora = [fold["test_speakers"][0].split("/")[0] for fold in runs[0]["folds"]] if runs else []
    lines = [
        f"| system | {' | '.join(corpora)} | mean | seeds |",
        "|" + "---|" * (len(corpora) + 3),
    ]
    for run in runs:
        uars = [fold["UAR"] for fold in run["folds"]]
        cells = [f"{value:.3f}" for value in (*uars, sum(uars) / len(uars))]
        lines.append(f"| {run['title']} | {' | '.join(cells)} | {run['seeds']} |")
    return "\n".join(lines)


def by_balance(name: str) -> str:
    """What is done about unbalanced classes, each against the run ``none`` below a folder.

    Accuracy is that on test data with the classes' shares of the training part, as in the paper,
    whose test parts are as unbalanced as its training parts. p is that of the paired permutation
    test, corrected by Holm for the rows.
    """
    head = (
        "| against imbalance | segments, largest : smallest class | UAR, 95 % "
        "| difference, 95 % | p | accuracy | difference, 95 % | p |"
    )
    folders = [path.parent for path in (HERE / name).rglob("by_speaker.json")]
    folders.sort(key=lambda folder: (folder.name != "none", -_metrics(folder)["UAR"], folder.name))
    rows = []
    for folder in folders:
        metrics = _metrics(folder)
        ratio = json.loads((folder / "by_speaker.json").read_text("utf-8"))["segment_ratio"][1]
        what = metrics["title"].partition(", ")[2].partition(" (")[0]
        interval = "{:.3f} - {:.3f}".format(*metrics["ci95"]["UAR"])
        rows.append([what, f"{ratio:.1f}", f"{metrics['UAR']:.3f}, {interval}"])
    for score in ("UAR", "WA") if rows else ():
        none, *others = (_confusions(folder, score) for folder in folders)
        if score == "WA":
            for row, matrices in zip(rows, (none, *others), strict=True):
                row.append(f"{scores(matrices.sum(0))[score]:.3f}")
        rows[0] += ["", ""]
        p_values = holm([permutation_test(other, none, score) for other in others])
        for row, other, p in zip(rows[1:], others, p_values, strict=True):
            row += [difference(other, none, score), f"{p:.3f}"]
    return "\n".join([head, "|" + "---|" * 8, *(f"| {' | '.join(row)} |" for row in rows)])


def difference(one: NDArray[np.float64], other: NDArray[np.float64], score: str) -> str:
    """Difference of two runs with its 95 % percentile interval, by bootstrap over speakers."""
    times = group_draws(len(one), DRAWS, seed=0)
    first, second = (scores(np.einsum("ds,sij->dij", times, c))[score] for c in (one, other))
    low, high = np.percentile(first - second, [2.5, 97.5])
    value = float(scores(one.sum(0))[score] - scores(other.sum(0))[score])
    return f"{value:+.3f}, {low:+.3f} to {high:+.3f}"


def _confusions(folder: Path, score: str) -> NDArray[np.float64]:
    """Confusion matrices ``(speakers, classes, classes)``, the mean over seeds.

    For WA each class has the weight of its share in the training parts of the seed.
    """
    stored = json.loads((folder / "by_speaker.json").read_text("utf-8"))["confusions"]
    by_seed = np.array([stored[speaker] for speaker in sorted(stored)], float)
    if score == "WA":
        metrics = _metrics(folder)
        labels, first = metrics["confusion"]["labels"], metrics["config"]["protocol"]["seed"]
        for number in range(metrics["seeds"]):
            of_seed = [run for run in metrics["runs"] if run["seed"] == first + number]
            clips = [run.get("training_clips", metrics["corpus"]["labels"]) for run in of_seed]
            trained = np.array([sum(own[label] for own in clips) for label in labels])
            tested = by_seed[:, number].sum((0, 2))
            by_seed[:, number] *= (trained / trained.sum() / tested)[:, None]
    return by_seed.mean(1)


TABLES = {"runs": table, "corpora": by_corpus, "balance": by_balance}


def filled(page: str) -> str:
    """A page with its tables as the files have them."""
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]](found[3])}\n{found[4]}", page)


def _metrics(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return metrics


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
