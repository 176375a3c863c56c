"""Augmentation: copies of training clips at other speeds and with degraded audio."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..audio.resampling import Wave
from ..config import Augment
from .clips import Clip
from .degradation import degrade, speed


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
    changes = [partial(speed, factor=factor) for factor in settings.speeds]
    changes += [partial(degrade, copy=copy) for copy in range(settings.degraded)]
    return [*clips, *(_changed(clip, change) for change in changes for clip in clips)]


def _changed(clip: Clip, change: Callable[[Wave], Wave]) -> Clip:
    return replace(clip, recording=replace(clip.recording, wave=change(clip.recording.wave)))
