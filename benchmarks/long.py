"""What a recording of ten hours costs `affekt predict` on one core.

    OMP_NUM_THREADS=1 python benchmarks/long.py FILE.wav... > results/long.md

The files, all of one sampling rate, are repeated with a second of silence between them until they
fill ten hours of FLAC.
"""

import resource
import subprocess
import sys
import tempfile
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

import affekt
from affekt.audio.vad import detector

HOURS = 10


def repeated(paths, target):
    """Write the recordings one after another, over and over."""
    rate = soundfile.info(paths[0]).samplerate
    left = HOURS * 3600 * rate
    with soundfile.SoundFile(target, "w", rate, channels=1) as out:
        for path in cycle(paths):
            samples = np.append(soundfile.read(path)[0], np.zeros(rate))[:left]
            out.write(samples)
            left -= len(samples)
            if not left:
                return


def main(paths):
    """Print a Markdown table."""
    found_by = detector()[0]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "long.flac"
        repeated(paths, target)
        command = [sys.executable, "-m", "affekt", "predict", str(target), "--json"]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    print(f"# A recording of {HOURS} hours\n\n    make benchmark\n")
    print(
        "Speech of a corpus, repeated with pauses (FLAC, 16 kHz, mono); `affekt predict --json` on"
    )
    print(f"one core, {affekt.load().arithmetic}; utterances found by {found_by}.\n")
    print("| what | value |\n|---|---|")
    print(f"| utterances | {len(run.stdout.splitlines())} |")
    print(f"| processor time | {seconds / 60:.1f} min |")
    print(f"| speed | {HOURS * 3600 / seconds:.0f} x real time |")
    print(f"| peak memory | {used.ru_maxrss / 2**20:.2f} GiB |")


if __name__ == "__main__":
    main(sys.argv[1:])
