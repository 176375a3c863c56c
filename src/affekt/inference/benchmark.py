"""How fast a model recognises on this machine."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from ..audio.segmentation import SAMPLE_RATE
from .recognizer import Recognizer

CLIPS, SECONDS = 48, 3.0
LONG = 300.0  # s
RUNS = 3  # of which the median counts, after one that does not


class Rate(NamedTuple):
    """What one way of recognising takes.

    Attributes:
        what: In words.
        files: How many were recognised.
        audio: Seconds of sound in them.
        seconds: That it took.
    """

    what: str
    files: int
    audio: float
    seconds: float


def bench(recognizer: Recognizer) -> list[Rate]:
    """Time files of noise (what is in them does not matter), decoding included."""
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
            Rate("five minutes as one clip", 1, LONG, _median(lambda: recognizer(long))),
        ]  # fmt: skip


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
