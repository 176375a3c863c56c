"""Voice activity detection (VAD): splits a stream into utterances.

A detector is a function from frames of 32 ms to whether each is speech: the network of silero-vad
or, where that is not installed, the level compared with that of the last ten seconds. Detectors
accept some audio that is not speech; the model's speech gate rejects it later.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
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
PAD = round(0.3 * FRAMES_PER_SECOND)  # frames before and after the speech that the model sees
MARGIN = round(0.1 * FRAMES_PER_SECOND)  # of them, those that belong to the utterance
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
        start: Its start, in seconds from the beginning of the stream.
        end: Its end.
        wave: Samples ``(samples,)``, 16 kHz: the utterance and up to 0.2 s before and after it, as
            models are trained on clips whose speech begins and ends in silence.
        wave_start: Start of the samples.
    """

    start: float
    end: float
    wave: Wave
    wave_start: float


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
        _silero()
        self._context = np.zeros((1, CONTEXT), np.float32)  # the samples before the next frame
        self._state: Any = None  # of the LSTM
        self._speaks = False

    def __call__(self, frames: Wave) -> Flags:
        """Whether each of the frames ``(frames, 512)`` is speech."""
        flags = _flags(self.probabilities(frames), self._speaks)
        self._speaks = bool(flags[-1])
        return flags

    def probabilities(self, frames: Wave) -> NDArray[np.float32]:
        """Probability ``(frames,)`` that each of the frames ``(frames, 512)`` is speech."""
        recording = _with_context(self._context, frames)
        self._context = frames[-1:, -CONTEXT:].copy()
        [found], self._state = _probabilities([recording], self._state)
        return found


def _with_context(context: Wave, frames: Wave) -> Wave:
    """Frames with the 64 samples before each ``(frames, 64 + 512)``.

    Args:
        context: Samples before the first frame ``(1, 64)``.
        frames: ``(frames, 512)``.
    """
    before = np.concatenate([context, frames[:, -CONTEXT:]])[: len(frames)]
    return np.hstack([before, frames])


def _flags(probabilities: NDArray[np.float32], speaks: bool = False) -> Flags:
    """Whether frames are speech, after one that is or is not."""
    flags = np.empty(len(probabilities), bool)
    for i, probability in enumerate(probabilities):
        flags[i] = speaks = probability >= (STOP if speaks else START)
    return flags


def _probabilities(
    recordings: Sequence[Wave], state: Any = None
) -> tuple[list[NDArray[np.float32]], Any]:
    """Probability of speech ``(frames,)`` of each frame, and the state of the LSTM after the last.

    Args:
        recordings: Frames of each recording, from `_with_context`.
        state: State of the LSTM before a single recording that continues; of several recordings
            the returned state means nothing.
    """
    import torch

    network, lstm = _silero()
    lengths = [len(frames) for frames in recordings]
    with torch.inference_mode():
        spectra = network.run_extractors(torch.from_numpy(np.concatenate(recordings)))
        encoded = network.encoder(spectra).squeeze(-1).split(lengths)
        hidden, state = lstm(torch.nn.utils.rnn.pad_sequence(encoded), state)
        found = network.decoder.decoder(hidden.flatten(0, 1)[..., None])
    by_time = found.reshape(hidden.shape[:2]).numpy()
    return [by_time[:length, i] for i, length in enumerate(lengths)], state


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
            wave = last.wave[: len(last.wave) - padding]
            end_of_wave = last.wave_start + len(wave) / SAMPLE_RATE
            ended.append(replace(last, wave=wave, end=min(last.end, end_of_wave)))
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

    def _last_speech(self, end: int | None = None) -> int:
        """Number of frames up to the last one with speech, of those before `end`."""
        flags = self._flags[:end]
        return len(flags) - flags[::-1].index(True)

    def _cut(self, end: int) -> Utterance:
        """The utterance in the first frames."""
        frames = self._frames[:end]
        first = max(0, self._flags.index(True) - MARGIN)
        last = min(len(frames), self._last_speech(end) + MARGIN)
        edges = (self._first + frame for frame in (first, last, 0))
        start, stop, before = (edge * FRAME / SAMPLE_RATE for edge in edges)
        return Utterance(start, stop, np.concatenate(frames), before)

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


def split_recordings(waves: Sequence[Wave]) -> list[list[Utterance]]:
    """Split decoded recordings into utterances.

    The frames of all of them pass through silero-vad together, which is twice as fast as one
    recording at a time.

    Args:
        waves: ``(samples,)`` of each, 16 kHz.
    """
    if detector()[0] == "level":
        return [list(split_utterances([wave], LevelDetector())) for wave in waves]
    silence = np.zeros((1, CONTEXT), np.float32)
    framed = []
    for wave in waves:
        complete = np.concatenate([wave, np.zeros(-len(wave) % FRAME, np.float32)])
        framed.append(_with_context(silence, complete.reshape(-1, FRAME)))
    flags = [iter(_flags(found)) for found in _probabilities(framed)[0]]

    def stored(of: Iterator[np.bool_]) -> Detector:
        return lambda frames: np.fromiter(islice(of, len(frames)), bool)

    return [
        list(split_utterances([wave], stored(of))) for wave, of in zip(waves, flags, strict=True)
    ]
