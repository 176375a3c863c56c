"""The voice encoder: CAM++ (Wang et al., 2023), one embedding of who speaks for each window.

The weights are those that the authors trained on some 200 000 speakers (see NOTICE). Normalisation
layers are folded into the convolutions, whose weights are stored in 8 bits with one scale for each
output channel. The mean voice and the directions in which the emotions of one speaker differ are
from acted corpora (``benchmarks/voice_weights.py``).
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE

WEIGHTS = Path(str(resources.files("affekt") / "models/voices.safetensors"))
DIM = 192
WINDOW = 2 * SAMPLE_RATE  # samples of a window
BATCH = 4  # windows at a time; more fall out of the cache of a core
BANDS = 80
FRAME, HOP, FFT = 400, 160, 512  # samples
CONTEXT = 100  # frames of which a dense layer sees the mean, beside that of the window
BLOCKS = ((12, 1), (24, 2), (16, 2))  # dense layers and dilation of each block


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
    weights = _weights()
    found = [
        _network(_filter_banks(torch.from_numpy(waves[i : i + BATCH])), weights)
        for i in range(0, len(waves), BATCH)
    ]
    embeddings = F.normalize(torch.cat(found) if found else torch.empty(0, DIM), dim=1)
    return embeddings.double().numpy()


def raw_embeddings(waves: Sequence[Wave], most: int = 2) -> NDArray[np.float64]:
    """Mean embeddings ``(utterances, 192)``, of unit length, of the windows of each utterance.

    Args:
        waves: Samples ``(samples,)`` of each utterance, 16 kHz, at least one sample.
        most: Largest number of 2 s windows of an utterance.
    """
    cut = [windows(wave, most) for wave in waves]
    if not cut:
        return np.empty((0, DIM))
    embeddings = embed_windows(np.concatenate(cut))
    ends = np.cumsum([len(each) for each in cut])
    return _unit(np.stack([part.mean(0) for part in np.split(embeddings, ends[:-1])]))


def voice_embeddings(waves: Sequence[Wave], most: int = 2) -> NDArray[np.float64]:
    """Voice embeddings ``(utterances, 192)`` of unit length, without what varies with emotion.

    Args:
        waves: Samples ``(samples,)`` of each utterance, 16 kHz, at least one sample.
        most: Largest number of 2 s windows of an utterance.
    """
    weights = _weights()
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


@cache
def _weights() -> dict[str, Tensor]:
    """Weights of the convolutions, restored from 8 bits; biases and scales as they are stored."""
    stored = load_file(WEIGHTS)
    restored = {}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            scale = stored[f"{name}.scale"]
            tensor = tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
        restored[name] = tensor
    return restored


@cache
def _mel_bands() -> Tensor:
    """Triangular filters of Kaldi ``(257, 80)``, 20-8000 Hz."""
    mels = 1127 * torch.log1p(torch.arange(FFT // 2 + 1, dtype=torch.float64) * 31.25 / 700)
    low, high = (1127 * float(np.log1p(hertz / 700)) for hertz in (20, 8000))
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    step = edges[1] - edges[0]
    rise, fall = (mels[:, None] - edges[:-2]) / step, (edges[2:] - mels[:, None]) / step
    return torch.minimum(rise, fall).clamp_min(0).float()


def _filter_banks(waves: Tensor) -> Tensor:
    """Log-mel energies ``(windows, 80, frames)`` as Kaldi computes them, less their mean in time.

    Args:
        waves: ``(windows, samples)``.
    """
    frames = waves.unfold(-1, FRAME, HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(FRAME, periodic=False).pow(0.85)
    spectrum = torch.fft.rfft((frames - 0.97 * before) * window, n=FFT).abs().square()
    mel = (spectrum @ _mel_bands()).clamp_min(torch.finfo(torch.float32).eps).log()
    return (mel - mel.mean(1, keepdim=True)).transpose(1, 2)


def _network(mel: Tensor, w: dict[str, Tensor]) -> Tensor:
    """Embeddings ``(windows, 192)`` of ``(windows, 80, frames)``."""
    x = F.relu(_conv2d(mel[:, None], w, "head.conv1"))
    for block in ("head.layer1.0", "head.layer1.1", "head.layer2.0", "head.layer2.1"):
        x = _residual(x, w, block)
    x = F.relu(_conv2d(x, w, "head.conv2", 2)).flatten(1, 2)
    x = F.relu(F.conv1d(x, w["tdnn"], w["tdnn.bias"], stride=2, padding=2))
    for number, (layers, dilation) in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            x = torch.cat([x, _dense(x, w, f"block{number}.{layer}", dilation)], 1)
        x = F.conv1d(_activated(x, w, f"transit{number}"), w[f"transit{number}"])
    x = _activated(x, w, "out")
    statistics = torch.cat([x.mean(-1), x.std(-1)], -1)
    return F.linear(statistics, w["embedding"], w["embedding.bias"])


def _conv2d(x: Tensor, w: dict[str, Tensor], name: str, stride: int = 1) -> Tensor:
    """Convolution ``(windows, channels, bands, frames)`` with a stride over the bands.

    Args:
        x: Input.
        w: All weights.
        name: Name of the layer.
        stride: Over the bands.
    """
    weight = w[name]
    return F.conv2d(x, weight, w[f"{name}.bias"], (stride, 1), weight.shape[-1] // 2)


def _residual(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    """Residual block; one with a shortcut halves the bands."""
    shortcut = f"{name}.shortcut"
    halves = shortcut in w
    y = F.relu(_conv2d(x, w, f"{name}.conv1", 2 if halves else 1))
    y = _conv2d(y, w, f"{name}.conv2")
    return F.relu(y + (_conv2d(x, w, shortcut, 2) if halves else x))


def _activated(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    """Normalisation, which no convolution before it can take in, and ReLU."""
    return F.relu(x * w[f"{name}.gain"][:, None] + w[f"{name}.offset"][:, None])


def _dense(x: Tensor, w: dict[str, Tensor], name: str, dilation: int) -> Tensor:
    """Channels that a dense layer adds, weighed by the context of each frame.

    Args:
        x: ``(windows, channels, frames)``.
        w: All weights.
        name: Name of the layer.
        dilation: Of its convolution.
    """
    y = F.relu(F.conv1d(_activated(x, w, name), w[f"{name}.in"], w[f"{name}.in.bias"]))
    context = y.mean(-1, keepdim=True) + _means(y)
    hidden = F.relu(F.conv1d(context, w[f"{name}.squeeze"], w[f"{name}.squeeze.bias"]))
    mask = F.conv1d(hidden, w[f"{name}.mask"], w[f"{name}.mask.bias"]).sigmoid()
    local = F.conv1d(y, w[f"{name}.local"], padding=dilation, dilation=dilation)
    return local * mask.repeat_interleave(CONTEXT, -1)[..., : x.shape[-1]]


def _means(x: Tensor) -> Tensor:
    """Means over stretches of 100 frames; the last may be shorter."""
    return F.avg_pool1d(x, CONTEXT, CONTEXT, ceil_mode=True)
