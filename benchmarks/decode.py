"""Decoding to 16 kHz mono beside ffmpeg.

    python benchmarks/decode.py > results/decode.md

Ten minutes of the demo clips, repeated, as stereo at 44.1 kHz (Opus: 48 kHz), decoded block by
block by affekt and by the command `ffmpeg -i FILE -ac 1 -ar 16000 -f f32le`, one thread each, in
turn. Processor seconds of the child process, imports and start subtracted (the same command on a
file of 0.1 s), median of 3. Both resample: affekt with soxr, ffmpeg with swr.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

ROOT = Path(__file__).parents[1]
SECONDS, RATE, TURNS = 600, 44_100, 3
CODINGS = {
    "wav": ["-c:a", "pcm_s16le"], "flac": [], "mp3": ["-b:a", "128k"],
    "opus": ["-c:a", "libopus", "-b:a", "64k"], "m4a": ["-b:a", "128k"],
}  # fmt: skip
AFFEKT = (
    "import sys; from affekt.audio.decoding import Decoder\nfor _ in Decoder(sys.argv[1]): pass"
)


def main():
    """Print a Markdown table."""
    clips = [soundfile.read(p, dtype="float32")[0] for p in sorted((ROOT / "demo").glob("*.flac"))]
    wave = soxr.resample(np.resize(np.concatenate(clips), SECONDS * 16_000), 16_000, RATE)
    stereo = np.stack([wave, 0.5 * np.roll(wave, RATE)], axis=1)
    print(f"# Decoding\n\n{(__doc__ or '').split(chr(10), 4)[4].strip()}\n")
    print("| format | affekt, s | ffmpeg, s | affekt / ffmpeg | affekt, times real time |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind, coding in CODINGS.items():
            files = []
            for name, part in (("long", stereo), ("start", stereo[: RATE // 10])):
                source, file = Path(folder, "source.wav"), Path(folder, f"{name}.{kind}")
                soundfile.write(source, part, RATE)
                command = ["ffmpeg", "-v", "error", "-y", "-i", source, *coding, file]
                subprocess.run(command, check=True)
                files.append(str(file))
            times = [[one(file) - one(start) for one in (affekt, ffmpeg)]
                     for file, start in [files] * TURNS]  # fmt: skip
            own, other = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"| {kind} | {own:.2f} | {other:.2f} | {own / other:.2f} | {SECONDS / own:.0f} |")


def affekt(file):
    """Processor seconds of decoding a file with affekt, start included."""
    return spent([sys.executable, "-c", AFFEKT, file])


def ffmpeg(file):
    """Processor seconds of decoding a file with ffmpeg, start included."""
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", file]
    return spent([*command, "-ac", "1", "-ar", "16000", "-f", "f32le", "-y", "/dev/null"])


def spent(command):
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
