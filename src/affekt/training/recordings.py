"""Recordings of clips, whose waves are made when they are used."""

import hashlib
from collections.abc import Callable

from ..audio.level import rms_normalise
from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from ..errors import AudioError
from ..types import Notice

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
    """A recording that makes its wave when it is used, and holds it if a memory has room.

    Args:
        name: See `Recording`.
        samples: Length of its wave.
        load: Makes its wave, always the same.
        memory: The memory that it shares with other recordings.
        warnings: See `Recording`.
        sampling_rate: See `Recording`.
        identity: Bytes that identify the wave, so that its digest is known before it is made. If
            empty, the digest is the SHA-256 of the samples.

    Attributes:
        memory: The memory.
        samples: Length of its wave.
    """

    memory: Memory
    samples: int
    _load: Callable[[], Wave]
    _wave: Wave | None
    _normalised: Wave | None
    _digests: dict[bool, bytes]

    def __init__(
        self,
        name: str,
        samples: int,
        load: Callable[[], Wave],
        memory: Memory,
        *,
        warnings: tuple[Notice, ...] = (),
        sampling_rate: float = SAMPLE_RATE,
        identity: bytes = b"",
    ) -> None:
        values = {
            "name": name,
            "warnings": warnings,
            "sampling_rate": sampling_rate,
            "memory": memory,
            "samples": samples,
            "_load": load,
            "_wave": None,
            "_normalised": None,
            "_digests": _digests_of(identity),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def wave(self) -> Wave:
        """Samples ``(samples,)``, as of `Recording`.

        Raises:
            AudioError: The file is gone, or has another length by now.
        """
        if self._wave is not None:
            return self._wave
        wave = self._load()
        if len(wave) != self.samples:
            raise AudioError(f"{self.name}: changed since it was first read; start again")
        self.keep(wave)
        return wave

    def keep(self, wave: Wave) -> None:
        """Hold the wave if there is room, else its digests, for which it need not be made again."""
        if self.memory.take(wave):
            object.__setattr__(self, "_wave", wave)
        elif not self._digests:
            waves = {False: wave, True: rms_normalise(wave)}
            self._digests.update((key, _sha256(each)) for key, each in waves.items())

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.samples / SAMPLE_RATE

    def normalised(self) -> Wave:
        """The RMS-normalised wave ``(samples,)``, which is held if there is room."""
        if self._normalised is not None:
            return self._normalised
        wave = rms_normalise(self.wave)
        if self.memory.take(wave):
            object.__setattr__(self, "_normalised", wave)
        return wave

    def digest(self, *, normalised: bool) -> bytes:
        """Digest of the wave: its SHA-256, or that of the identity."""
        if normalised not in self._digests:
            self._digests[normalised] = _sha256(self.normalised() if normalised else self.wave)
        return self._digests[normalised]


def _sha256(wave: Wave) -> bytes:
    return hashlib.sha256(wave.tobytes()).digest()


def _digests_of(identity: bytes) -> dict[bool, bytes]:
    """Digests of a wave and, with the key True, of its normalised wave."""
    if not identity:
        return {}
    return {key: hashlib.sha256(identity + bytes([key])).digest() for key in (False, True)}
