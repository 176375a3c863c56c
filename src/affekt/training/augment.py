"""Copies of training clips that stand for voices the corpus lacks. Training only."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import soxr

from ..audio import Wave
from ..segments import SAMPLE_RATE
from .data import Clip


def with_speeds(clips: Sequence[Clip], speeds: Iterable[float]) -> list[Clip]:
    """The clips, and each again at every speed (Ko et al., 2015).

    Resampling moves pitch and formants with the tempo, so 0.9 and 1.1 make a corpus of ten
    speakers sound like one of thirty.
    """
    copies = [
        replace(clip, recording=replace(clip.recording, wave=_faster(clip, speed)))
        for speed in speeds
        for clip in clips
    ]
    return [*clips, *copies]


def _faster(clip: Clip, speed: float) -> Wave:
    wave: Wave = soxr.resample(clip.recording.wave, SAMPLE_RATE * speed, SAMPLE_RATE)
    return wave
