"""The tables of docs/en/results/index.md, out of the runs under results/.

python results/table.py     writes them between <!-- runs FOLDER --> or <!-- corpora FOLDER --> and
                            <!-- end -->
"""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "en" / "results" / "index.md"
MARKED = re.compile(r"(<!-- (runs|corpora) (\S+) -->\n).*?(<!-- end -->)", re.S)


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


TABLES = {"runs": table, "corpora": by_corpus}


def filled(page: str) -> str:
    """A page with its tables as the files have them."""
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]](found[3])}\n{found[4]}", page)


def _metrics(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return metrics


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
