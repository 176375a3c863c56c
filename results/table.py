"""The tables of docs/results.md, out of the runs under results/.

python results/table.py     writes them between <!-- runs FOLDER --> and <!-- end -->
"""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results.md"
MARKED = re.compile(r"(<!-- runs (\S+) -->\n).*?(<!-- end -->)", re.S)


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


def filled(page: str) -> str:
    """A page with its tables as the files have them."""
    return MARKED.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", page)


def _metrics(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return metrics


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
