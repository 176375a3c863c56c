"""How scoring grows with workers: both engines beside one process, in one run.

    python benchmarks/score.py FILE.wav... [--files 2000] > results/score.md

The files are linked under new names until there are as many as asked for. A job of one part tells
what starting costs; rates are without it. Beside it stands what two processes of bare matrix
products gain over one on this machine: no engine can do better.
"""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import torch

from affekt.batch.inputs import PART


def archive(folder: Path, files: list[str], number: int) -> Path:
    """A folder of so many links."""
    folder.mkdir()
    for i, file in enumerate(islice(cycle(files), number)):
        (folder / f"{i:06d}{Path(file).suffix}").symlink_to(Path(file).absolute())
    return folder


def score(source: Path, out: Path, engine: str, workers: int) -> tuple[float, dict[str, float]]:
    """Wall-clock seconds of the command, and its counts."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "affekt", "batch", str(source), "--out", str(out),
         "--engine", engine, "--workers", str(workers)],
        check=True, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return time.perf_counter() - begun, json.loads((out / "_SUCCESS").read_text())


def products(seconds: float) -> float:
    """Matrix products a second in one thread."""
    torch.set_num_threads(1)
    a = torch.randn(512, 512).bfloat16()
    done, begun = 0, time.perf_counter()
    while time.perf_counter() < begun + seconds:
        a @ a
        done += 1
    return done / seconds


def gain(processes: int) -> float:
    """What so many processes of matrix products do, in units of what one does."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        alone = pool.map(products, [5.0])[0]
        return float(sum(pool.map(products, [5.0] * processes)) / alone)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--number", type=int, default=2000)
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    print("# Batch inference on an archive\n\n    make benchmark\n")
    print(f"{platform.machine()}, {cores} cores; {args.number} recordings.\n")
    print("| engine | workers | start | files a second | times real time | of linear scaling |")
    print("|---|---|---|---|---|---|")
    one = 0.0
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        few = archive(root / "few", args.files, PART)
        many = archive(root / "many", args.files, args.number)
        for engine, workers in (("local", 1), ("local", cores), ("ray", 1), ("ray", cores)):
            small, _ = score(few, root / f"few-{engine}-{workers}", engine, workers)
            took, counts = score(many, root / f"many-{engine}-{workers}", engine, workers)
            one = one or (args.number - PART) / (took - small)
            start = small - PART / one
            rate = args.number / (took - start)
            length = counts["seconds"] / counts["files"]
            print(
                f"| {engine} | {workers} | {start:.1f} s | {rate:.1f} | {rate * length:.0f} x "
                f"| {rate / one / workers:.0%} |",
                flush=True,
            )
    print(
        f"\nMatrix products alone, in {cores} processes, reach {gain(cores) / cores:.0%} of linear"
    )
    print("scaling on this machine.")
    print(f"A thousand hours of speech take {1000 / (one * length):.1f} core-hours.")


if __name__ == "__main__":
    main()
