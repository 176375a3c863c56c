"""Copy finished runs into results/: their metrics.json, without the learning curves.

python results/collect.py [--by-speaker] RUN... results/FOLDER

With --by-speaker also by_speaker.json: the confusion matrices that paired tests need.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import confusion_matrix


def collect(run: Path, target: Path, *, by_speaker: bool = False) -> None:
    """Copy one run into a folder of its own name."""
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    place = target / run.name / "metrics.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    if by_speaker:
        table = pd.read_parquet(run / "predictions.parquet")
        content = {
            "segment_ratio": segment_ratio(metrics["runs"]),
            "confusions": confusions(table, metrics["confusion"]["labels"]),
        }
        text = json.dumps(content, ensure_ascii=False) + "\n"
        (place.parent / "by_speaker.json").write_text(text, "utf-8")
    for training_info in metrics["runs"]:
        for bulky in ("curves", "balance"):
            training_info.pop(bulky, None)
    place.write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", "utf-8")


def confusions(table: pd.DataFrame, labels: list[str]) -> dict[str, list[Any]]:
    """Confusion matrix of each seed, by speaker."""
    return {
        speaker: [
            confusion_matrix(rows["label"], rows["predicted"], labels=labels).tolist()
            for _, rows in own.groupby("seed")
        ]
        for speaker, own in table.groupby("speaker")
    }


def segment_ratio(runs: list[dict[str, Any]]) -> list[float]:
    """Segments of the largest class divided by those of the smallest, before and after balance.

    The mean over trainings.
    """
    ratios = []
    for key in ("before", "after"):
        counts = [[row[key] for row in run["balance"]] for run in runs]
        ratios.append(round(sum(max(c) / min(c) for c in counts) / len(counts), 2))
    return ratios


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--by-speaker"]
    *runs, target = map(Path, arguments)
    for run in runs:
        if (run / "metrics.json").is_file():
            collect(run, target, by_speaker="--by-speaker" in sys.argv)
