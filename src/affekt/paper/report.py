"""The report of a reproduction: HTML, Markdown, tables and figures."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..atomic import write
from ..evaluation.results import load_run
from ..plural import size_of
from ..report.figures import charts
from ..report.page import embedded, render
from ..sanitise import csv_text
from .experiments import Reproduction
from .published import OURS, PUBLISHED
from .tables import Results, decisions, tables

NUMBER = re.compile(r"[+-]?[\d.]+")


def load_results(corpus: str, found: Reproduction) -> Results:
    """Read the runs of a reproduction.

    Raises:
        AffektError: A folder does not hold a finished run.
    """
    ours, paper_protocol = (
        {name: load_run(folder) for name, folder in folders.items()}
        for folders in (found.ours, found.paper_protocol)
    )
    return Results(PUBLISHED[corpus], found.balance, ours, paper_protocol)


def figures(results: Results) -> dict[str, Figure]:
    """Figures 2 and 4, or 3 and 5, by file name; a confusion figure needs a finished run."""
    _, balance, confusion = results.paper.numbers
    title = f"{results.paper.title}, training part of the first fold, balance plan of the paper"
    drawn = {f"figure{balance}": charts.balance(results.balance, title)}
    for runs, suffix in ((results.ours, ""), (results.paper_protocol, "-paper_protocol")):
        if OURS in runs:
            metrics = runs[OURS].metrics
            heading = f"{metrics.title}: accuracy {100 * metrics.WA:.1f} % pooled over folds"
            figure = charts.confusion(**dict(metrics.confusion), title=heading)
            drawn[f"figure{confusion}{suffix}"] = figure
    return drawn


def write_reproduction(results: Results, out: Path) -> list[Path]:
    """Write the report to a folder.

    Returns:
        Paths of the written files.
    """
    drawn, shown = figures(results), tables(results)
    paths = []
    for name, figure in drawn.items():
        paths.append(out / f"{name}.png")
        charts.save(figure, paths[-1])
    for table in shown:
        rows = pd.DataFrame(table.rows, columns=list(table.head)).map(_csv_cell)
        paths.append(out / "tables" / f"{table.name}.csv")
        write(paths[-1], rows.to_csv(index=False))
    corpus = next(iter(results.ours.values())).metrics
    content: dict[str, Any] = {
        "paper": results.paper,
        "decisions": decisions(results),
        "tables": shown,
        "figures": {name: embedded(figure) for name, figure in drawn.items()},
        "corpus": corpus,
        "size": size_of(corpus.clips, corpus.corpus.speakers if corpus.unit == "speakers" else 0),
        "runs": [run for runs in (results.ours, results.paper_protocol) for run in runs.values()],
    }
    for kind in ("md", "html"):
        paths.append(out / f"reproduction.{kind}")
        write(paths[-1], render(f"reproduction.{kind}", content))
    return paths


def _csv_cell(text: str) -> str:
    """Text of a cell without marks; text that a spreadsheet would read as a formula is escaped."""
    for mark in (" ≠", " †"):
        text = text.replace(mark, "")
    return text if NUMBER.fullmatch(text) else csv_text(text)
