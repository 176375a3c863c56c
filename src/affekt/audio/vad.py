"""Voice activity detection: the utterances of a stream.

A detector is a function from a frame of 32 ms to whether it is speech: the network of silero-vad,
or, on machines where that is missing, the level compared with the last ten seconds. Whether what
the detector lets through is speech at all, the model's speech gate decides later.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .recording import Wave
from .segmentation import SAMPLE_RATE

FRAME = 512  # samples
FRAMES_PER_SECOND = SAMPLE_RATE / FRAME
PAUSE = round(0.5 * FRAMES_PER_SECOND)  # frames without speech that end an utterance
SHORTEST = round(0.25 * FRAMES_PER_SECOND)  # frames of speech that make one
LONGEST_SECONDS = 12.0  # of an utterance; a longer one is cut
LONGEST = round(LONGEST_SECONDS * FRAMES_PER_SECOND)  # frames
PAD = round(0.2 * FRAMES_PER_SECOND)  # frames kept on either side
FLOOR = -60.0  # dBFS; below it nobody speaks
MEMORY = round(10 * FRAMES_PER_SECOND)  # frames that the level is compared with

Detector = Callable[[Wave], bool]


@dataclass(frozen=True)
class Utterance:
    """One utterance cut out of a stream.

    Attributes:
        start: Seconds from the beginning of the stream.
        wave: Samples ``(samples,)``, 16 kHz.
    """

    start: float
    wave: Wave


class Level:
    """Speech is what stands out of the last ten seconds.

    By 30 % of the way from soft to loud, and by 6 dB at least, which steady noise never does.
    """

    def __init__(self) -> None:
        self.levels: deque[float] = deque(maxlen=MEMORY)

    def __call__(self, frame: Wave) -> bool:
        """Whether a frame ``(512,)`` is speech."""
        energy = float(np.square(frame, dtype=np.float64).mean())
        self.levels.append(10 * np.log10(energy + 1e-12))
        soft, loud = np.percentile(self.levels, (10, 95))
        return self.levels[-1] > max(FLOOR, soft + max(6.0, 0.3 * (loud - soft)))


def silero() -> Detector:
    """The network of silero-vad; speech from a probability of 0.5 on.

    Raises:
        ModuleNotFoundError: silero-vad is not installed.
    """
    import torch

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    torch.set_num_threads(threads)  # its import sets them to one for the whole process
    network = load_silero_vad()

    def detector(frame: Wave) -> bool:
        with torch.inference_mode():
            return bool(network(torch.from_numpy(frame), SAMPLE_RATE) >= 0.5)

    return detector


def detector() -> tuple[str, Detector]:
    """Name and function of the detector in use: "silero" where it is installed, else "level"."""
    try:
        return "silero", silero()
    except ModuleNotFoundError:
        return "level", Level()


class UtteranceSplitter:
    """A stream cut where nobody speaks for half a second, each utterance as soon as it ends.

    One of more than 12 s is cut at its softest frame in the last quarter. Memory is bounded by
    that length.
    """

    def __init__(self, is_speech: Detector) -> None:
        self._is_speech = is_speech
        self._left = np.empty(0, np.float32)  # less than a frame
        self._held: list[Wave] = []  # frames of the utterance, or those that may come before one
        self._flags: list[bool] = []
        self._first = 0  # index of held[0] in the stream

    def push(self, block: Wave) -> list[Utterance]:
        """Hear a block ``(samples,)`` of any length; the utterances that ended in it."""
        wave = np.concatenate([self._left, block])
        whole = len(wave) // FRAME * FRAME
        self._left = wave[whole:]
        return [s for f in wave[:whole].reshape(-1, FRAME) for s in self._ended(f)]

    def close(self) -> list[Utterance]:
        """The utterance that the stream's end cut off, if there is one."""
        rest = -len(self._left) % FRAME
        ended = self.push(np.zeros(rest, np.float32))
        if sum(self._flags) >= SHORTEST:
            last = self._cut(end := self._last_speech() + PAD)
            padding = rest if end >= len(self._held) else 0
            ended.append(replace(last, wave=last.wave[: len(last.wave) - padding]))
        self._held, self._flags = [], []
        return ended

    def _ended(self, frame: Wave) -> Iterator[Utterance]:
        held, flags = self._held, self._flags
        held.append(frame)
        flags.append(self._is_speech(frame))
        if not any(flags):
            self._drop(max(0, len(held) - PAD))
        elif not any(flags[-PAUSE:]):
            end = self._last_speech() + PAD
            if sum(flags) >= SHORTEST:
                yield self._cut(end)
            self._drop(end)
        elif len(held) >= LONGEST:
            tail = held[-LONGEST // 4 :]
            end = len(held) - len(tail) + int(np.argmin([np.square(f).sum() for f in tail])) + 1
            yield self._cut(end)
            self._drop(end)

    def _last_speech(self) -> int:
        return len(self._flags) - self._flags[::-1].index(True)

    def _cut(self, end: int) -> Utterance:
        return Utterance(self._first * FRAME / SAMPLE_RATE, np.concatenate(self._held[:end]))

    def _drop(self, frames: int) -> None:
        del self._held[:frames], self._flags[:frames]
        self._first += frames


def split_utterances(blocks: Iterable[Wave], is_speech: Detector) -> Iterator[Utterance]:
    """The utterances of a stream that is read block by block."""
    cutter = UtteranceSplitter(is_speech)
    for block in blocks:
        yield from cutter.push(block)
    yield from cutter.close()
