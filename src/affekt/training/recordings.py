"""Recordings of clips, which are decoded again where they do not fit in memory."""

import hashlib
from collections.abc import Callable

from ..audio.level import rms_normalise
from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from ..errors import AudioError

MEMORY = 1 << 28  # bytes of waves that the clips of a training hold together; over an hour


class Memory:
    """Bytes that recordings may still hold together."""

    def __init__(self) -> None:
        self._left = MEMORY

    def take(self, wave: Wave) -> bool:
        """Whether there is room for a wave, which is then taken."""
        fits = wave.nbytes <= self._left
        self._left -= wave.nbytes * fits
        return fits


class StoredRecording(Recording):
    """A recording that holds its wave only if there is room in a memory.

    Args:
        recording: The recording.
        load: Makes its wave again, always the same.
        memory: The memory that it shares with other recordings.

    Attributes:
        memory: The memory.
    """

    memory: Memory
    _samples: int
    _load: Callable[[], Wave]
    _wave: Wave | None
    _normalised: Wave | None
    _digests: tuple[bytes, bytes]

    def __init__(self, recording: Recording, load: Callable[[], Wave], memory: Memory) -> None:
        wave = recording.wave
        values = {
            "name": recording.name,
            "warnings": recording.warnings,
            "sampling_rate": recording.sampling_rate,
            "memory": memory,
            "_samples": len(wave),
            "_load": load,
            "_wave": wave if memory.take(wave) else None,
            "_normalised": None,
            "_digests": (b"", b""),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def wave(self) -> Wave:
        """Samples ``(samples,)``, as of `Recording`.

        Raises:
            AudioError: The file is gone, or has another length by now.
        """
        if self._wave is not None:
            return self._wave
        wave = self._load()
        if len(wave) != self._samples:
            raise AudioError(f"{self.name}: changed since it was first read; start again")
        return wave

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self._samples / SAMPLE_RATE

    def normalised(self) -> Wave:
        """The RMS-normalised wave ``(samples,)``, which is held if there is room."""
        if self._normalised is not None:
            return self._normalised
        wave = rms_normalise(self.wave)
        if self.memory.take(wave):
            object.__setattr__(self, "_normalised", wave)
        return wave

    def digest(self, *, normalised: bool) -> bytes:
        """SHA-256 of the wave, which is computed once."""
        if not self._digests[normalised]:
            wave = self.normalised() if normalised else self.wave
            digest = hashlib.sha256(wave.tobytes()).digest()
            digests = (self._digests[0], digest) if normalised else (digest, self._digests[1])
            object.__setattr__(self, "_digests", digests)
        return self._digests[normalised]
