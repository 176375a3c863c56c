"""What calibrating on corpora left out does to the confidence on yet another corpus.

    python benchmarks/calibration.py RUN... > results/calibration.md

The expected calibration error (15 bins) of the confidence on each left-out corpus: as the model
gives it, and divided by the temperature that the other left-out corpora need. The models behind
that temperature were trained on this corpus too, so the result is not fully nested.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from affekt.metrics import calibration_error
from affekt.recipe import read_config
from affekt.run_result import load_run_result
from affekt.training.calibration import left_out_temperature


def main(runs):
    """Print a Markdown table for each run."""
    print(f"# Confidence on corpora left out\n\n{(__doc__ or '').split(chr(10), 4)[4].strip()}")
    for run in map(Path, runs):
        left_out = left_out_temperature(run, read_config(Path("recipes/default.toml")))
        table = pd.read_parquet(run / "predictions.parquet")
        columns = [c for c in table if c.startswith("prob_")]
        labels = [c.removeprefix("prob_") for c in columns]
        print(f"\n## Statistics of: {load_run_result(run).settings.protocol.test_normalisation}\n")
        print("| corpus | temperature of the others | before | after |\n|---|---|---|---|")
        rows = []
        for fold, name in enumerate(left_out.corpora):
            part = table[table["fold"] == fold]
            p = part[columns].to_numpy(np.float64) + 1e-12
            right = part["label"].map(labels.index).to_numpy()
            others = [np.log(t) for other, t in left_out.corpora.items() if other != name]
            heat = float(np.exp(np.mean(others)))
            cooled = p ** (1 / heat)
            cooled /= cooled.sum(1, keepdims=True)
            rows.append((calibration_error(p, right), calibration_error(cooled, right)))
            print(f"| {name} | {heat:.2f} | {rows[-1][0]:.3f} | {rows[-1][1]:.3f} |")
        before, after = np.mean(rows, axis=0)
        print(f"| mean | | {before:.3f} | {after:.3f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
