"""CAM++ (Wang et al., 2023): a network that tells speakers apart.

The weights are those that the authors trained on some 200 000 speakers (see NOTICE). Normalisation
layers are folded into the convolutions, whose weights are stored in 8 bits with one scale for each
output channel. `affekt.nn.voice_encoder` uses the embedding of who speaks, `CAMPlusPlus` the frames
before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from math import log1p
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from ...audio.segmentation import SEGMENT_FRAMES
from .hashing import file_hash
from .melspec import without_autocast
from .protocol import SegmentEncoder
from .whisper import hidden_frame

WEIGHTS = Path(str(resources.files("affekt") / "models/voices.safetensors"))
BANDS = 80
FRAME, HOP, FFT = 400, 160, 512  # samples
CONTEXT = 100  # frames of which a dense layer sees the mean, beside that of the window
BLOCKS = ((12, 1), (24, 2), (16, 2))  # dense layers and dilation of each block
WIDTH = 512  # channels after block 2, and before the last layer
UNUSED = ("embedding", "mean", "emotion")  # weights of the last layer and of what follows it

Weights = Mapping[str, Tensor]


class CAMPlusPlus(SegmentEncoder):
    """Embeddings: mean and standard deviation of the frames of a segment at two depths.

    These are after block 2 and before the last layer. What makes voices differ is also what emotion
    changes in them: these frames recognise emotion nearly as well as those of Whisper, and other
    emotions (results/default-model.md). The weights are the bundled ones and stay as they are in
    training. A clip shorter than a segment is pooled over its own frames.
    """

    dim = 4 * WIDTH
    parts = (2 * WIDTH, 2 * WIDTH)
    contextual = True

    def __init__(self) -> None:
        super().__init__()
        self._names = {}
        for name, tensor in load_weights().items():
            if not name.startswith(UNUSED) and not name.endswith(".scale"):
                self._names[name] = name.replace(".", "_")
                self.register_buffer(self._names[name], tensor.clone())
        self.origin = f"CAM++, out of the package (sha256 {file_hash(WEIGHTS)[:12]})"

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`; clips are encoded one by one, since a batch is not faster."""
        weights = {name: getattr(self, own) for name, own in self._names.items()}
        return torch.cat([
            _pooled(frames(wave, weights), span) for wave, span in zip(waves, spans, strict=True)
        ])  # fmt: skip


def frames(wave: Tensor, weights: Weights) -> Tensor:
    """Frames ``(frames, 1024)``, 50 per second, of a wave ``(samples,)``: first those of block 2."""
    padded = F.pad(wave, (0, max(0, FRAME - len(wave))))
    _, middle, last = convolved(filter_banks(padded[None]), weights)
    return torch.cat([middle, _activated(last, weights, "out")], 1)[0].T


def _pooled(frames: Tensor, spans: Tensor) -> Tensor:
    """Mean and standard deviation ``(segments, 2048)`` of the frames of each segment, by depth.

    The last window of the filter banks ends before the clip does: the last frame is repeated.
    """
    starts = hidden_frame(spans[:, 0]).to(frames.device)[:, None]
    index = starts + torch.arange(SEGMENT_FRAMES // 2, device=frames.device)
    segments = frames[index.clamp(max=len(frames) - 1)]
    mean = segments.mean(1)
    variance = (segments - mean[:, None]).square().mean(1)
    both = torch.stack([mean, variance.sqrt()], 1)  # (segments, 2, 1024)
    return both.unflatten(-1, (2, WIDTH)).transpose(1, 2).flatten(1)


def embeddings(waves: Tensor) -> Tensor:
    """Embeddings of who speaks ``(windows, 192)`` of windows ``(windows, samples)``."""
    weights = load_weights()
    *_, last = convolved(filter_banks(waves), weights)
    x = _activated(last, weights, "out")
    statistics = torch.cat([x.mean(-1), x.std(-1)], -1)
    return F.linear(statistics, weights["embedding"], weights["embedding.bias"])


@cache
def load_weights() -> dict[str, Tensor]:
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
def mel_bands() -> Tensor:
    """Triangular filters of Kaldi ``(257, 80)``, 20-8000 Hz."""
    mels = 1127 * torch.log1p(torch.arange(FFT // 2 + 1, dtype=torch.float64) * 31.25 / 700)
    low, high = (1127 * log1p(hertz / 700) for hertz in (20, 8000))
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    step = edges[1] - edges[0]
    rise, fall = (mels[:, None] - edges[:-2]) / step, (edges[2:] - mels[:, None]) / step
    return torch.minimum(rise, fall).clamp_min(0).float()


def filter_banks(waves: Tensor) -> Tensor:
    """Log-mel energies ``(windows, 80, frames)`` as Kaldi computes them, less their mean in time.

    Args:
        waves: ``(windows, samples)``.
    """
    frames = waves.unfold(-1, FRAME, HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(FRAME, periodic=False, device=waves.device).pow(0.85)
    spectrum = torch.fft.rfft((frames - 0.97 * before) * window, n=FFT).abs().square()
    with without_autocast(waves.device.type):
        mel = (spectrum @ mel_bands().to(spectrum)).clamp_min(torch.finfo(torch.float32).eps).log()
    return (mel - mel.mean(1, keepdim=True)).transpose(1, 2)


def convolved(mel: Tensor, w: Weights) -> Iterator[Tensor]:
    """Outputs ``(windows, channels, frames / 2)`` of the dense blocks, one after another.

    Args:
        mel: ``(windows, 80, frames)``.
        w: All weights.
    """
    x = F.relu(_conv2d(mel[:, None], w, "head.conv1"))
    for block in ("head.layer1.0", "head.layer1.1", "head.layer2.0", "head.layer2.1"):
        x = _residual(x, w, block)
    x = F.relu(_conv2d(x, w, "head.conv2", 2)).flatten(1, 2)
    x = F.relu(F.conv1d(x, w["tdnn"], w["tdnn.bias"], stride=2, padding=2))
    for number, (layers, dilation) in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            x = torch.cat([x, _dense(x, w, f"block{number}.{layer}", dilation)], 1)
        x = F.conv1d(_activated(x, w, f"transit{number}"), w[f"transit{number}"])
        yield x


def _conv2d(x: Tensor, w: Weights, name: str, stride: int = 1) -> Tensor:
    """Convolution ``(windows, channels, bands, frames)`` with a stride over the bands.

    Args:
        x: Input.
        w: All weights.
        name: Name of the layer.
        stride: Over the bands.
    """
    weight = w[name]
    return F.conv2d(x, weight, w[f"{name}.bias"], (stride, 1), weight.shape[-1] // 2)


def _residual(x: Tensor, w: Weights, name: str) -> Tensor:
    """Residual block; one with a shortcut halves the bands."""
    shortcut = f"{name}.shortcut"
    halves = shortcut in w
    y = F.relu(_conv2d(x, w, f"{name}.conv1", 2 if halves else 1))
    y = _conv2d(y, w, f"{name}.conv2")
    return F.relu(y + (_conv2d(x, w, shortcut, 2) if halves else x))


def _activated(x: Tensor, w: Weights, name: str) -> Tensor:
    """Normalisation, which no convolution before it can take in, and ReLU."""
    return F.relu(x * w[f"{name}.gain"][:, None] + w[f"{name}.offset"][:, None])


def _dense(x: Tensor, w: Weights, name: str, dilation: int) -> Tensor:
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
