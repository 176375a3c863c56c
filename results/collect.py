"""Copy finished runs into results/: their metrics.json, without the learning curves.

python results/collect.py RUN... results/FOLDER
"""

import json
import sys
from pathlib import Path


def collect(run: Path, target: Path) -> None:
    """Copy one run into a folder of its own name."""
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    for training_info in metrics["runs"]:
        for bulky in ("curves", "balance"):
            training_info.pop(bulky, None)
    place = target / run.name / "metrics.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    *runs, target = map(Path, sys.argv[1:])
    for run in runs:
        if (run / "metrics.json").is_file():
            collect(run, target)
