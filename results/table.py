"""Print the Markdown table of the runs under results/, as results/README.md holds it.

python results/table.py
"""

import json
from pathlib import Path

HERE = Path(__file__).parent


def row(folder: Path) -> str:
    """One run as a row: name, scores with intervals, seeds."""
    metrics = json.loads((folder / "metrics.json").read_text())
    cells = [folder.relative_to(HERE).as_posix()]
    for score in ("UAR", "WA"):
        low, high = metrics["ci95"][score]
        sd = metrics["sd"][score]
        cells.append(f"{metrics[score]:.3f}" + ("" if sd is None else f" ± {sd:.3f}"))
        cells.append(f"{low:.3f} - {high:.3f}")
    cells += [f"{metrics['majority']:.3f}", str(metrics["seeds"])]
    return "| " + " | ".join(cells) + " |"


def table() -> str:
    """All runs, the best UAR first."""
    folders = [path.parent for path in HERE.rglob("metrics.json")]
    folders.sort(key=lambda f: -json.loads((f / "metrics.json").read_text())["UAR"])
    head = "| run | UAR | 95 % over speakers | WA | 95 % | majority WA | seeds |"
    return "\n".join([head, "|" + "---|" * 7, *map(row, folders)])


if __name__ == "__main__":
    print(table())
