"""AlexNet on three-channel log-mel: [22] (Zhang et al., 2018) and its variant [32] (Ma, 2019).

64 bands x 64 frames with their deltas as three channels, every 30 frames, enlarged to
227 x 227. [22] averages the 4096-D vectors of a clip's segments and gives them to a linear
SVM; [32] averages the softmax of the segments. ImageNet weights come from a file in
torchvision's format; without one the network starts at random and says so.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from ...audio.recording import Recording
from ...config import Config
from ...errors import CheckpointError
from ...metrics import uar
from ...nn.emotion_model import prepare
from ...nn.encoders.melspec import HOP, WINDOW, vggish_log_mel
from ...progress import Report
from ...training.clips import Clip, inner_split
from .functionals import inner_folds, margins_to_probabilities
from .network import Schedule, Segmented, outcome, scaled, train_network
from .rasta import deltas

FRAMES, SHIFT, SIDE = 64, 30, 227
SCHEDULE = Schedule(epochs=10, patience=3, batch=32, rate=1e-4)


class AlexNet(nn.Module):
    """Krizhevsky's network in the one-column form; parameters named as in torchvision."""

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


class AlexNetSystem:
    """See `System`.

    Args:
        config: Level, protocol, and where ImageNet weights lie.
        averaging: ``vectors`` and an SVM as in [22], or ``softmax`` as in [32].
    """

    def __init__(self, config: Config, averaging: str) -> None:
        self.config = config
        self.averaging = averaging
        if config.baselines.alexnet:
            load_imagenet(AlexNet(2), Path(config.baselines.alexnet))  # told now, if it is wrong
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """Fine-tune on single segments, then fit the SVM on all training clips."""
        self.labels = sorted({c.label for c in clips})
        inner, validation_part = inner_split(clips, self.config.protocol.validation, seed, held_out)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = AlexNet(len(self.labels))
            weights = self.config.baselines.alexnet
            start = load_imagenet(self.network, Path(weights)) if weights else "random start"
            history = train_network(
                "AlexNet",
                self.network,
                self._segmented(inner),
                self._segmented(validation_part),
                enlarge,
                SCHEDULE,
                precision=self.config.precision,
                rng=np.random.default_rng(seed),
                report=report,
            )
        self.training_info = {"encoder": start} | outcome("AlexNet", history, validation_part)
        if self.averaging == "vectors":
            truth = [c.label for c in clips]
            speakers = [c.example.speaker for c in clips]
            search = GridSearchCV(
                make_pipeline(StandardScaler(), SVC(kernel="linear", class_weight="balanced")),
                {"svc__C": [1e-5, 1e-4, 1e-3, 1e-2]},
                scoring=make_scorer(uar),
                cv=inner_folds(truth, speakers, seed),
            )
            embeddings = self._vectors([c.recording for c in clips])
            search.fit(embeddings, truth, groups=speakers)
            self.svm, self.training_info["C"] = (
                search.best_estimator_,
                search.best_params_["svc__C"],
            )

    @torch.inference_mode()
    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Probabilities ``(recordings, classes)``."""
        if self.averaging == "vectors":
            return margins_to_probabilities(self.svm.decision_function(self._vectors(recordings)))
        images = self._images(recordings)
        means = [self.network(enlarge(s)).double().softmax(-1).mean(0) for s in images]
        return torch.stack(means).numpy()

    @torch.inference_mode()
    def _vectors(self, recordings: Sequence[Recording]) -> NDArray[np.float32]:
        images = self._images(recordings)
        return np.stack([self.network.embeddings(enlarge(s)).mean(0).numpy() for s in images])

    def _segmented(self, clips: Sequence[Clip]) -> Segmented:
        targets = torch.tensor([self.labels.index(c.label) for c in clips])
        return Segmented(self._images([c.recording for c in clips]), targets)

    def _images(self, recordings: Sequence[Recording]) -> list[Tensor]:
        waves, _ = prepare(recordings, self.config)
        return [three_channels(torch.from_numpy(wave)) for wave in waves]


def three_channels(wave: Tensor) -> Tensor:
    """Log-mel with its deltas ``(segments, 3, 64, 64)``; a short clip is padded with zeros."""
    needed = (FRAMES - 1) * HOP + WINDOW
    static = scaled(vggish_log_mel(F.pad(wave, (0, max(0, needed - len(wave))))))
    first = deltas(static.numpy())
    channels = torch.stack([static, torch.from_numpy(first), torch.from_numpy(deltas(first))])
    return channels.unfold(1, FRAMES, SHIFT).transpose(0, 1)  # frames come last


def enlarge(segments: Tensor) -> Tensor:
    """``(segments, 3, 64, 64)`` to ``(segments, 3, 227, 227)``."""
    return F.interpolate(segments, (SIDE, SIDE), mode="bilinear", align_corners=False)


def load_imagenet(network: AlexNet, path: Path) -> str:
    """Fill all but the last layer from torchvision's file; returns what to call the start.

    Raises:
        CheckpointError: Not AlexNet in that format.
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
        raise CheckpointError(f"{path}: not torchvision's AlexNet ({reason})") from None
    return path.name
