"""AlexNet on three-channel log-mel: [22] (Zhang et al., 2018) and its variant [32] (Ma, 2019).

Log-mel of 64 bands x 64 frames and its first and second deltas are the three channels of an image,
one every 30 frames, enlarged to 227 x 227. [22] averages the 4096-D embeddings of the segments of
a clip and classifies the mean with a linear SVM; [32] averages the softmax of the segments.
ImageNet weights come from a file in torchvision's format; without one the start is random, and the
record of the training says so.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.svm import SVC
from torch import Tensor, nn

from ...audio.recording import Recording
from ...config import Config
from ...errors import CheckpointError
from ...nn.emotion_model import rms_normalised
from ...nn.encoders.melspec import HOP, WINDOW, vggish_log_mel
from ...training.processes import Device
from .functionals import Grid, grid_search, margins_to_probabilities
from .network import NetworkSystem, scaled
from .rasta import deltas
from .system import TrainingPart

FRAMES, SHIFT, SIDE = 64, 30, 227


class AlexNet(nn.Module):
    """AlexNet (Krizhevsky, 2014) in one column; parameters are named as in torchvision."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
            nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Linear(4096, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, 3, 227, 227)`` to logits ``(batch, classes)``."""
        return self.classifier(self.features(x).flatten(1))

    def embeddings(self, x: Tensor) -> Tensor:
        """``(batch, 3, 227, 227)`` to ``(batch, 4096)``, after the second dense layer."""
        return self.classifier[:-1](self.features(x).flatten(1))


class AlexNetSystem(NetworkSystem):
    """See `System`.

    Args:
        config: Settings, with the file of ImageNet weights.
        averaging: What is averaged over segments: ``embeddings``, for an SVM as in [22], or
            ``softmax`` as in [32].
        device: Where it is trained and tested.
    """

    name = stage = "AlexNet"
    network: AlexNet

    def __init__(self, config: Config, averaging: str, device: Device = "auto") -> None:
        super().__init__(config, device)
        self.averaging = averaging
        if config.baselines.alexnet:  # a wrong file is an error before any training
            load_imagenet(AlexNet(2), Path(config.baselines.alexnet))

    def train(self, part: TrainingPart) -> None:
        """Fine-tune on single segments, then fit the SVM on all training clips."""
        super().train(part)
        if self.averaging == "embeddings":
            embeddings = self._embeddings([c.recording for c in part.clips])
            svm = SVC(kernel="linear", class_weight="balanced")
            grid: Grid = [{"svc__C": [1e-5, 1e-4, 1e-3, 1e-2]}]
            search = grid_search(svm, grid, embeddings, part.clips, part.seed)
            self.svm = search.best_estimator_
            self.training_info["C"] = search.best_params_["svc__C"]

    def initialise(
        self, part: TrainingPart, segments: Sequence[Tensor], rng: np.random.Generator
    ) -> str:
        """Start from ImageNet weights if the settings name a file; see `NetworkSystem`."""
        self.network = AlexNet(len(self.labels))
        weights = self.config.baselines.alexnet
        return load_imagenet(self.network, Path(weights)) if weights else "random start"

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities ``(recordings, classes)``."""
        if self.averaging == "embeddings":
            margins = self.svm.decision_function(self._embeddings(recordings))
            return margins_to_probabilities(margins)
        return super().predict(recordings)

    @torch.inference_mode()
    def _embeddings(self, recordings: Sequence[Recording]) -> NDArray[np.float32]:
        embeddings = self.network.embeddings
        segments = self.segments(recordings)
        return np.stack([self.run(embeddings, s).mean(0).numpy() for s in segments])

    def segments(self, recordings: Sequence[Recording]) -> list[Tensor]:
        """Images ``(segments, 3, 64, 64)`` of each recording."""
        waves = rms_normalised(recordings, self.config)
        return [three_channels(torch.from_numpy(wave)) for wave in waves]

    def network_input(self, segments: Tensor) -> Tensor:
        """Images ``(segments, 3, 227, 227)``."""
        return enlarge(segments)


def three_channels(wave: Tensor) -> Tensor:
    """Log-mel and its deltas ``(segments, 3, 64, 64)``; a short clip is padded with zeros."""
    needed = (FRAMES - 1) * HOP + WINDOW
    static = scaled(vggish_log_mel(F.pad(wave, (0, max(0, needed - len(wave))))))
    first = deltas(static.numpy())
    channels = torch.stack([static, torch.from_numpy(first), torch.from_numpy(deltas(first))])
    return channels.unfold(1, FRAMES, SHIFT).transpose(0, 1)  # unfold puts frames last


def enlarge(segments: Tensor) -> Tensor:
    """``(segments, 3, 64, 64)`` to ``(segments, 3, 227, 227)``."""
    return F.interpolate(segments, (SIDE, SIDE), mode="bilinear", align_corners=False)


def load_imagenet(network: AlexNet, path: Path) -> str:
    """Load all but the last layer from a file in torchvision's format.

    Returns:
        Name of the file.

    Raises:
        CheckpointError: The file is not AlexNet in that format.
    """
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        own = network.state_dict()
        last = {"classifier.6.weight", "classifier.6.bias"}
        network.load_state_dict({k: own[k] if k in last else tensors[k] for k in own})
    except (
        OSError, RuntimeError, KeyError, IndexError, TypeError, EOFError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: not torchvision's AlexNet ({reason})") from error
    return path.name
