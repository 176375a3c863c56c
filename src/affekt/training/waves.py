"""Waves and segments of clips, made when they are needed."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

from ..audio.level import rms_normalise
from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..audio.segmentation import Spans, uniform
from ..config import Config
from .recordings import StoredRecording


class Waves(Sequence[Wave]):
    """Waves ``(samples,)`` of recordings.

    Args:
        recordings: The recordings.
        normalise: Whether they are RMS-normalised.
    """

    def __init__(self, recordings: Sequence[Recording], *, normalise: bool = False) -> None:
        self._recordings, self._normalise = recordings, normalise

    def __len__(self) -> int:
        return len(self._recordings)

    def __iter__(self) -> Iterator[Wave]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Wave:  # type: ignore[override]  # no slices
        recording = self._recordings[index]
        if not self._normalise:
            return recording.wave
        if isinstance(recording, StoredRecording):
            return recording.normalised()
        return rms_normalise(recording.wave)

    def seconds(self, index: int) -> float:
        """Duration of a wave, which need not be made for it."""
        return self._recordings[index].seconds

    def digest(self, index: int) -> bytes:
        """SHA-256 of the samples of a wave."""
        recording = self._recordings[index]
        if isinstance(recording, StoredRecording):
            return recording.digest(normalised=self._normalise)
        return hashlib.sha256(self[index].tobytes()).digest()


class Segments(Sequence[Spans]):
    """Segments ``(segments, 2)`` of clips, cut when they are needed: arrays would take memory.

    Args:
        number: Number of clips.
        cut: From the index of a clip to its segments.
    """

    def __init__(self, number: int, cut: Callable[[int], Spans]) -> None:
        self._number, self._cut = number, cut

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Spans]:
        return map(self._cut, range(self._number))

    def __getitem__(self, index: int) -> Spans:  # type: ignore[override]  # no slices
        return self._cut(index)


def prepared(recordings: Sequence[Recording], config: Config) -> tuple[Waves, Segments]:
    """Waves and uniform segments of recordings: the same in training, validation and test.

    They depend on no label.

    Args:
        recordings: The recordings.
        config: Settings.
    """
    waves = Waves(recordings, normalise=config.audio.normalisation == "rms")
    hop = config.segments.hop
    return waves, Segments(len(recordings), lambda i: uniform(recordings[i].seconds, hop))
