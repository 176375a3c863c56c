"""The paper's tables with ours beside them, and what disagrees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..experiments.reproduce import BEYOND, Reproduction
from ..experiments.systems import SYSTEMS
from ..files import write
from ..types import ClassBalance
from . import plots
from .page import embedded, harmless, render
from .paper import OURS, PUBLISHED, Published
from .runs import Run, load_run

SCORE_HEAD = ("system", "paper", "ours", "sd", "95 %", "paper_protocol", "UAR", "the paper's lies")
SCORE_NOTE = (
    "Accuracy in percent, UAR beside it. Ours: every choice inside the training part, pooled over "
    "folds, mean and deviation over seeds, interval over speakers. paper_protocol: ours with the "
    "epoch chosen on the test fold, mean over folds as in the paper; not a score on unheard "
    "speakers. The last column says where the paper's number lies with respect to our interval."
)
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """One table of the paper, ours beside it.

    Attributes:
        title: With the paper's number.
        head: Column titles.
        rows: Cells.
        notes: What to know when reading it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Results:
    """Everything that `tables` and `figures` draw from.

    Attributes:
        paper: What it reports.
        balance: Ours, of the training part of the first fold.
        sound, peeked: Finished runs by system.
    """

    paper: Published
    balance: Sequence[ClassBalance]
    sound: Mapping[str, Run]
    peeked: Mapping[str, Run]


def load_results(corpus: str, found: Reproduction) -> Results:
    """Read the runs of a reproduction.

    Raises:
        AffektError: A folder holds no finished run.
    """
    sound, peeked = (
        {name: load_run(folder) for name, folder in folders.items()}
        for folders in (found.sound, found.peeked)
    )
    return Results(PUBLISHED[corpus], found.balance, sound, peeked)


def tables(results: Results) -> list[Table]:
    """Tables 1 or 2, 3, 4 and 5, the recalls of Figure 4 or 5, and ours beyond the paper."""
    paper = results.paper
    others = dict(paper.compared) | {OURS: paper.balanced[OURS]}
    return [
        _segments(results),
        replace(_scores("Table 3: without balance", paper.unbalanced, results), notes=[SCORE_NOTE]),
        _scores("Table 4: with balance", paper.balanced, results),
        _scores("Table 5: beside the systems of others", others, results),
        _scores("Not in the paper", dict.fromkeys(BEYOND), results),
        _recalls(results),
    ]


def figures(results: Results) -> dict[str, Figure]:
    """Figures 2 and 4, or 3 and 5, by file name; those of runs that are there."""
    _, balance, confusion = results.paper.numbers
    title = f"{results.paper.title}, training part of the first fold, plan of the paper"
    drawn = {f"figure{balance}": plots.balance(results.balance, title)}
    for runs, suffix in ((results.sound, ""), (results.peeked, "-paper_protocol")):
        if OURS in runs:
            metrics = runs[OURS].metrics
            heading = f"{metrics['title']}: accuracy {100 * metrics['WA']:.1f} %"
            figure = plots.confusion(**metrics["confusion"], title=heading)
            drawn[f"figure{confusion}{suffix}"] = figure
    return drawn


def write_reproduction(results: Results, out: Path) -> list[Path]:
    """Write page, Markdown, tables and figures to `out`; returns what was written."""
    drawn, shown = figures(results), tables(results)
    paths = []
    for name, figure in drawn.items():
        paths.append(out / f"{name}.png")
        plots.save(figure, paths[-1])
    for number, table in enumerate(shown, 1):
        rows = pd.DataFrame(table.rows, columns=list(table.head)).map(harmless)
        paths.append(out / "tables" / f"{number}.csv")
        write(paths[-1], rows.to_csv(index=False))
    content: dict[str, Any] = {
        "paper": results.paper,
        "tables": shown,
        "figures": {name: embedded(figure) for name, figure in drawn.items()},
        "corpus": next(iter(results.sound.values())).metrics,
        "runs": [run for runs in (results.sound, results.peeked) for run in runs.values()],
    }
    for kind in ("md", "html"):
        paths.append(out / f"reproduction.{kind}")
        write(paths[-1], render(f"reproduction.{kind}", content))
    return paths


def _segments(results: Results) -> Table:
    paper = results.paper
    head = (
        "class", "before, paper", "before, ours", "after, paper", "after, ours", "growth, paper",
        "growth, ours", "cut",
    )  # fmt: skip
    rows, ours = [], {row.label: row for row in results.balance}
    for label, (before, after) in paper.segments.items():
        mark = " †" if label in paper.impossible else ""
        cells = [label, str(before), NOTHING, f"{after}{mark}", NOTHING, _ratio(after, before)]
        if row := ours.get(label):
            cells[2], cells[4] = str(row.before), str(row.after)
            cells += [_ratio(row.after, row.before), row.rule]
        rows.append(cells + [NOTHING] * (len(head) - len(cells)))
    spreads = []
    for values in (paper.segments.values(), [(r.before, r.after) for r in results.balance]):
        spreads.append([_ratio(max(v), min(v)) for v in zip(*values, strict=True)])
    rows.append(
        ["largest / smallest", spreads[0][0], spreads[1][0], spreads[0][1], spreads[1][1]]
        + [NOTHING] * 3
    )
    notes = [f"† {label}: {why}" for label, why in paper.impossible.items()]
    return Table(f"Table {paper.numbers[0]}: segments of the training part", head, rows, notes)


def _scores(title: str, published: Mapping[str, float | None], results: Results) -> Table:
    rows = []
    for system, number in published.items():
        run, peeked = results.sound.get(system), results.peeked.get(system)
        name = run.title if run else SYSTEMS[system].title or system
        cells = [name, NOTHING if number is None else f"{number:.2f}"]
        cells += _ours(run, number) if run else [NOTHING] * 5 + ["not run"]
        if peeked:
            folds = [fold["WA"] for fold in peeked.metrics["folds"]]
            cells[5] = f"{100 * float(np.mean(folds)):.2f}"
        rows.append(cells)
    return Table(title, SCORE_HEAD, rows)


def _ours(run: Run, number: float | None) -> list[str]:
    """Mean, deviation, interval, a place for paper_protocol, UAR, and where the paper's lies."""
    wa, sd = run.metrics["WA"], run.metrics["sd"]["WA"]
    interval = run.metrics["ci95"]["WA"]
    where = NOTHING
    if interval and number is not None:
        low, high = (100 * end for end in interval)
        where = "**above**" if number > high else "**below**" if number < low else "inside"
    return [
        f"{100 * wa:.2f}",
        NOTHING if sd is None else f"{100 * sd:.2f}",
        NOTHING if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
        NOTHING,
        f"{100 * run.metrics['UAR']:.2f}",
        where,
    ]


def _recalls(results: Results) -> Table:
    paper = results.paper
    shown = [runs[OURS].metrics["per_class"] if OURS in runs else {}
             for runs in (results.sound, results.peeked)]  # fmt: skip
    rows = []
    for label in paper.segments:
        said = paper.recalls.get(label)
        cells = [label, f"below {paper.others_below:.0f}" if said is None else f"{said:.2f}"]
        cells += [f"{100 * c[label]['recall']:.2f}" if label in c else NOTHING for c in shown]
        rows.append(cells)
    title = f"Figure {paper.numbers[2]}: recall by class, in percent"
    return Table(title, ("class", "paper", "ours", "ours, paper_protocol"), rows)


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else NOTHING
