"""Latency of live speech: from the last sample of a segment to its result, on one core.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/live.py demo/*.flac

The recordings, joined by pauses and repeated to two minutes, are pushed in blocks of 20 ms as a
microphone would give them; a push that returns a segment is timed. The utterances that end are
recognised in the same pushes.
"""

import argparse
import platform
import time

import numpy as np

from affekt.audio.decoding import read
from affekt.inference.recognizer import HOP, load
from affekt.inference.stream import Stream

RATE = 16_000
BLOCK = 320


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+")
    args = parser.parse_args()
    pause = np.zeros(RATE, np.float32)
    once = np.concatenate([part for r in args.recordings for part in (read(r).wave, pause)])
    wave = np.resize(once, 120 * RATE)
    ended: list[object] = []
    stream = Stream(load(), ended=ended.append)
    stream.push(wave[: 5 * RATE])
    plain, with_utterance = [], []
    for i in range(5 * RATE, len(wave), BLOCK):
        before, begun = len(ended), time.perf_counter()
        segments = stream.push(wave[i : i + BLOCK])
        took = (time.perf_counter() - begun) * 1000
        if len(ended) > before:
            with_utterance.append(took)
        elif segments:
            plain.append(took)
    print("# Latency of live speech\n\n    make benchmark\n")
    machine = platform.processor() or platform.machine()
    print(f"{machine}, one core, hop {HOP} s: the time from the last sample of a segment to its")
    print("result, for the synthetic recordings of demo/ in blocks of 20 ms.\n")
    print("| push that | number | median | 95th percentile | longest |\n|---|---|---|---|---|")
    rows = {"ends a segment": plain, "ends an utterance": with_utterance}
    for name, times in rows.items():
        median, high = np.percentile(times, [50, 95])
        print(f"| {name} | {len(times)} | {median:.0f} ms | {high:.0f} ms | {max(times):.0f} ms |")
    busy = sum(plain + with_utterance) / 1000 / (len(wave) / RATE - 5)
    print(f"\nThe core is busy for {busy:.0%} of the time.")


if __name__ == "__main__":
    main()
