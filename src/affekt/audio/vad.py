"""Voice activity detection (VAD): splits a stream into utterances.

A detector is a function from a frame of 32 ms to whether it is speech: the network of silero-vad
or, where that is not installed, the level compared with that of the last ten seconds. Detectors
accept some audio that is not speech; the model's speech gate rejects it later.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .resampling import Wave
from .segmentation import SAMPLE_RATE

FRAME = 512  # samples
FRAMES_PER_SECOND = SAMPLE_RATE / FRAME
PAUSE = round(0.5 * FRAMES_PER_SECOND)  # frames without speech that end an utterance
SHORTEST = round(0.25 * FRAMES_PER_SECOND)  # least frames of speech in an utterance
LONGEST_SECONDS = 12.0  # longest utterance; a longer one is cut
LONGEST = round(LONGEST_SECONDS * FRAMES_PER_SECOND)  # frames
PAD = round(0.2 * FRAMES_PER_SECOND)  # frames added before and after the speech
FLOOR = -60.0  # dBFS; a softer frame is never speech
MEMORY = round(10 * FRAMES_PER_SECOND)  # frames with which a frame's level is compared

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


class LevelDetector:
    """Takes a frame for speech if it is louder than most of the last ten seconds.

    Its level must exceed the soft level (10th percentile) by 30 % of the distance to the loud one
    (95th percentile), and by at least 6 dB, which steady noise never does.
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
    """Load the network of silero-vad; a frame is speech from a probability of 0.5 on.

    Raises:
        ModuleNotFoundError: silero-vad is not installed.
    """
    import torch

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    torch.set_num_threads(threads)  # its import sets them to one for the whole process
    network = load_silero_vad()
    # It would make these in torch's default type, which users change.
    network._context = torch.zeros(1, 64, dtype=torch.float32)

    def detector(frame: Wave) -> bool:
        with torch.inference_mode():
            return bool(network(torch.from_numpy(frame), SAMPLE_RATE) >= 0.5)

    return detector


def detector() -> tuple[str, Detector]:
    """Name and function of the detector: "silero" if silero-vad is installed, else "level"."""
    try:
        return "silero", silero()
    except ModuleNotFoundError:
        return "level", LevelDetector()


class UtteranceSplitter:
    """Splits a stream into utterances, which end after half a second without speech.

    An utterance of more than 12 s is cut at the softest frame of its last quarter, so that memory
    is bounded.

    Args:
        is_speech: Called with each frame ``(512,)`` in order.
    """

    def __init__(self, is_speech: Detector) -> None:
        self._is_speech = is_speech
        self._rest = np.empty(0, np.float32)  # samples of an incomplete frame
        self._frames: list[Wave] = []  # of the current utterance, or before a possible one
        self._flags: list[bool] = []  # whether each of the frames is speech
        self._first = 0  # index of the first of the frames in the stream

    def push(self, block: Wave) -> list[Utterance]:
        """Add a block ``(samples,)`` of any length.

        Returns:
            The utterances that ended in it.
        """
        wave = np.concatenate([self._rest, block])
        complete = len(wave) // FRAME * FRAME
        self._rest = wave[complete:]
        return [u for frame in wave[:complete].reshape(-1, FRAME) for u in self._ended(frame)]

    def close(self) -> list[Utterance]:
        """End the stream.

        Returns:
            The utterance that the end of the stream cut off, if there is one.
        """
        missing = -len(self._rest) % FRAME
        ended = self.push(np.zeros(missing, np.float32))
        if sum(self._flags) >= SHORTEST:
            last = self._cut(end := self._last_speech() + PAD)
            padding = missing if end >= len(self._frames) else 0
            ended.append(replace(last, wave=last.wave[: len(last.wave) - padding]))
        self._frames, self._flags = [], []
        return ended

    def _ended(self, frame: Wave) -> Iterator[Utterance]:
        """Add a frame; yield the utterance that it ends, if it does."""
        frames, flags = self._frames, self._flags
        frames.append(frame)
        flags.append(self._is_speech(frame))
        if not any(flags):
            self._drop(max(0, len(frames) - PAD))
        elif not any(flags[-PAUSE:]):
            end = self._last_speech() + PAD
            if sum(flags) >= SHORTEST:
                yield self._cut(end)
            self._drop(end)
        elif len(frames) >= LONGEST:
            tail = frames[-LONGEST // 4 :]
            end = len(frames) - len(tail) + int(np.argmin([np.square(f).sum() for f in tail])) + 1
            yield self._cut(end)
            self._drop(end)

    def _last_speech(self) -> int:
        """Number of frames up to the last one with speech."""
        return len(self._flags) - self._flags[::-1].index(True)

    def _cut(self, end: int) -> Utterance:
        return Utterance(self._first * FRAME / SAMPLE_RATE, np.concatenate(self._frames[:end]))

    def _drop(self, frames: int) -> None:
        del self._frames[:frames], self._flags[:frames]
        self._first += frames


def split_utterances(blocks: Iterable[Wave], is_speech: Detector) -> Iterator[Utterance]:
    """Split a stream that is read block by block into its utterances.

    Args:
        blocks: ``(samples,)`` at 16 kHz, of any length.
        is_speech: The detector.
    """
    splitter = UtteranceSplitter(is_speech)
    for block in blocks:
        yield from splitter.push(block)
    yield from splitter.close()
