"""Recordings that are the same to the ear: re-encoded, louder, trimmed, with a little noise.

A coarse log-mel picture of each clip; pairs of like timbre are compared along time at every
small shift.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...audio.level import rms_normalise
from ...audio.resampling import Wave
from ...nn.encoders.melspec import vggish_log_mel
from ...nn.encoders.vggish import WINDOW

BANDS = 16
STEP = 5  # frames of 10 ms that are pooled
RANGE = 4.0  # below the loudest place, in log units, sound counts as none
EDGE = 1.0  # below the loudest step a step is not loud
NEAR = 2.2  # distance of timbres within which pairs are looked at
SHIFT = 12  # steps of 50 ms by which one may start later
SAME = 0.95  # correlation of the pictures
OVERLAP = 0.8  # of the longer clip that both must share

Picture = NDArray[np.float32]  # (steps, bands)


def picture(wave: Wave) -> Picture:
    """Coarse log-mel ``(steps, 16)`` of a clip.

    What lies far below the clip's loudest place counts as no sound at all, so that neither
    level nor a little noise matter.
    """
    missing = max(0, WINDOW * (STEP + 2) - len(wave))
    padded = F.pad(torch.from_numpy(rms_normalise(wave)), (0, missing))
    mel = vggish_log_mel(padded)
    pooled = F.avg_pool2d(mel[None], (STEP, mel.shape[-1] // BANDS))[0]
    return np.asarray((pooled - pooled.max()).clamp_min(-RANGE).numpy(), np.float32)


def same_sound(pictures: Sequence[Picture]) -> list[tuple[int, int, float]]:
    """Pairs of clips that are one recording, with the correlation that says so."""
    if len(pictures) < 2:
        return []
    timbres = np.stack([_timbre(p) for p in pictures])
    found = []
    for i, j in sorted(KDTree(timbres).query_pairs(NEAR)):
        likeness = _correlation(pictures[i], pictures[j])
        if likeness > SAME:
            found.append((i, j, likeness))
    return found


def _timbre(picture: Picture) -> NDArray[np.float32]:
    """Mean of the loud steps ``(16,)``: silence around a clip does not move it."""
    loudness = picture.mean(1)
    return np.asarray(picture[loudness > loudness.max() - EDGE].mean(0), np.float32)


def _correlation(one: Picture, other: Picture) -> float:
    """The best over small shifts, of the parts that overlap."""
    longest, best = max(len(one), len(other)), 0.0
    if min(len(one), len(other)) < OVERLAP * longest:
        return best
    for shift in range(-SHIFT, SHIFT + 1):
        a, b = (one[shift:], other) if shift >= 0 else (one, other[-shift:])
        shared = min(len(a), len(b))
        if shared < OVERLAP * longest or shared < 2:
            continue
        x, y = (p[:shared] - p[:shared].mean(0) for p in (a, b))
        norm = float(np.linalg.norm(x) * np.linalg.norm(y))
        if norm > 0:
            best = max(best, float((x * y).sum()) / norm)
    return best
