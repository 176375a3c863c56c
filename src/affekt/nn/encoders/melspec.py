"""Log-mel spectrograms in torch: the 64 bands of VGGish and the 80 bands of Whisper."""

import math
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor

from ...audio.segmentation import SAMPLE_RATE

HOP = 160  # samples: 10 ms
WINDOW = 400  # samples: 25 ms
LOG_OFFSET = 0.01


@cache
def _vggish_bands() -> Tensor:
    """HTK mel filters ``(257, 64)``, 125-7500 Hz, peak 1, DC bin zeroed."""
    mel = 1127.0 * torch.log1p(torch.linspace(0, SAMPLE_RATE / 2, 257, dtype=torch.float64) / 700.0)
    low, high = (1127.0 * math.log1p(hertz / 700.0) for hertz in (125.0, 7500.0))
    edges = torch.linspace(low, high, 66, dtype=torch.float64)
    rise = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    bands = torch.minimum(rise, fall).clamp_min(0)
    bands[0] = 0
    return bands


def vggish_log_mel(waves: Tensor) -> Tensor:
    """Log-mel of section 1.1, equal to Google's VGGish front end.

    25 ms periodic Hann window, 10 ms hop, FFT 512, magnitude, log(mel + 0.01), no centring. In
    double precision: next to a loud band, float32 has an error of 5e-5 in a quiet one.

    Args:
        waves: ``(..., samples)`` at 16 kHz, at least 400 samples.

    Returns:
        ``(..., frames, 64)`` with frames = 1 + (samples - 400) // 160.
    """
    window = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64, device=waves.device)
    spectrum = torch.fft.rfft(waves.double().unfold(-1, WINDOW, HOP) * window, n=512).abs()
    return torch.log(spectrum @ _vggish_bands().to(spectrum) + LOG_OFFSET).float()


def without_autocast(device: str) -> AbstractContextManager[object]:
    """Context of a log-mel front end: it needs more digits than bfloat16 has.

    Args:
        device: Type of the device.
    """
    known = torch.amp.is_autocast_available(device)
    return torch.autocast(device, enabled=False) if known else nullcontext()


@cache
def _whisper_bands() -> Tensor:
    """Slaney mel filters ``(201, 80)``, 0-8000 Hz, each of unit area."""
    hertz = torch.linspace(0, SAMPLE_RATE / 2, 201, dtype=torch.float64)
    log_step = math.log(6.4) / 27.0
    mels = torch.linspace(0, 15.0 + math.log(8.0) / log_step, 82, dtype=torch.float64)
    edges = torch.where(mels < 15, mels * 200 / 3, 1000.0 * torch.exp(log_step * (mels - 15.0)))
    rise = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    return (torch.minimum(rise, fall).clamp_min(0) * 2.0 / (edges[2:] - edges[:-2])).float()


def whisper_log_mel(waves: Tensor) -> Tensor:
    """Log-mel of Whisper: log10 of power, at most 8 below the clip's maximum, then (x + 4) / 4.

    Args:
        waves: ``(batch, samples)`` at 16 kHz.

    Returns:
        ``(batch, 80, samples // 160)``.
    """
    window = torch.hann_window(WINDOW, periodic=True, dtype=waves.dtype, device=waves.device)
    spectrum = torch.stft(waves, WINDOW, HOP, window=window, return_complex=True)[..., :-1]
    power = spectrum.real.square() + spectrum.imag.square()
    with without_autocast(power.device.type):
        log = (_whisper_bands().to(power).T @ power).clamp_min(1e-10).log10()
    return (torch.maximum(log, log.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0
