"""ResNet-20 with residual adapters: [33] (Xi et al., 2019).

The network learns to tell speakers apart, is frozen, and learns emotion through small
adapters beside each convolution (Rebuffi et al., 2017) and a new last layer. The speakers
are those of the training part, unless weights learned on others are given: the reference
used a speaker corpus of its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...audio.recording import Recording
from ...config import Config
from ...corpora.splits import anonymous
from ...errors import CheckpointError
from ...nn.emotion_model import prepare
from ...nn.encoders.vggish import patches
from ...progress import Report
from ...training.clips import Clip, inner_split, speakers
from .network import Schedule, Segmented, outcome, scaled, train_network

WIDTHS = (16, 32, 64)
BLOCKS = 3  # of two convolutions each at every width: 1 + 3 * 3 * 2 + 1 = 20 layers
SPEAKERS = Schedule(epochs=8, patience=8, batch=32, rate=1e-3)
EMOTION = Schedule(epochs=40, patience=8, batch=32, rate=1e-3)


class Adapted(nn.Module):
    """A 3 x 3 convolution with a 1 x 1 adapter beside it, then batch normalisation.

    The adapter starts at zero, so that adding it changes nothing.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.adapter = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        nn.init.zeros_(self.adapter.weight)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, inputs, h, w)`` to ``(batch, outputs, h / stride, w / stride)``."""
        return self.norm(self.conv(x) + self.adapter(x))


class Block(nn.Module):
    """Two adapted convolutions and their shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = Adapted(inputs, outputs, stride)
        self.second = Adapted(outputs, outputs, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Residual."""
        return torch.relu(self.shortcut(x) + self.second(torch.relu(self.first(x))))


class ResNet20(nn.Module):
    """20 layers on ``(batch, 1, 96, 64)`` log-mel."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = Adapted(1, WIDTHS[0], 1)
        blocks = []
        inputs = WIDTHS[0]
        for width in WIDTHS:
            for number in range(BLOCKS):
                blocks.append(Block(inputs, width, 2 if number == 0 and width != WIDTHS[0] else 1))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(batch, classes)``."""
        return self.last(self.blocks(torch.relu(self.stem(x))).mean((2, 3)))

    def adapt(self, classes: int) -> None:
        """Freeze all but adapters and normalisation, and start a new last layer."""
        self.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, Adapted):
                module.adapter.requires_grad_(True)
                module.norm.requires_grad_(True)
        self.last = nn.Linear(WIDTHS[-1], classes)


class ResNetSystem:
    """See `System`."""

    def __init__(self, config: Config) -> None:
        if config.baselines.resnet:
            load_speaker_network(ResNet20(1), Path(config.baselines.resnet))  # told now, if wrong
        self.config = config
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """Speakers first, then emotion."""
        self.labels = sorted({c.label for c in clips})
        inner, validation_part = inner_split(clips, self.config.protocol.validation, seed, held_out)
        segments = self._segments([c.recording for c in inner])
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            start = self._start(inner, segments, rng, report)
            self.network.adapt(len(self.labels))
            checked = self._segments([c.recording for c in validation_part])
            history = train_network(
                "ResNet (emotion)",
                self.network,
                Segmented(segments, self._targets(inner)),
                Segmented(checked, self._targets(validation_part)),
                scaled,
                EMOTION,
                precision=self.config.precision,
                rng=rng,
                report=report,
            )
        self.training_info = {"encoder": start} | outcome("ResNet", history, validation_part)

    def _start(
        self,
        clips: Sequence[Clip],
        segments: list[Tensor],
        rng: np.random.Generator,
        report: Report,
    ) -> str:
        """A network that knows voices, from a file or from the clips; returns how it came."""
        if weights := self.config.baselines.resnet:
            self.network = ResNet20(1)
            return load_speaker_network(self.network, Path(weights))
        voices = speakers(clips)
        if len(voices) < 2 or anonymous([c.example for c in clips]):
            self.network = ResNet20(1)
            return "random start, since no speakers are known"
        self.network = ResNet20(len(voices))
        targets = torch.tensor([voices.index(c.example.speaker) for c in clips])
        train_network(
            "ResNet (speakers)",
            self.network,
            Segmented(segments, targets),
            None,
            scaled,
            SPEAKERS,
            precision=self.config.precision,
            rng=rng,
            report=report,
        )
        return f"speaker training on {len(voices)} training speakers"

    @torch.inference_mode()
    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Probabilities ``(recordings, classes)``: the softmax averaged over segments."""
        segments = self._segments(recordings)
        means = [self.network(scaled(s)).double().softmax(-1).mean(0) for s in segments]
        return torch.stack(means).numpy()

    def _targets(self, clips: Sequence[Clip]) -> Tensor:
        return torch.tensor([self.labels.index(c.label) for c in clips])

    def _segments(self, recordings: Sequence[Recording]) -> list[Tensor]:
        waves, spans = prepare(recordings, self.config)
        return [
            patches(torch.from_numpy(w), torch.from_numpy(s))[:, None]
            for w, s in zip(waves, spans, strict=True)
        ]


def load_speaker_network(network: ResNet20, path: Path) -> str:
    """Fill all but the last layer from a safetensors file; returns what to call the start.

    Adapters may be absent: they then stay at zero.

    Raises:
        CheckpointError: Not this network in that format.
    """
    try:
        tensors = load_file(path)
        own = network.state_dict()
        kept = {k for k in own if ".adapter." in k} - tensors.keys()
        kept |= {k for k in own if k.startswith("last.")}
        network.load_state_dict({k: own[k] if k in kept else tensors[k] for k in own})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{path}: not a ResNet-20 trained on speakers ({reason})") from None
    return path.name
