"""How fast `predict` is, on one core, beside a peer and beside the machine's own limit.

    OMP_NUM_THREADS=1 python benchmarks/speed.py FILE.wav... > results/speed.md

Peer: torchvggish's front end and forward pass (random weights; they do not change its speed),
which is a segment encoder without a classifier. Limit: the arithmetic of our encoder at the
rate at which this machine multiplies matrices of its shapes, measured in the same run.
"""

import platform
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from torchvggish import vggish_input
from torchvggish.torchvggish import VGG, make_layers

import affekt
from affekt import audio
from affekt.encoders.fast import OneDNNLinear

RUNS = 5


def median_seconds(work, runs=RUNS):
    """Median over runs, after one that is not counted."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def limit(recognizer):
    """Seconds that the encoder's matrix products alone take for a second of audio."""
    model = recognizer._model.encoder
    d = model.conv1.out_channels
    total = 0.0
    with torch.inference_mode():
        for outputs, inputs, times in ((3 * d, d, 1), (d, d, 1), (4 * d, d, 1), (d, 4 * d, 1)):
            x, layer = torch.randn(800, inputs), OneDNNLinear(torch.nn.Linear(inputs, outputs))
            total += times * median_seconds(lambda x=x, layer=layer: layer(x), 20) / 800
        x = torch.randn(1, 80, 1600)
        convolutions = median_seconds(lambda: model.conv2(torch.relu(model.conv1(x))), 20) / 16
    return 50 * total * len(model.layers) + convolutions


def main(paths):
    """Print a Markdown table."""
    torch.set_num_threads(1)
    recognizer, plain = affekt.load(), affekt.load()
    plain._encoder = plain._model.encoder
    recordings = [audio.read(path) for path in paths]
    seconds = sum(r.seconds for r in recordings)
    peer = VGG(make_layers(), postprocess=False).eval()

    def one_by_one(recognizer=recognizer):
        for path in paths:
            recognizer(path)

    def torchvggish():
        with torch.inference_mode():
            for path in paths:
                peer(vggish_input.wavfile_to_examples(path))

    def cold():
        command = [sys.executable, "-m", "affekt", "predict", paths[0], "--json"]
        subprocess.run(command, check=True, capture_output=True)

    def torch_alone():
        subprocess.run([sys.executable, "-c", "import torch"], check=True)

    rows = [
        ("affekt, one file at a time", seconds / median_seconds(one_by_one), "x real time"),
        ("affekt, `many`", seconds / median_seconds(lambda: recognizer.many(paths)), "x real time"),
        (
            "the same, linear layers by MKL",
            seconds / median_seconds(lambda: one_by_one(plain)),
            "x real time",
        ),
        ("torchvggish, vectors only", seconds / median_seconds(torchvggish, 2), "x real time"),
        ("limit of our encoder's arithmetic", 1 / limit(recognizer), "x real time"),
        ("`affekt predict` from a cold start", median_seconds(cold, 3), "s"),
        ("of it, `import torch`", median_seconds(torch_alone, 3), "s"),
    ]
    print("# Speed on one core\n\n    make benchmark\n")
    print(f"{len(paths)} clips of {seconds / len(paths):.1f} s; one thread; median of {RUNS}")
    print(f"runs; {platform.processor() or platform.machine()}, torch {torch.__version__},")
    print(f"numpy {np.__version__}, affekt {affekt.__version__}\n")
    print("| what | value | |\n|---|---|---|")
    for name, value, unit in rows:
        print(f"| {name} | {value:.1f} | {unit} |")


if __name__ == "__main__":
    main(sys.argv[1:])
