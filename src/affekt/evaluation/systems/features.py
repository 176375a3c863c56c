"""Feature vectors of a clip: the feature sets of openSMILE, and MFCC with RASTA-PLP."""

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic import write
from ...audio.resampling import Wave
from ...audio.segmentation import SAMPLE_RATE, SEGMENT
from ...extras import optional_import
from .rasta import VERSION, mfcc_rasta_plp

Vector = NDArray[np.float32]
OPENSMILE = {"gemaps": "GeMAPSv01b", "egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}


class FeatureCache:
    """Feature vectors, cached on disk by the samples, the feature set and its version.

    Args:
        name: ``gemaps`` (62), ``egemaps`` (88), ``compare`` (6373) or ``mfcc-rasta-plp`` (702).
        folder: Folder of the cache; None for no cache.
    """

    def __init__(self, name: str, folder: Path | None) -> None:
        self.name = name
        self.folder = folder
        if name in OPENSMILE:
            self._key = f"{name} opensmile {_opensmile_version()}"
            self._compute: Callable[[Wave], Vector] = _opensmile(OPENSMILE[name])
        else:
            self._key = f"{name} version {VERSION}"
            self._compute = mfcc_rasta_plp

    def __call__(self, wave: Wave) -> Vector:
        """Compute the vector of a wave ``(samples,)`` at 16 kHz, or read it from the cache.

        A wave shorter than a segment is padded with zeros; values that are not finite become
        finite.
        """
        if self.folder is None:
            return self._vector(wave)
        name = hashlib.sha256(self._key.encode() + wave.tobytes()).hexdigest()
        path = self.folder / name[:2] / f"{name}.npy"
        try:
            return np.asarray(np.load(path, allow_pickle=False), np.float32)
        except (OSError, ValueError):
            vector = self._vector(wave)
            write(path, lambda part: np.save(part, vector, allow_pickle=False))
            return vector

    def _vector(self, wave: Wave) -> Vector:
        missing = round(SEGMENT * SAMPLE_RATE) - len(wave)
        padded = np.pad(wave, (0, max(0, missing)))
        return np.nan_to_num(self._compute(padded)).astype(np.float32)


def _opensmile_version() -> str:
    with optional_import("openSMILE (its license allows private and research use only)"):
        return version("opensmile")


@cache
def _opensmile(feature_set: str) -> Callable[[Wave], Vector]:
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel.Functionals,
        sampling_rate=SAMPLE_RATE,
    )

    def compute(wave: Wave) -> Vector:
        table = smile.process_signal(wave, SAMPLE_RATE)
        return np.asarray(table.to_numpy()[0], np.float32)

    return compute
