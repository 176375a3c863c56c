"""Memory and time of a training by the hours of its audio.

    python benchmarks/large.py emodb:FOLDER 1 3 10 > results/large.md

A synthetic corpus repeats the clips of a real one, each time in a file of its own; every tenth
repetition brings new speakers, up to two thousand. It measures sizes, not recognition. The recipe
of the default model, with the Whisper encoder alone, is trained on it for one epoch of each stage,
every size in a process of its own. A sound is encoded once, since the embedding cache knows its
repetitions.
"""

import csv
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from affekt.audio.decoding import read
from affekt.corpora.registry import load_corpus
from affekt.recipe import read_config
from affekt.training.context import TrainingContext
from affekt.training.output import train_to_folder
from affekt.training.processes import join_processes

RECIPE = Path(__file__).parent.parent / "recipes/default.toml"
SPEAKERS = 200  # sets of speakers, at most


def settings(degraded):
    """The recipe of the default model for one epoch, with degraded copies of each clip."""
    one = {"stage1": {"epochs": 1}, "stage2": {"epochs": 1}, "protocol": {"refit": False}}
    others = {"augment": {"degraded": degraded}, "encoder": {"name": "whisper"}}
    return read_config(RECIPE, one | others)


def repeat(source, folder, hours):
    """Write a manifest of so many hours that repeats the clips of a corpus; 0 for each once."""
    examples = [e for e in load_corpus(source).examples if not e.part]
    seconds = {e.path: read(e.path).seconds for e in examples}
    total = repetition = 0
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "speaker"])
        while not repetition or total < hours * 3600:
            (folder / str(repetition)).mkdir()
            for i, example in enumerate(examples):
                first = folder / "0" / f"{i}{Path(example.path).suffix}"
                path = folder / str(repetition) / first.name
                if repetition:
                    os.link(first, path)
                else:
                    shutil.copy(example.path, first)
                speaker = f"{example.speaker}-{repetition // 10 % SPEAKERS}"
                table.writerow([path.relative_to(folder), example.label, speaker])
                total += seconds[example.path]
                if repetition and total >= hours * 3600:
                    break
            repetition += 1


def measure(folder, degraded):
    """Train on a manifest in this process, and print clips, CPU seconds, and peak memory in MB."""
    corpus = load_corpus(str(folder / "manifest.csv"))
    context = TrainingContext(
        processes=join_processes("cpu"), embedding_cache=folder.parent / "embeddings"
    )
    train_to_folder(corpus, settings(degraded), folder / "model", context)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(len(corpus.examples), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def trained(folder, degraded):
    """The result of `measure` in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(folder), str(degraded)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    clips, seconds, peak = output.split()
    return int(clips), float(seconds), float(peak)


def main(source, sizes):
    """Print the table."""
    print("# Training by the hours of its audio\n")
    print(f"`python benchmarks/large.py {source.partition(':')[0]}:FOLDER {' '.join(sizes)}` on")
    print(f"{platform.processor() or platform.machine()} with {os.cpu_count()} cores, of which")
    print(f"PyTorch uses {os.environ.get('OMP_NUM_THREADS', 'all')}. The corpus is synthetic: it")
    print("repeats the clips of a real one. Recipe of the default model with the Whisper encoder")
    print("alone, one epoch of each stage, no refit; all embeddings are cached. The CPU seconds")
    print("include those of importing the libraries and loading the encoder.\n")
    print("| hours | clips | peak memory, MB | CPU seconds | per hour |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as work:
        for hours in ["0", *sizes]:
            folder = Path(work) / hours
            folder.mkdir()
            repeat(source, folder, float(hours))
            clips, seconds, peak = trained(folder, "0.25" if float(hours) else "1")
            if float(hours):  # else it only filled the cache
                each = seconds / float(hours)
                print(
                    f"| {hours} | {clips} | {peak:.0f} | {seconds:.0f} | {each:.1f} |", flush=True
                )
            shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        measure(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        main(sys.argv[1], sys.argv[2:])
