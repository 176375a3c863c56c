"""How fast `predict` is, on one core and on two, beside peers and the machine's own limit.

    python benchmarks/speed.py FILE.wav... > results/speed.md

Every way of working runs in a process of its own, on the same clips, decoding included. Peers:
torchvggish (front end and forward pass; random weights do not change its speed), a segment encoder
without a classifier, and the functionals of openSMILE, without a classifier too; nkululeko's
prediction is the latter and an SVM. Limit: the arithmetic of our encoder at the rate at which this
machine multiplies matrices of its shapes.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

import affekt
from affekt.inference.recognizer import load
from affekt.nn.encoders.fast import BFloat16Linear, OneDNNLinear, has_bfloat16

RUNS = 3
THREADS = (1, 2)
HOUR = 3600


def one_by_one(paths):
    """A prediction for each file."""
    recognizer = load()
    return lambda: [recognizer(path) for path in paths]


def many(paths):
    """The same in batches."""
    recognizer = load()
    return lambda: recognizer.many(paths)


def plain(paths):
    """In batches, with torch's own linear layers in float32."""
    recognizer = load()
    recognizer._encoder = recognizer._model.encoder
    return lambda: recognizer.many(paths)


def torchvggish(paths):
    """Vectors only."""
    from torchvggish import vggish_input
    from torchvggish.torchvggish import VGG, make_layers

    peer = VGG(make_layers(), postprocess=False).eval()

    @torch.inference_mode()
    def work():
        for path in paths:
            peer(vggish_input.wavfile_to_examples(path))

    return work


def opensmile(name):
    """Functionals only."""

    def start(paths):
        import opensmile as peer

        smile = peer.Smile(
            peer.FeatureSet[name], peer.FeatureLevel.Functionals,
            num_workers=torch.get_num_threads(), multiprocessing=True,
        )  # fmt: skip
        return lambda: smile.process_files(paths)

    return start


WAYS = {  # name: (how, which recordings)
    "affekt, one clip after another": (one_by_one, "clips"),
    "affekt, clips in batches": (many, "clips"),
    "affekt, clips in batches, 44.1 kHz": (many, "44.1 kHz"),
    "affekt, an hour as one clip": (one_by_one, "hour"),
    "affekt, clips in batches, float32 (default of torch)": (plain, "clips"),
    "torchvggish, embeddings only": (torchvggish, "clips"),
    "torchvggish, embeddings only, 44.1 kHz": (torchvggish, "44.1 kHz"),
    "openSMILE eGeMAPS, features only": (opensmile("eGeMAPSv02"), "clips"),
    "openSMILE ComParE, features only": (opensmile("ComParE_2016"), "clips"),
}


def seconds(work, runs):
    """Median over runs, after one that is not counted."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measured(name, threads, paths):
    """Seconds and peak megabytes of one way, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--way", name, "--threads", str(threads)]
    done = subprocess.run([*command, *paths], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def limit(threads):
    """How many times real time the encoder's matrix products alone allow."""
    torch.set_num_threads(threads)
    layer = BFloat16Linear if has_bfloat16() else OneDNNLinear
    model = load()._model.encoder
    d = model.conv1.out_channels
    total = 0.0
    with torch.inference_mode():
        for outputs, inputs, times in ((3 * d, d, 1), (d, d, 1), (4 * d, d, 1), (d, 4 * d, 1)):
            x, multiply = torch.randn(800, inputs), layer(torch.nn.Linear(inputs, outputs))
            total += times * seconds(lambda x=x, multiply=multiply: multiply(x), 20) / 800
        x = torch.randn(1, 80, 1600)
        convolutions = seconds(lambda: model.conv2(torch.relu(model.conv1(x))), 20) / 16
    return 1 / (50 * total * len(model.layers) + convolutions)


def cold(path):
    """Seconds of `affekt predict` on one file, from nothing; and of importing torch."""
    commands = (["-m", "affekt", "predict", path, "--json"], ["-c", "import torch"])
    return [
        seconds(
            lambda c=c: subprocess.run([sys.executable, *c], check=True, capture_output=True), 3
        )
        for c in commands
    ]


def prepared(paths, folder):
    """The clips, the same at 44.1 kHz, and an hour made of them."""
    sounds = [soundfile.read(path, dtype="float32") for path in paths]
    faster = []
    for i, (wave, rate) in enumerate(sounds):
        faster.append(str(folder / f"{i}.wav"))
        soundfile.write(faster[-1], soxr.resample(wave, rate, 44_100), 44_100)
    hour, rate = str(folder / "hour.flac"), sounds[0][1]
    left = HOUR * rate
    with soundfile.SoundFile(hour, "w", rate, channels=1) as out:
        for wave, _ in cycle(sounds):
            out.write(wave[:left])
            left -= min(left, len(wave))
            if not left:
                break
    length = sum(len(wave) / rate for wave, rate in sounds)
    return {"clips": (paths, length), "44.1 kHz": (faster, length), "hour": ([hour], HOUR)}


def main(paths):
    """Print a Markdown table."""
    print("# Speed\n\n    make benchmark\n")
    with tempfile.TemporaryDirectory() as name:
        sets = prepared(paths, Path(name))
        length = sets["clips"][1]
        print(f"{len(paths)} clips of {length / len(paths):.1f} s, median of {RUNS} runs (one run")
        print(f"for the hour); {platform.machine()}, {affekt.load().arithmetic},")
        print(f"torch {torch.__version__}, numpy {np.__version__}, affekt {affekt.__version__}.")
        print("Columns: files a second, speed as a multiple of real time, and peak memory.\n")
        print("| what | one core | two cores | memory |\n|---|---|---|---|")
        for way, (_, which) in WAYS.items():
            cells, peak = [], 0.0
            for threads in THREADS:
                took, peak = measured(way, threads, sets[which][0])
                rate = f"{len(sets[which][0]) / took:.1f}/s, " if which != "hour" else ""
                cells.append(f"{rate}{sets[which][1] / took:.0f} x")
            print(f"| {way} | {cells[0]} | {cells[1]} | {peak:.0f} MB |", flush=True)
    bounds = [limit(threads) for threads in THREADS]
    print(f"| limit of our encoder's arithmetic | {bounds[0]:.0f} x | {bounds[1]:.0f} x | |")
    start, alone = cold(paths[0])
    print(
        f"\n`affekt predict` from a cold start: {start:.1f} s, {alone:.1f} s of it to import torch."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--way", choices=list(WAYS))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.way:
        torch.set_num_threads(given.threads)
        took = seconds(WAYS[given.way][0](given.paths), 1 if len(given.paths) == 1 else RUNS)
        who = resource.RUSAGE_SELF
        print(json.dumps([took, resource.getrusage(who).ru_maxrss / 1024]))
    else:
        main(given.paths)
