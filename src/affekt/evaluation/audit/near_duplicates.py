"""Near-duplicates: one recording re-encoded, at another level, trimmed, or with slight noise.

Clips are compared by a coarse log-mel spectrogram. Pairs with a similar mean spectrum are
correlated over time, at every small shift.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...audio.level import rms_normalise
from ...audio.resampling import Wave
from ...nn.encoders.melspec import WINDOW, vggish_log_mel

BANDS = 16
STEP = 5  # frames of 10 ms that are averaged
RANGE = 4.0  # natural log units below the maximum at which the spectrogram is cut off
LOUD = 1.0  # natural log units below the loudest step down to which a step is loud
NEAR = 2.2  # largest distance of the mean spectra of a pair
SHIFT = 12  # largest shift of a pair, in steps of 50 ms
SAME = 0.95  # least correlation of a pair
LEAST = 10  # steps of a clip without its silence; a shorter rest, such as a click, is not cut out
OVERLAP = 0.8  # least share of the longer clip that overlaps

Spectrogram = NDArray[np.float32]  # (steps, bands)


def coarse_log_mel(wave: Wave) -> Spectrogram:
    """Coarse log-mel spectrogram ``(steps, 16)`` of a clip ``(samples,)``.

    It is relative to its maximum and cut off below, so that neither the level nor slight noise
    changes it, and without the silence before and after, which may have been added.
    """
    missing = max(0, WINDOW * (STEP + 2) - len(wave))
    padded = F.pad(torch.from_numpy(rms_normalise(wave)), (0, missing))
    mel = vggish_log_mel(padded)
    pooled = F.avg_pool2d(mel[None], (STEP, mel.shape[-1] // BANDS))[0]
    relative = (pooled - pooled.max()).clamp_min(-RANGE).numpy()
    loud = np.flatnonzero(relative.max(1) > -RANGE + LOUD)
    speech = relative[loud[0] : loud[-1] + 1]
    return np.asarray(speech if len(speech) >= LEAST else relative, np.float32)


def matching_pairs(spectrograms: Sequence[Spectrogram]) -> list[tuple[int, int, float]]:
    """Indices of clips that are the same recording, two by two, with their correlation."""
    if len(spectrograms) < 2:
        return []
    spectra = np.stack([_mean_spectrum(s) for s in spectrograms])
    found = []
    for i, j in sorted(KDTree(spectra).query_pairs(NEAR)):
        correlation = _correlation(spectrograms[i], spectrograms[j])
        if correlation > SAME:
            found.append((i, j, correlation))
    return found


def _mean_spectrum(spectrogram: Spectrogram) -> NDArray[np.float32]:
    """Mean of the loud steps ``(16,)``; silence before or after the speech does not change it."""
    level = spectrogram.mean(1)
    return np.asarray(spectrogram[level > level.max() - LOUD].mean(0), np.float32)


def _correlation(one: Spectrogram, other: Spectrogram) -> float:
    """Largest correlation of the overlapping parts, over small shifts."""
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
