"""Augmentation: copies of training clips at other speeds and with degraded audio."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..audio.resampling import Wave
from ..config import Augment
from .clips import Clip
from .degradation import degrade, speed

Change = Callable[[Wave], Wave]


def with_copies(clips: Sequence[Clip], settings: Augment) -> list[Clip]:
    """Add copies of each clip at every speed (Ko et al., 2015), and degraded copies.

    Speeds are changed by resampling, which also changes pitch and formants: with 0.9 and 1.1, ten
    speakers sound like thirty.

    Args:
        clips: Training clips.
        settings: Speeds, and number of degraded copies.

    Returns:
        The clips, followed by the copies.
    """
    changes: dict[str, Change] = {f"speed {f}": partial(speed, factor=f) for f in settings.speeds}
    changes |= {f"degraded {i}": partial(degrade, copy=i) for i in range(settings.degraded)}
    return [*clips, *(_copy(clip, *change) for change in changes.items() for clip in clips)]


def _copy(clip: Clip, name: str, change: Change) -> Clip:
    """A copy of a clip; see `Clip.copies`."""
    if name not in clip.copies:
        clip.copies[name] = change(clip.recording.wave)
    return replace(clip, recording=replace(clip.recording, wave=clip.copies[name]), copies={})
