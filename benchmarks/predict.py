"""Files a second of ``affekt predict`` on many short files, against one file at a time.

``python benchmarks/predict.py FILES [--before CHECKOUT]``: the second way is a loop over
`Recognizer.__call__`, or with --before the same command of an earlier checkout of affekt.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

RUNS = 3


def seconds(files: list[str], source: Path) -> float:
    """Wall time of the whole command, less that of one file: loading is not counted."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    environment.pop("OMP_NUM_THREADS", None)

    def run(some: list[str]) -> float:
        start = time.perf_counter()
        command = [sys.executable, "-m", "affekt", "predict", "--json", *some]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return time.perf_counter() - start

    return run(files) - run(files[:1])


def main() -> None:
    """Print a table."""
    arguments = sys.argv[1:]
    before = Path()
    if "--before" in arguments:
        at = arguments.index("--before")
        before = Path(arguments[at + 1])
        del arguments[at : at + 2]
        if not (before / "src/affekt").is_dir():
            sys.exit(f"{before}: is no checkout of affekt (no folder src/affekt)")
    ours = Path(__file__).parents[1] / "src"
    ways = {"affekt predict FILES": ours}
    if before != Path():
        ways = {"affekt predict FILES of version 0.1": before / "src", **ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):  # interleaved, so that a slow minute meets both
        for name, source in ways.items():
            times[name].append(seconds(arguments, source))
    print("# Batching in `affekt predict`\n")
    print(f"{len(arguments)} files, {os.cpu_count()} cores, median of {RUNS} interleaved runs. The")
    print("time for a single file is subtracted, which excludes the time to load the model.")
    print("`make benchmark` runs `benchmarks/predict.py`.\n")
    print("| command | files a second | ratio |\n|---|---|---|")
    first = median(next(iter(times.values())))
    for name, values in times.items():
        speed = (len(arguments) - 1) / median(values)
        print(f"| {name} | {speed:.1f} | {first / median(values):.2f} |")


if __name__ == "__main__":
    main()
