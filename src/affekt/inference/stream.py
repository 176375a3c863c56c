"""Live speech: samples in, the emotion of the moment out."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..audio.recording import make_recording
from ..audio.resampling import Resampler, Wave, channels_of
from ..audio.segmentation import SAMPLE_RATE, SEGMENT
from ..audio.vad import Utterance, UtteranceSplitter, detector
from ..errors import RenamedWarning
from ..types import Prediction, Segment
from .normalisation import NormalisationStatistics
from .recognizer import HOP, Recognizer

WINDOW = 2.88  # s heard for each point
BATCH = 8  # points computed at a time, where more than one is due


class Stream:
    """Speech as it is spoken, recognised every `hop` seconds and after each utterance.

    The segment that ends at time t is the last one of ``recognizer(wave)`` on the 2.88 s before
    t: it waits for nothing that comes later, so a moment's result is there as soon as it is
    computed. An utterance is recognised as a whole, as `Recognizer.utterances` does, once half a
    second without speech has ended it: that is later and more reliable.

    Compute on one thread (``torch.set_num_threads(1)``, as ``affekt listen`` does): a moment is
    little work, and where another process keeps a core busy, several threads wait for each other.

    Args:
        recognizer: A loaded model.
        sampling_rate: Sampling rate of what will be pushed, in Hz.
        hop: Seconds from one segment to the next, a multiple of 0.01.
        ended: Called with each utterance when it has ended. Without it, and without `learn`, none
            is looked for.
        statistics: What is known of the source; of `Recognizer.statistics_of`.
        learn: Take each ended utterance into the statistics before it is recognised.
        rate: Old name of `sampling_rate`.

    Raises:
        AudioError: A sampling rate out of range.
        ValueError: Such a hop there is not.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        sampling_rate: float = SAMPLE_RATE,
        *,
        hop: float = HOP,
        ended: Callable[[Prediction], None] | None = None,
        statistics: NormalisationStatistics | None = None,
        learn: bool = False,
        rate: float | None = None,
    ) -> None:
        if rate is not None:
            warnings.warn("rate is now sampling_rate", RenamedWarning, stacklevel=2)
            sampling_rate = rate
        if not 0 < hop <= 60 or abs(round(hop * 100) - hop * 100) > 1e-6:
            raise ValueError(f"hop is {hop} s; it must be a multiple of 0.01 s, at most 60 s")
        self._recognizer = recognizer
        self._resampler = Resampler("<stream>", sampling_rate)
        self._hop = round(hop * SAMPLE_RATE)
        self._due = round(SEGMENT * SAMPLE_RATE)  # sample at which the next segment ends
        self._held = np.empty(0, np.float32)
        self._first = 0  # index of held[0] in the stream
        self._ended = ended
        self._cutter = UtteranceSplitter(detector()[1]) if ended or learn else None
        self._statistics = statistics
        self._learn = learn

    def push(self, samples: ArrayLike) -> list[Segment]:
        """Hear what came since the last call.

        Args:
            samples: ``(samples,)`` or ``(samples, channels)``, int16, int32 or floats in ±1; any
                number of them.

        Returns:
            The segments that ended in it. The label is "uncertain" where there is no speech.

        Raises:
            AudioError: NaN, infinite or absurd samples.
            ValueError: An array of another shape or type.
        """
        return self._hear(self._resampler.push(channels_of(samples)))

    def close(self) -> list[Segment]:
        """Hear the end: the last segments, and the utterance that was being spoken."""
        segments = self._hear(self._resampler.close())
        if self._cutter:
            self._tell(self._cutter.close())
        return segments

    def _hear(self, wave: Wave) -> list[Segment]:
        self._held = np.concatenate([self._held, wave])
        stop = self._first + len(self._held)
        due = range(self._due, stop + 1, self._hop)
        batches = (due[i : i + BATCH] for i in range(0, len(due), BATCH))
        segments = [s for batch in batches for s in self._segments(batch)]
        self._due += len(due) * self._hop
        unused = max(0, self._due - round(WINDOW * SAMPLE_RATE) - self._first)
        unused = min(unused, len(self._held))  # what a long hop leaves out is yet to come
        self._held, self._first = self._held[unused:], self._first + unused
        if self._cutter:
            self._tell(self._cutter.push(wave))
        return segments

    def _segments(self, ends: Sequence[int]) -> list[Segment]:
        """Those that end at the given samples of the stream."""
        window = round(WINDOW * SAMPLE_RATE)
        starts = [max(0, end - window) for end in ends]
        waves = [
            self._held[start - self._first : end - self._first]
            for start, end in zip(starts, ends, strict=True)
        ]
        predictions = self._recognizer.recognise(
            [make_recording("<stream>", wave) for wave in waves], self._statistics
        )
        moments = zip(starts, predictions, strict=True)
        return [told.moved(start / SAMPLE_RATE).segments[-1] for start, told in moments]

    def _tell(self, spoken: Sequence[Utterance]) -> None:
        """Hand over the utterances that have ended."""
        for one in spoken:
            [encoded] = self._recognizer.encode([make_recording("<stream>", one.wave)])
            if self._learn:
                self._statistics = self._recognizer.statistics_of([encoded], self._statistics)
            if self._ended:
                self._ended(self._recognizer.classify(encoded, self._statistics).moved(one.start))
