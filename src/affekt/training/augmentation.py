"""Copies of training clips that stand for voices and recordings the corpus lacks. Training only."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..audio.resampling import Wave
from ..config import Augment
from .clips import Clip
from .degradation import degrade, speed


def with_copies(clips: Sequence[Clip], settings: Augment) -> list[Clip]:
    """The clips, and each again at every speed (Ko et al., 2015) and degraded so many times.

    Resampling moves pitch and formants with the tempo, so 0.9 and 1.1 make a corpus of ten
    speakers sound like one of thirty.
    """
    changes = [partial(speed, factor=factor) for factor in settings.speeds]
    changes += [partial(degrade, copy=copy) for copy in range(settings.degraded)]
    return [*clips, *(_changed(clip, change) for change in changes for clip in clips)]


def _changed(clip: Clip, change: Callable[[Wave], Wave]) -> Clip:
    return replace(clip, recording=replace(clip.recording, wave=change(clip.recording.wave)))
