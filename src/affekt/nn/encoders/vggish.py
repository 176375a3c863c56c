"""VGGish (Hershey et al., 2017): the paper's segment encoder, 96 x 64 log-mel to 128-D."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...audio.segmentation import SEGMENT_FRAMES
from .melspec import HOP, WINDOW, vggish_log_mel
from .protocol import SegmentEncoder

SAMPLES = (SEGMENT_FRAMES - 1) * HOP + WINDOW  # 0.975 s, which 96 frames cover


class VGGish(SegmentEncoder):
    """6 convolutions, 4 max-pools, fully connected 4096-4096-128.

    Parameters are named as in the checkpoint of torchvggish.

    Args:
        width: Width of all layers but the last, relative to the paper's: 0.25 has a quarter of the
            channels and of the hidden units, and a fifteenth of the weights.
        padding: Pad a short clip with zero samples ("wave") or zero log-mel frames ("log-mel").
        final_relu: Apply a ReLU to the 128-D output, which Google's code does not.
    """

    dim = 128
    contextual = False

    def __init__(
        self, *, width: float = 1, padding: str = "wave", final_relu: bool = False
    ) -> None:
        super().__init__()
        self.padding = padding
        self.final_relu = final_relu
        layers: list[nn.Module] = []
        channels = 1
        for size in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool"):
            if isinstance(size, int):
                wider = round(size * width)
                layers += [nn.Conv2d(channels, wider, 3, padding=1), nn.ReLU()]
                channels = wider
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        hidden = round(4096 * width)
        dense: list[nn.Module] = [nn.Linear(channels * 6 * 4, hidden), nn.ReLU()]
        dense += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, self.dim)]
        self.embeddings = nn.Sequential(*dense, *([nn.ReLU()] if final_relu else []))
        for layer in (*self.features, *self.embeddings):
            if isinstance(layer, nn.Conv2d | nn.Linear):  # a random start can then be trained
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.constant_(layer.bias, 0.0)  # type: ignore[arg-type]

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`."""
        both = zip(waves, spans, strict=True)
        return self.embed(torch.cat([patches(w, s, self.padding) for w, s in both]))

    def embed(self, mel: Tensor) -> Tensor:
        """Embeddings ``(segments, 128)`` of log-mel ``(segments, 96, 64)``."""
        x = self.features(mel[:, None])
        return self.embeddings(x.permute(0, 2, 3, 1).flatten(1))  # NHWC, as the weights expect


def patches(wave: Tensor, spans: Tensor, padding: str = "wave") -> Tensor:
    """Log-mel ``(segments, 96, 64)`` of the segments of one clip ``(samples,)``."""
    starts = spans[:, 0]
    if padding == "log-mel":  # "zero frames" read literally
        mel = vggish_log_mel(F.pad(wave, (0, WINDOW - HOP)))  # every 10 ms has its frame
        missing = int(starts.max()) + SEGMENT_FRAMES - len(mel)
        mel = F.pad(mel, (0, 0, 0, max(0, missing)))
    else:
        needed = int(starts.max()) * HOP + SAMPLES
        mel = vggish_log_mel(F.pad(wave, (0, max(0, needed - len(wave)))))
    return mel.unfold(0, SEGMENT_FRAMES, 1)[starts].transpose(1, 2)
