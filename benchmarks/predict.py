"""Files a second of ``affekt predict`` on many short files, against an earlier version.

``python benchmarks/predict.py FILES --before CHECKOUT > results/predict.md``: the same command of
both, with each bundled model. The model ``open`` has the encoder of that version, so that its rows
compare the program alone; ``default`` has a second encoder today.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

RUNS = 3
MODELS = ("open", "default")


def seconds(files: list[str], source: Path, model: str) -> float:
    """Wall time of the whole command, less that of one file: loading is not counted."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    environment.pop("OMP_NUM_THREADS", None)

    def run(some: list[str]) -> float:
        start = time.perf_counter()
        command = [sys.executable, "-m", "affekt", "predict", "--json", "--model", model, *some]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return time.perf_counter() - start

    return run(files) - run(files[:1])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--before", type=Path, required=True)
    args = parser.parse_args()
    if not (args.before / "src/affekt").is_dir():
        sys.exit(f"{args.before}: is no checkout of affekt (no folder src/affekt)")
    ways = {"version 0.1": args.before / "src", "now": Path(__file__).parents[1] / "src"}
    print("# Batching in `affekt predict`\n")
    print(f"{len(args.files)} files, {os.cpu_count()} cores, median of {RUNS} interleaved runs.")
    print("The time for a single file is subtracted, which excludes the time to load the model.")
    print("`make benchmark` runs `benchmarks/predict.py`. The model `open` has the encoder of")
    print("version 0.1; `default` had it too, and has the frames of CAM++ beside it now.\n")
    print("| model | affekt predict FILES | files a second | ratio |\n|---|---|---|---|")
    for model in MODELS:
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(RUNS):  # interleaved, so that a slow minute meets both
            for name, source in ways.items():
                times[name].append(seconds(args.files, source, model))
        first = median(times["version 0.1"])
        for name, values in times.items():
            speed = (len(args.files) - 1) / median(values)
            print(f"| {model} | {name} | {speed:.1f} | {first / median(values):.2f} |", flush=True)


if __name__ == "__main__":
    main()
