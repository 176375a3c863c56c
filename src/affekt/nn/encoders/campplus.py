"""CAM++ (Wang et al., 2023): a network that tells speakers apart.

The weights are those that the authors trained on some 200 000 speakers (see NOTICE). Normalisation
layers are folded into the convolutions, whose weights are stored in 8 bits with one scale for each
output channel. `affekt.nn.voice_encoder` uses the embedding of who speaks, `VoiceFrames` the frames
before it. Convolutions in time are matrix products here, which are faster.
"""

from functools import cache
from importlib import resources
from math import log1p
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from .melspec import without_autocast

WEIGHTS = Path(str(resources.files("affekt") / "models/voices.safetensors"))
BANDS = 80
FRAME, HOP, FFT = 400, 160, 512  # samples
CHANNELS = 32  # of the head, and that each dense layer adds
INNER, SQUEEZED = 128, 64  # channels inside a dense layer
CONTEXT = 100  # frames of which a dense layer sees the mean, beside that of the clip
BLOCKS = ((12, 1), (24, 2), (16, 2))  # dense layers and dilation of each block
WIDTH = 512  # channels after block 2, and after the last


class CAMPlusPlus(nn.Module):
    """The layers before the embedding of who speaks, with the bundled weights.

    Args:
        blocks: Number of dense blocks, the first ones. An activation follows the last of all.
    """

    def __init__(self, blocks: int = len(BLOCKS)) -> None:
        super().__init__()
        self.head = Head()
        self.tdnn = nn.Linear(5 * CHANNELS * BANDS // 8, INNER)
        width, dense = INNER, []
        for layers, dilation in BLOCKS[:blocks]:
            dense.append(Block(width, layers, dilation))
            width = (width + layers * CHANNELS) // 2
        self.blocks = nn.ModuleList(dense)
        self.out = Activation(width) if blocks == len(BLOCKS) else nn.Identity()
        stored = _state(load_weights())
        self.load_state_dict({name: stored[name] for name in self.state_dict()})
        self.requires_grad_(False)

    def forward(self, waves: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Frames ``(batch, frames, 512)`` after these layers, 50 per second.

        Args:
            waves: ``(batch, samples)``, at least `FRAME`.
            lengths: Samples of each wave ``(batch,)``; the rest is padding, on which the frames of
                the wave do not depend. By default there is none.
        """
        mel = filter_banks(waves)
        sizes = None if lengths is None else mel_frames(lengths)
        inside = None if sizes is None else _inside(sizes, mel.shape[1])
        x = self.head(_centred(mel, inside), inside)
        if sizes is not None:
            inside = _inside((sizes + 1) // 2, (mel.shape[1] + 1) // 2)
        x = F.relu(self.tdnn(_neighbours(x, 5, stride=2)))
        for block in self.blocks:
            x = block(x, inside)
        return self.out(x)


class Head(nn.Module):
    """Two-dimensional convolutions ``(batch, frames, 80)`` to ``(batch, frames, 320)``.

    They compute in the arithmetic of their weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, CHANNELS, 3, padding=1)
        self.layer1 = nn.Sequential(Residual(halves=True), Residual(halves=False))
        self.layer2 = nn.Sequential(Residual(halves=True), Residual(halves=False))
        self.conv2 = nn.Conv2d(CHANNELS, CHANNELS, 3, (2, 1), padding=1)

    def forward(self, mel: Tensor, inside: Tensor | None) -> Tensor:
        """Frames of log-mel ``(batch, frames, 80)``; inside ``(batch, frames)``."""
        x = mel.transpose(1, 2)[:, None].to(self.conv1.weight.dtype)
        mask = None if inside is None else inside[:, None, None].to(x)
        x = _rectified(self.conv1(x), mask)
        for block in (*self.layer1, *self.layer2):
            x = block(x, mask)
        x = _rectified(self.conv2(x), mask)
        return x.flatten(1, 2).transpose(1, 2).float()


class Residual(nn.Module):
    """Residual block; one that halves the bands has a shortcut.

    Args:
        halves: Whether it does.
    """

    def __init__(self, *, halves: bool) -> None:
        super().__init__()
        stride = (2 if halves else 1, 1)
        self.conv1 = nn.Conv2d(CHANNELS, CHANNELS, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.shortcut = nn.Conv2d(CHANNELS, CHANNELS, 1, stride) if halves else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``(batch, 32, bands, frames)``; mask ``(batch, 1, 1, frames)``."""
        y = self.conv2(_rectified(self.conv1(x), mask))
        return _rectified(y.add_(self.shortcut(x)), mask)


class Activation(nn.Module):
    """Normalisation, which no convolution before it can take in, and ReLU.

    Args:
        width: Number of channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.empty(width))
        self.offset = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, frames, width)``."""
        return torch.addcmul(self.offset, x, self.gain).relu_()


class Block(nn.Module):
    """Dense block: each layer adds 32 channels to its input; then half as many are left.

    Args:
        width: Channels of the input.
        layers: Number of dense layers.
        dilation: Of their convolutions.
    """

    def __init__(self, width: int, layers: int, dilation: int) -> None:
        super().__init__()
        widths = [width + i * CHANNELS for i in range(layers + 1)]
        self.layers = nn.ModuleList(Dense(each, dilation) for each in widths[:-1])
        self.activation = Activation(widths[-1])
        self.transit = nn.Linear(widths[-1], widths[-1] // 2, bias=False)

    def forward(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """``(batch, frames, channels)``; inside ``(batch, frames)``."""
        for layer in self.layers:
            x = torch.cat([x, layer(x, inside)], -1)
        return self.transit(self.activation(x))


class Dense(nn.Module):
    """Channels that a layer adds, weighed by the context of each frame.

    Args:
        width: Channels of the input.
        dilation: Of its convolution.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.activation = Activation(width)
        self.narrow = nn.Linear(width, INNER)
        self.squeeze = nn.Linear(INNER, SQUEEZED)
        self.mask = nn.Linear(SQUEEZED, CHANNELS)
        self.local = nn.Linear(3 * INNER, CHANNELS, bias=False)

    def forward(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """``(batch, frames, width)`` to ``(batch, frames, 32)``; inside ``(batch, frames)``."""
        mask = None if inside is None else inside[..., None].to(x)
        y = _rectified(self.narrow(self.activation(x)), mask)
        weights = self.mask(F.relu(self.squeeze(_context(y, inside)))).sigmoid()
        local = self.local(_neighbours(y, 3, dilation=self.dilation))
        return local * weights.repeat_interleave(CONTEXT, 1)[:, : x.shape[1]]


def mel_frames(lengths: Tensor) -> Tensor:
    """Number of log-mel frames of waves of these lengths, in samples."""
    return 1 + (lengths.clamp_min(FRAME) - FRAME) // HOP


def filter_banks(waves: Tensor) -> Tensor:
    """Log-mel energies ``(batch, frames, 80)`` of waves ``(batch, samples)``, as of Kaldi."""
    frames = waves.unfold(-1, FRAME, HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(FRAME, periodic=False, dtype=waves.dtype, device=waves.device)
    spectrum = torch.fft.rfft((frames - 0.97 * before) * window.pow(0.85), n=FFT).abs().square()
    with without_autocast(waves.device.type):
        mel = spectrum @ mel_bands().to(spectrum)
        return mel.clamp_min(torch.finfo(torch.float32).eps).log()


@cache
def mel_bands() -> Tensor:
    """Triangular filters of Kaldi ``(257, 80)``, 20-8000 Hz."""
    mels = 1127 * torch.log1p(torch.arange(FFT // 2 + 1, dtype=torch.float64) * 31.25 / 700)
    low, high = (1127 * log1p(hertz / 700) for hertz in (20, 8000))
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    step = edges[1] - edges[0]
    rise, fall = (mels[:, None] - edges[:-2]) / step, (edges[2:] - mels[:, None]) / step
    return torch.minimum(rise, fall).clamp_min(0).float()


def _centred(mel: Tensor, inside: Tensor | None) -> Tensor:
    """Log-mel ``(batch, frames, 80)`` less its mean in time, 0 in the padding."""
    if inside is None:
        return mel - mel.mean(1, keepdim=True)
    mask = inside[..., None]
    mean = (mel * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    return (mel - mean) * mask


def _context(x: Tensor, inside: Tensor | None) -> Tensor:
    """Means ``(batch, stretches, channels)`` over 100 frames, plus that over the clip."""
    missing = -x.shape[1] % CONTEXT
    stretches = F.pad(x, (0, 0, 0, missing)).unflatten(1, (-1, CONTEXT)).sum(2)
    if inside is None:
        inside = x.new_ones(x.shape[:2])
    sizes = F.pad(inside.to(x), (0, missing)).unflatten(1, (-1, CONTEXT)).sum(2)[..., None]
    mean = stretches.sum(1, keepdim=True) / sizes.sum(1, keepdim=True)
    return stretches / sizes.clamp_min(1) + mean


def _neighbours(x: Tensor, size: int, *, stride: int = 1, dilation: int = 1) -> Tensor:
    """The frames ``(batch, frames / stride, size * channels)`` that a convolution sees at each.

    Args:
        x: ``(batch, frames, channels)``.
        size: Of its kernel, odd.
        stride: Its stride.
        dilation: Its dilation.
    """
    reach = size // 2 * dilation
    padded = F.pad(x, (0, 0, reach, reach))
    frames = x.shape[1]
    return torch.cat(
        [padded[:, k * dilation : k * dilation + frames : stride] for k in range(size)], -1
    )


def _inside(lengths: Tensor, longest: int) -> Tensor:
    """Which frames ``(batch, longest)`` belong to clips of these lengths."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def _rectified(x: Tensor, mask: Tensor | None) -> Tensor:
    """ReLU, and 0 where the mask is: in place, since new memory takes longer than arithmetic."""
    return (x if mask is None else x.mul_(mask)).relu_()


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


def _state(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored weights under the names of `CAMPlusPlus`, kernels in time as matrices."""
    state = {}
    for name, tensor in stored.items():
        if name.startswith(("embedding", "mean", "emotion")) or name.endswith(".scale"):
            continue
        parts = name.split(".")
        if name.startswith("block"):
            layer = f"blocks.{int(parts[0][5:]) - 1}.layers.{int(parts[1]) - 1}"
            parts = [layer, *("narrow" if part == "in" else part for part in parts[2:])]
        elif name.startswith("transit"):
            own = ["transit"] if tensor.ndim > 1 else []
            parts = [f"blocks.{int(parts[0][7:]) - 1}", *own, *parts[1:]]
        if parts[-1] in ("gain", "offset") and parts[0] != "out":
            parts.insert(-1, "activation")
        if tensor.ndim > 1:
            parts.append("weight")
        if tensor.ndim == 3:
            tensor = tensor.transpose(1, 2).flatten(1)
        state[".".join(parts)] = tensor
    return state
