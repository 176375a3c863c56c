"""ResNet-20 with residual adapters: [33] (Xi et al., 2019).

The network is trained to identify speakers and frozen. Then small adapters parallel to each
convolution (Rebuffi et al., 2017) and a new last layer are trained on emotion. The speakers are
those of the training part unless a weights file is given; the reference used a separate speaker
corpus. Where no speakers are known, all layers are trained on emotion from a random start.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...audio.recording import Recording
from ...config import Config
from ...corpora.splits import anonymous
from ...errors import CheckpointError
from ...nn.encoders.vggish import patches
from ...training.clips import speakers
from ...training.processes import Device
from ...training.waves import prepared
from .network import NetworkSystem, Schedule, SegmentedClips, scaled, train_network
from .system import TrainingPart

WIDTHS = (16, 32, 64)
BLOCKS = 3  # blocks of two convolutions at each width: 1 + 3 * 3 * 2 + 1 = 20 layers
SPEAKERS = Schedule(epochs=8, patience=8, batch_size=32, learning_rate=1e-3)


class Adapted(nn.Module):
    """A 3 x 3 convolution plus a parallel 1 x 1 adapter, then batch normalisation.

    The adapter starts at zero and then does not change the output.
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
    """Two adapted convolutions and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = Adapted(inputs, outputs, stride)
        self.second = Adapted(outputs, outputs, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, inputs, h, w)`` to ``(batch, outputs, h / stride, w / stride)``."""
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
        """Freeze all but adapters and normalisation, and add a new last layer."""
        self.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, Adapted):
                module.adapter.requires_grad_(True)
                module.norm.requires_grad_(True)
        self.last = nn.Linear(WIDTHS[-1], classes)


class ResNetSystem(NetworkSystem):
    """See `System`.

    Args:
        config: Settings, with the file of weights from speaker identification.
        device: Where it is trained and tested.
    """

    name = "ResNet"
    stage = "ResNet (emotion)"
    network: ResNet20

    def __init__(self, config: Config, device: Device = "auto") -> None:
        super().__init__(config, device)
        if config.baselines.resnet:  # a wrong file is an error before any training
            load_speaker_network(ResNet20(1), Path(config.baselines.resnet))

    def initialise(
        self, part: TrainingPart, segments: Sequence[Tensor], rng: np.random.Generator
    ) -> str:
        """Start from speaker identification, then add adapters; see `NetworkSystem`.

        Without known speakers nothing could be frozen but random weights: all layers are trained.
        """
        if weights := self._identify_speakers(part, segments, rng):
            self.network.adapt(len(self.labels))
            return weights
        self.network = ResNet20(len(self.labels))
        return "random start, all layers trained on emotion, since no speakers are known"

    def _identify_speakers(
        self, part: TrainingPart, segments: Sequence[Tensor], rng: np.random.Generator
    ) -> str:
        """Load the network from a file, or train it on the training speakers; see `initialise`.

        Returns:
            Where the weights come from; "" if there are no speakers to train on.
        """
        if weights := self.config.baselines.resnet:
            self.network = ResNet20(1)
            return load_speaker_network(self.network, Path(weights))
        examples = [c.example for c in part.clips]
        names = speakers(part.clips)
        if len(names) < 2 or anonymous(examples):
            return ""
        self.network = ResNet20(len(names))
        targets = torch.tensor([names.index(e.speaker) for e in examples])
        train_network(
            "ResNet (speakers)",
            self.network,
            SegmentedClips(segments, targets),
            None,
            scaled,
            SPEAKERS,
            precision=self.config.precision,
            rng=rng,
            context=self.context(part),
        )
        return f"speaker training on {len(names)} training speakers"

    def segments(self, recordings: Sequence[Recording]) -> list[Tensor]:
        """Log-mel ``(segments, 1, 96, 64)`` of each recording."""
        waves, spans = prepared(recordings, self.config)
        return [
            patches(torch.from_numpy(w), torch.from_numpy(s))[:, None]
            for w, s in zip(waves, spans, strict=True)
        ]

    def network_input(self, segments: Tensor) -> Tensor:
        """Scaled log-mel."""
        return scaled(segments)


def load_speaker_network(network: ResNet20, path: Path) -> str:
    """Load all but the last layer from a safetensors file.

    Adapters that the file lacks stay at zero.

    Returns:
        Name of the file.

    Raises:
        CheckpointError: The file does not hold this network.
    """
    try:
        tensors = load_file(path)
        own = network.state_dict()
        initial = {k for k in own if ".adapter." in k} - tensors.keys()
        initial |= {k for k in own if k.startswith("last.")}
        network.load_state_dict({k: own[k] if k in initial else tensors[k] for k in own})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{path}: not a ResNet-20 trained on speakers ({reason})") from error
    return path.name
