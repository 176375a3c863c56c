"""Voice activity detection (VAD): splits a stream into utterances.

A detector is a function from frames of 32 ms to whether each is speech: the network of silero-vad
or, where that is not installed, the level compared with that of the last ten seconds. Detectors
accept some audio that is not speech; the model's speech gate rejects it later.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .resampling import Wave
from .segmentation import SAMPLE_RATE

FRAME = 512  # samples
FRAMES_PER_SECOND = SAMPLE_RATE / FRAME
PAUSE = round(0.5 * FRAMES_PER_SECOND)  # frames without speech that end an utterance
SHORTEST = round(0.25 * FRAMES_PER_SECOND)  # least frames of speech in an utterance
LONGEST_SECONDS = 12.0  # longest utterance; a longer one is cut
LONGEST = round(LONGEST_SECONDS * FRAMES_PER_SECOND)  # frames
PAD = round(0.3 * FRAMES_PER_SECOND)  # frames added before and after the speech
START, STOP = 0.5, 0.35  # probability at which speech begins, and below which it ends
CONTEXT = 64  # samples before a frame that silero-vad sees
FLOOR = -60.0  # dBFS; a softer frame is never speech
MEMORY = round(10 * FRAMES_PER_SECOND)  # frames with which a frame's level is compared

Flags = NDArray[np.bool_]
Detector = Callable[[Wave], Flags]  # of frames ``(frames, 512)`` that follow those of the last call


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

    def __call__(self, frames: Wave) -> Flags:
        """Whether each of the frames ``(frames, 512)`` is speech."""
        return np.array([self._is_speech(frame) for frame in frames], bool)

    def _is_speech(self, frame: Wave) -> bool:
        energy = float(np.square(frame, dtype=np.float64).mean())
        self.levels.append(10 * np.log10(energy + 1e-12))
        soft, loud = np.percentile(self.levels, (10, 95))
        return self.levels[-1] > max(FLOOR, soft + max(6.0, 0.3 * (loud - soft)))


class SileroDetector:
    """Takes a frame for speech from a probability of silero-vad of 0.5 on, until it is below 0.35.

    These are the thresholds of silero-vad's ``get_speech_timestamps``. silero-vad's own code takes
    one frame at a time. Only its LSTM needs that; here the layers before it take all frames of a
    block together, which is several times as fast.

    Raises:
        ModuleNotFoundError: silero-vad is not installed.
    """

    def __init__(self) -> None:
        import torch

        self._network, self._lstm = _silero()
        self._context = torch.zeros(
            1, CONTEXT, dtype=torch.float32
        )  # the samples before the next frame
        self._state: Any = None  # of the LSTM
        self._speaks = False

    def __call__(self, frames: Wave) -> Flags:
        """Whether each of the frames ``(frames, 512)`` is speech."""
        flags = []
        for probability in self.probabilities(frames):
            self._speaks = probability >= (STOP if self._speaks else START)
            flags.append(self._speaks)
        return np.array(flags, bool)

    def probabilities(self, frames: Wave) -> NDArray[np.float32]:
        """Probability ``(frames,)`` that each of the frames ``(frames, 512)`` is speech."""
        import torch

        with torch.inference_mode():
            new = torch.from_numpy(frames)
            before = torch.cat([self._context, new[:-1, -CONTEXT:]])
            self._context = new[-1:, -CONTEXT:].clone()
            spectra = self._network.run_extractors(torch.cat([before, new], 1))
            encoded = self._network.encoder(spectra).squeeze(-1)
            hidden, self._state = self._lstm(encoded, self._state)
            found: NDArray[np.float32] = self._network.decoder.decoder(hidden[..., None]).numpy()
        return found.reshape(-1)


@cache
def _silero() -> tuple[Any, Any]:
    """The network of silero-vad at 16 kHz, and its LSTM cell as a layer for many frames."""
    import torch

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    torch.set_num_threads(threads)  # its import sets them to one for the whole process
    network = load_silero_vad()._model
    cell = network.decoder.rnn.state_dict()
    sizes = cell["weight_ih"].shape[1], cell["weight_hh"].shape[1]
    lstm = torch.nn.LSTM(*sizes, dtype=torch.float32)  # whatever torch's default type is
    lstm.load_state_dict({f"{name}_l0": values for name, values in cell.items()})
    return network, lstm


def detector() -> tuple[str, Detector]:
    """Name and function of the detector: "silero" if silero-vad is installed, else "level"."""
    try:
        return "silero", SileroDetector()
    except ModuleNotFoundError:
        return "level", LevelDetector()


class UtteranceSplitter:
    """Splits a stream into utterances, which end after half a second without speech.

    An utterance of more than 12 s is cut at the softest frame of its last quarter, so that memory
    is bounded.

    Args:
        is_speech: The detector; it sees every frame once, in order.
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
        frames = wave[:complete].reshape(-1, FRAME)
        flags = self._is_speech(frames).tolist() if complete else []
        return [u for one in zip(frames, flags, strict=True) for u in self._ended(*one)]

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

    def _ended(self, frame: Wave, is_speech: bool) -> Iterator[Utterance]:
        """Add a frame; yield the utterance that it ends, if it does."""
        frames, flags = self._frames, self._flags
        frames.append(frame)
        flags.append(is_speech)
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
