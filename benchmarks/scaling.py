"""How training grows with processes, and what that says of many machines.

    python benchmarks/scaling.py emodb:FOLDER [--clips 80] > results/scaling.md

Strong scaling: two processes of ``torchrun`` do the work of one. Weak scaling: they do twice as
much, twice the clips in batches of twice the size. Each process has one thread. A row is the
difference of two trainings, so that starting and decoding do not count: without and with cached
embeddings, or of one epoch and of three.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from affekt.config import Encoder
from affekt.corpora.registry import load_corpus
from affekt.nn.encoders.weights import build_encoder

OPTIONS = ["--encoder.name", "whisper", "--augment.speeds", "1.1", "--stage2.epochs", "1",
           "--stage1.patience", "99", "--protocol.no-refit"]  # fmt: skip
BATCH = 32  # segments
FEW = 20  # clips of a training whose cache has what every training encodes
BANDWIDTH = 1.25e9  # bytes per second, of 10 Gbit/s
LATENCY = 50e-6  # s, of a message between two machines
MACHINES = (2, 10, 100)


def some(source, number, folder):
    """Write a manifest of so many clips of a corpus, spread over it."""
    examples = load_corpus(source).examples
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "speaker"])
        for i in range(number):
            example = examples[i * len(examples) // number]
            table.writerow([Path(example.path).resolve(), example.label, example.speaker])


class Training:
    """Trainings of a manifest in so many processes.

    Args:
        folder: Holds the manifest, the last model and the cache.
        processes: Number of processes.
        batch: Segments per step.
    """

    def __init__(self, folder, processes, batch):
        self.folder, self.processes, self.batch = folder, processes, batch

    def seconds(self, *options):
        """Wall time of one."""
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        launcher = ["torch.distributed.run", "--nproc-per-node", str(self.processes), "-m"]
        command = [sys.executable, "-W", "ignore", "-m", *(launcher if self.processes > 1 else []),
                   "affekt", "train", str(self.folder / "manifest.csv"), *OPTIONS,
                   "--stage1.batch-size", str(self.batch), *options,
                   "--out", str(self.folder / "model")]  # fmt: skip
        environment = os.environ | {"OMP_NUM_THREADS": "1", "AFFEKT_CACHE": str(self.folder)}
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return time.perf_counter() - begun

    def embedding(self):
        """Seconds in which a frozen encoder encodes all clips."""
        shutil.rmtree(self.folder / "vectors", ignore_errors=True)
        shutil.copytree(self.folder.parent / "few/vectors", self.folder / "vectors")
        once = self.seconds("--stage1.epochs", "1")
        return once - self.seconds("--stage1.epochs", "1")

    def epoch(self):
        """Seconds of an epoch that trains the encoder."""
        few, many = (self.seconds("--stage1.no-freeze", "--stage1.epochs", str(n)) for n in (1, 3))
        return (many - few) / 2

    def steps(self):
        """Steps of an epoch of the last one."""
        config = json.loads((self.folder / "model/config.json").read_text())
        return sum(each["after"] for each in config["training"]["balance"]) / self.batch


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--clips", type=int, default=80)
    args = parser.parse_args()
    print("# Scaling of a training\n\n    make benchmark\n")
    print(f"{platform.machine()}, {os.cpu_count()} cores, one thread a process; {args.clips} clips")
    print("and a copy of each at another speed; twice as many for weak scaling.\n")
    print("| work | one process, s | two, s | of strong scaling | two, twice the work, s |"
          " of weak scaling |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        few, once, twice = (Path(place) / name for name in ("few", "once", "twice"))
        for folder, clips in ((few, FEW), (once, args.clips), (twice, 2 * args.clips)):
            folder.mkdir()
            some(args.source, clips, folder)
        Training(few, 1, BATCH).seconds("--stage1.epochs", "1")  # encodes the noise of the gate
        ways = Training(once, 1, BATCH), Training(once, 2, BATCH), Training(twice, 2, 2 * BATCH)
        for name, work in (
            ("embeddings of a frozen encoder", Training.embedding),
            ("an epoch that trains the encoder", Training.epoch),
        ):
            one, strong, weak = map(work, ways)
            print(f"| {name} | {one:.1f} | {strong:.1f} | {one / strong / 2:.0%} | {weak:.1f} |"
                  f" {one / weak:.0%} |", flush=True)  # fmt: skip
        law(one / ways[0].steps())


def law(step):
    """Print what a step of so many seconds says of many machines."""
    encoder = build_encoder(Encoder(name="whisper"))
    size = 4 * sum(p.numel() for p in encoder.parameters())
    print(f"""
A step that trains the encoder takes {step:.2f} s in one process, and its gradients are
{size / 1e6:.0f} MB. A ring of n machines sends 2 (n - 1) / n of them over each link, in 2 (n - 1)
messages. With links of 10 Gbit/s and 50 us, and the batch of one process on each machine, the
efficiency would be (**calculated, not measured**):

| machines | exchange, s | efficiency |
|---|---|---|""")
    for n in MACHINES:
        exchange = 2 * (n - 1) * (size / n / BANDWIDTH + LATENCY)
        print(f"| {n} | {exchange:.3f} | {step / (step + exchange):.0%} |")


if __name__ == "__main__":
    main()
