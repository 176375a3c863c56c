"""Live speech: samples in, a segment every hop and a prediction of each utterance out."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..audio.recording import make_recording
from ..audio.resampling import Resampler, Wave, channels_of
from ..audio.segmentation import SAMPLE_RATE, SEGMENT
from ..audio.vad import FRAME, Flags, Utterance, UtteranceSplitter, detector
from ..errors import RenamedWarning
from ..nn.checkpoint import require_classes
from ..nn.speech_gate import UNCERTAIN
from ..types import Prediction, Segment
from .inputs import as_array
from .normalisation import NormalisationStatistics
from .recognizer import HOP, Recognizer
from .speaker_statistics import Normalisation
from .utterances import classify_utterance

WINDOW = 2.88  # s of context of a segment, itself included


class Stream:
    """Recognise live speech: every `hop` seconds, and each utterance after its end.

    The segment that ends at time t is the last one of the 2.88 s before t, "uncertain" where nobody
    speaks. It does not depend on later samples, so that its latency is the time of its computation.
    An utterance is recognised as a whole, as `Recognizer.utterances` does, after half a second
    without speech: later, and more reliably.

    Use one thread (``torch.set_num_threads(1)``, as ``affekt listen`` does): a segment is little
    work, and several threads wait for each other where another process keeps a core busy.

    Args:
        recognizer: A loaded model.
        sampling_rate: Sampling rate of what will be pushed, in Hz.
        hop: Seconds from one segment to the next, a multiple of 0.01.
        ended: Called with the prediction of each utterance after its end.
        normalisation: What standardises the embeddings: "speaker" for the statistics of the
            utterances so far, "none" for those of the training corpora, or statistics from
            `Recognizer.statistics_of`.
        statistics: Old name of `normalisation`.
        learn: Old way to say ``normalisation="speaker"``.
        rate: Old name of `sampling_rate`.

    Raises:
        AudioError: A sampling rate out of range.
        AffektError: The model has dimensions in place of classes.
        ValueError: `hop` is not a multiple of 0.01 s between 0.01 and 60 s.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        sampling_rate: float = SAMPLE_RATE,
        *,
        hop: float = HOP,
        ended: Callable[[Prediction], None] | None = None,
        normalisation: Normalisation = "speaker",
        statistics: NormalisationStatistics | None = None,
        learn: bool | None = None,
        rate: float | None = None,
    ) -> None:
        if rate is not None:
            warnings.warn("rate is now sampling_rate", RenamedWarning, stacklevel=2)
            sampling_rate = rate
        if statistics is not None or learn is not None:
            text = "statistics and learn are now normalisation"
            warnings.warn(text, RenamedWarning, stacklevel=2)
            normalisation = statistics or ("speaker" if learn else "none")
        if not 0 < hop <= 60 or abs(round(hop * 100) - hop * 100) > 1e-6:
            raise ValueError(f"hop is {hop} s; it must be a multiple of 0.01 s, at most 60 s")
        require_classes(recognizer.name, recognizer.dimensions, "live speech")
        self._recognizer = recognizer
        self._resampler = Resampler("<stream>", sampling_rate)
        self._channels: int | None = None  # of the samples that were pushed
        self._hop = round(hop * SAMPLE_RATE)
        self._due = round(SEGMENT * SAMPLE_RATE)  # sample at which the next segment ends
        self._wave = np.empty(0, np.float32)
        self._first = 0  # index of _wave[0] in the stream
        self._ended = ended
        self._is_speech = detector()[1]
        self._speech: list[bool] = []  # whether each of the last frames is speech
        self._first_frame = 0  # index of _speech[0] in the stream
        self._splitter = UtteranceSplitter(self._detected)
        self._statistics = (
            normalisation if isinstance(normalisation, NormalisationStatistics) else None
        )
        self._heard = self._statistics  # with what was said since the last segment
        self._by_speaker = normalisation == "speaker" and recognizer.normalises_speakers

    def push(self, samples: ArrayLike) -> list[Segment]:
        """Process samples that follow those of the last call.

        Args:
            samples: ``(samples,)`` or ``(samples, channels)``, int16, int32 or floats in ±1; any
                number of them.

        Returns:
            The segments that ended in them. The label is "uncertain" where there is no speech.

        Raises:
            AudioError: NaN, infinite or absurd samples.
            ValueError: An array of another shape or type.
        """
        block = channels_of(as_array(samples), self._channels)
        if len(block):
            self._channels = block.shape[1]
        return self._process(self._resampler.push(block))

    def close(self) -> list[Segment]:
        """End the stream.

        Returns:
            The last segments. An utterance that had not ended is passed to `ended` first.
        """
        segments = self._process(self._resampler.close())
        self._recognise(self._splitter.close())
        return segments

    def _process(self, wave: Wave) -> list[Segment]:
        """Process samples up to the end of each segment, so that no size of a block matters."""
        segments = []
        while len(wave):
            missing = max(1, self._due - self._first - len(self._wave))
            piece, wave = wave[:missing], wave[missing:]
            self._wave = np.concatenate([self._wave, piece])
            utterances = self._splitter.push(piece)
            if is_due := self._first + len(self._wave) >= self._due:
                segments.append(self._segment(self._due))
                self._due += self._hop
                self._forget()
            self._recognise(utterances)
            if is_due:
                self._statistics = self._heard
        return segments

    def _forget(self) -> None:
        """Drop the samples and flags before the window of the next segment."""
        unused = max(0, self._due - round(WINDOW * SAMPLE_RATE) - self._first)
        unused = min(unused, len(self._wave))  # with a long hop, samples that have not come yet
        self._wave, self._first = self._wave[unused:], self._first + unused
        passed = min(self._frame_of_segment(self._due) - self._first_frame, len(self._speech))
        del self._speech[:passed]
        self._first_frame += passed

    def _detected(self, frames: Wave) -> Flags:
        """Whether frames are speech, for the splitter; also kept for the segments."""
        flags = self._is_speech(frames)
        self._speech += flags.tolist()
        return flags

    def _frame_of_segment(self, end: int) -> int:
        """The first frame of the segment that ends at a sample."""
        return max(0, end - round(SEGMENT * SAMPLE_RATE)) // FRAME

    def _speaks(self, end: int) -> bool:
        """Whether the segment that ends at a sample has speech."""
        first = self._frame_of_segment(end) - self._first_frame
        return any(self._speech[first : end // FRAME - self._first_frame])

    def _segment(self, end: int) -> Segment:
        """The segment that ends at a sample of the stream."""
        start = max(0, end - round(WINDOW * SAMPLE_RATE))
        wave = self._wave[start - self._first : end - self._first]
        recording = make_recording("<stream>", wave)
        [prediction] = self._recognizer.recognise([recording], self._statistics)
        segment = prediction.moved(start / SAMPLE_RATE).segments[-1]
        return segment if self._speaks(end) else replace(segment, label=UNCERTAIN)

    def _recognise(self, utterances: Sequence[Utterance]) -> None:
        """Recognise utterances that have ended, and pass them to the callback."""
        for utterance in utterances:
            [encoded] = self._recognizer.encode([make_recording("<stream>", utterance.wave)])
            if self._by_speaker:
                self._heard = self._recognizer.statistics_of([encoded], self._heard)
            if self._ended:
                self._ended(classify_utterance(self._recognizer, utterance, encoded, self._heard))
