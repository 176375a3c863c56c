"""Augmentation: copies of training clips at other speeds and with degraded audio."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..config import Augment
from .clips import Clip
from .degradation import degrade, speed
from .recordings import StoredRecording

Change = Callable[[Wave], Wave]


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
    copies = [
        _copy(clip, f"speed {factor}", partial(speed, factor=factor))
        for factor in settings.speeds
        for clip in clips
    ]
    copies += [
        _copy(clip, f"degraded {i}", partial(degrade, copy=i))
        for i in range(math.ceil(settings.degraded))
        for clip in clips
        if i + _fraction(clip) < settings.degraded
    ]
    return [*clips, *copies]


def _fraction(clip: Clip) -> float:
    """A number in [0, 1) that depends on the name of the clip alone, spread evenly over clips."""
    return zlib.crc32(clip.example.id.encode()) / 2**32


def _copy(clip: Clip, name: str, change: Change) -> Clip:
    """A copy of a clip; see `Clip.copies`."""
    if name not in clip.copies:
        clip.copies[name] = _changed(clip.recording, change)
    return replace(clip, recording=clip.copies[name], copies={}, change=name)


def _changed(source: Recording, change: Change) -> Recording:
    """A recording with a changed wave, which is made again where it does not fit in memory."""
    copy = Recording(source.name, change(source.wave), source.warnings, source.sampling_rate)
    if not isinstance(source, StoredRecording):
        return copy
    return StoredRecording(copy, partial(_change, source, change), source.memory)


def _change(source: Recording, change: Change) -> Wave:
    return change(source.wave)
