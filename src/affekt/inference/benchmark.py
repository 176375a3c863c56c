"""Speed of a model on this machine."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from ..audio.decoding import read
from ..audio.segmentation import SAMPLE_RATE
from .recognizer import Recognizer

CLIPS, SECONDS = 48, 3.0
LONG = 300.0  # s
RUNS = 3  # timed runs, after one that is not timed


class Rate(NamedTuple):
    """Time of one way to recognise.

    Attributes:
        what: The way, in words.
        files: Number of files.
        audio: Duration of all files in seconds.
        seconds: Median wall time.
    """

    what: str
    files: int
    audio: float
    seconds: float


def bench(recognizer: Recognizer) -> list[Rate]:
    """Time the recognition of files of noise, decoding included.

    The long file is encoded as a whole: utterances are not found in noise.
    """
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:

        def noise(name: str, seconds: float) -> Path:
            wave = rng.standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32) * 0.1
            soundfile.write(path := Path(folder) / name, wave, SAMPLE_RATE)
            return path

        clips = [noise(f"{i}.wav", SECONDS) for i in range(CLIPS)]
        long = noise("long.flac", LONG)
        return [
            Rate("one clip after another", CLIPS, CLIPS * SECONDS,
                 _median(lambda: [recognizer(path) for path in clips])),
            Rate("clips in batches", CLIPS, CLIPS * SECONDS,
                 _median(lambda: recognizer.many(clips))),
            Rate("five minutes as one clip", 1, LONG,
                 _median(lambda: recognizer.recognise([read(long)]))),
        ]  # fmt: skip


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
