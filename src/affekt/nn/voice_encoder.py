"""The voice encoder: one embedding of who speaks for each window, from CAM++.

The mean voice and the directions in which the emotions of one speaker differ are from acted corpora
(``benchmarks/voice_weights.py``).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from .encoders.campplus import CAMPlusPlus, load_weights

DIM = 192
WINDOW = 2 * SAMPLE_RATE  # samples of a window
BATCH = 4  # windows at a time; more fall out of the cache of a core


def windows(wave: Wave, most: int) -> NDArray[np.float32]:
    """Windows ``(windows, 32000)`` of 2 s, evenly spaced over a wave ``(samples,)``.

    A shorter wave is repeated until it fills a window.

    Args:
        wave: At 16 kHz, at least one sample.
        most: Largest number of windows.
    """
    if len(wave) < WINDOW:
        wave = np.resize(wave, WINDOW)
    number = min(most, -(-len(wave) // WINDOW))
    if number == 1:
        starts = np.array([(len(wave) - WINDOW) // 2])
    else:
        starts = np.linspace(0, len(wave) - WINDOW, number).astype(int)
    return np.stack([wave[start : start + WINDOW] for start in starts]).astype(np.float32)


@torch.inference_mode()
def embed_windows(waves: NDArray[np.float32]) -> NDArray[np.float64]:
    """Embeddings ``(windows, 192)`` of unit length of windows ``(windows, 32000)``."""
    weights, found = load_weights(), [torch.empty(0, DIM)]
    for i in range(0, len(waves), BATCH):
        frames = _network()(torch.from_numpy(waves[i : i + BATCH]))
        statistics = torch.cat([frames.mean(1), frames.std(1)], -1)
        found.append(F.linear(statistics, weights["embedding"], weights["embedding.bias"]))
    return F.normalize(torch.cat(found), dim=1).double().numpy()


@cache
def _network() -> CAMPlusPlus:
    return CAMPlusPlus().eval()


def raw_embeddings(waves: Sequence[Wave], most: int = 2) -> NDArray[np.float64]:
    """Mean embeddings ``(utterances, 192)``, of unit length, of the windows of each utterance.

    Args:
        waves: Samples ``(samples,)`` of each utterance, 16 kHz, at least one sample.
        most: Largest number of 2 s windows of an utterance.
    """
    cut = [windows(wave, most) for wave in waves]
    if not cut:
        return np.empty((0, DIM))
    embedded = embed_windows(np.concatenate(cut))
    ends = np.cumsum([len(each) for each in cut])
    return _unit(np.stack([part.mean(0) for part in np.split(embedded, ends[:-1])]))


def voice_embeddings(waves: Sequence[Wave], most: int = 2) -> NDArray[np.float64]:
    """Voice embeddings ``(utterances, 192)`` of unit length, without what varies with emotion.

    Args:
        waves: Samples ``(samples,)`` of each utterance, 16 kHz, at least one sample.
        most: Largest number of 2 s windows of an utterance.
    """
    weights = load_weights()
    return without_emotion(
        raw_embeddings(waves, most), weights["mean"].numpy(), weights["emotion"].numpy()
    )


def without_emotion(
    raw: NDArray[np.float64], mean: NDArray[np.float32], emotion: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Embeddings relative to the mean voice, without the directions in which emotions differ.

    Args:
        raw: ``(utterances, 192)`` from `raw_embeddings`.
        mean: Mean voice ``(192,)``.
        emotion: Orthonormal directions ``(192, directions)``.
    """
    relative = raw - mean
    return _unit(relative - relative @ emotion @ emotion.T)


def _unit(embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12))
