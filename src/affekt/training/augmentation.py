"""Augmentation: copies of training clips at other speeds and with degraded audio."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..config import Augment
from .clips import Clip
from .degradation import VERSION, degrade, degraded_length, length_at_speed, speed
from .recordings import StoredRecording


@dataclass(frozen=True)
class Change:
    """A change of the sound.

    Attributes:
        name: Such as "speed 0.9" or "degraded 0".
        apply: From a wave to the changed one.
        length: Samples of the changed wave, given those of the wave and its SHA-256.
    """

    name: str
    apply: Callable[[Wave], Wave]
    length: Callable[[int, bytes], int]


def with_copies(clips: Sequence[Clip], settings: Augment) -> list[Clip]:
    """Add copies of each clip at every speed (Ko et al., 2015), and degraded copies.

    Speeds are changed by resampling, which also changes pitch and formants: with 0.9 and 1.1, ten
    speakers sound like thirty.

    Args:
        clips: Training clips.
        settings: Speeds, and number of degraded copies of each clip.

    Returns:
        The clips, followed by the copies.
    """
    copies = [_copy(clip, _speed(factor)) for factor in settings.speeds for clip in clips]
    copies += [
        _copy(clip, _degradation(i))
        for i in range(math.ceil(settings.degraded))
        for clip in clips
        if i + _fraction(clip) < settings.degraded
    ]
    return [*clips, *copies]


def _fraction(clip: Clip) -> float:
    """A number in [0, 1) that depends on the name of the clip alone, spread evenly over clips."""
    return zlib.crc32(clip.example.id.encode()) / 2**32


def _speed(factor: float) -> Change:
    return Change(
        f"speed {factor}",
        partial(speed, factor=factor),
        lambda samples, digest: length_at_speed(samples, factor),
    )


def _degradation(number: int) -> Change:
    return Change(
        f"degraded {number}",
        partial(degrade, copy=number),
        lambda samples, digest: degraded_length(samples, number, digest),
    )


def _copy(clip: Clip, change: Change) -> Clip:
    """A copy of a clip; see `Clip.copies`."""
    if change.name not in clip.copies:
        clip.copies[change.name] = _changed(clip.recording, change)
    return replace(clip, recording=clip.copies[change.name], copies={}, change=change.name)


def _changed(source: Recording, change: Change) -> Recording:
    """A recording with a changed wave, which is made when it is used."""
    if not isinstance(source, StoredRecording):
        return replace(source, wave=change.apply(source.wave))
    digest = source.digest(normalised=False)
    return StoredRecording(
        source.name,
        change.length(source.samples, digest),
        partial(_apply, source, change.apply),
        source.memory,
        warnings=source.warnings,
        sampling_rate=source.sampling_rate,
        identity=digest + f"{change.name} {VERSION}".encode(),
    )


def _apply(source: Recording, change: Callable[[Wave], Wave]) -> Wave:
    return change(source.wave)
