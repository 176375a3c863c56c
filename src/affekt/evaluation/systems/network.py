"""Networks on the segments of a clip, trained with early stopping on validation speakers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...audio.recording import Recording
from ...config import Config
from ...errors import AffektError
from ...metrics import uar
from ...nn.devices import device_of
from ...training.clips import Clip, inner_split, speakers
from ...training.context import TrainingContext
from ...training.processes import Device, join_processes, seeded
from ...training.targets import Score
from ...training.trainer import History, Stage, Trainer, autocast
from .system import ConfiguredSystem, TrainingPart

MEAN, SD = -2.0, 2.0  # of log-mel, approximately


class Schedule(NamedTuple):
    """How a network is trained with Adam.

    Attributes:
        epochs: Maximum number of epochs.
        patience: Stop after this many epochs without a lower validation loss.
        batch_size: Segments per step.
        learning_rate: Learning rate.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class SegmentedClips:
    """Clips as segments, with their classes.

    Attributes:
        segments: ``(segments, channels, bands, frames)`` of each clip.
        targets: Class index of each clip ``(clips,)``.
    """

    segments: Sequence[Tensor]
    targets: Tensor


class NetworkSystem(ConfiguredSystem):
    """Base of the networks on segments; see `System`.

    Args:
        config: Settings; ``stage1`` says how the network is trained.
        device: Where it is trained and tested.

    Attributes:
        name: Name of the network in the record of its training.
        stage: Name of its training in progress reports.
        schedule: How it is trained.
        network: The network, from what `network_input` returns to logits ``(segments, classes)``.

    Raises:
        AffektError: ``stage1.epochs`` is 0.
    """

    name: str
    stage: str
    network: nn.Module

    def __init__(self, config: Config, device: Device = "auto") -> None:
        super().__init__(config)
        self.device = device
        stage1 = config.stage1
        if not stage1.epochs:
            raise AffektError(f"stage1.epochs is 0; {self.name} needs at least 1")
        self.schedule = Schedule(
            stage1.epochs, stage1.patience, stage1.batch_size, stage1.learning_rate
        )

    def segments(self, recordings: Sequence[Recording]) -> list[Tensor]:
        """Segments ``(segments, channels, bands, frames)`` of each recording."""
        raise NotImplementedError

    def network_input(self, segments: Tensor) -> Tensor:
        """Input of the network from segments; applied to each batch."""
        raise NotImplementedError

    def initialise(
        self, part: TrainingPart, segments: Sequence[Tensor], rng: np.random.Generator
    ) -> str:
        """Build `network` with its initial weights.

        Args:
            part: The training part, with the clips to train on.
            segments: Segments of these clips.
            rng: Random numbers of the training.

        Returns:
            Where the weights come from.
        """
        raise NotImplementedError

    def train(self, part: TrainingPart) -> None:
        """Train on single segments."""
        self.labels = sorted({c.label for c in part.clips})
        share = self.config.protocol.validation
        inner, validation = inner_split(part.clips, share, part.seed, part.held_out)
        training = self._segmented(inner)
        rng = np.random.default_rng(part.seed)
        context = self.context(part)
        with seeded(part.seed, context.processes.device):
            weights = self.initialise(part._replace(clips=inner), training.segments, rng)
            history = train_network(
                self.stage,
                self.network,
                training,
                self._segmented(validation),
                self.network_input,
                self.schedule,
                precision=self.config.precision,
                rng=rng,
                context=context,
            )
        self.training_info = {
            "encoder": weights,
            "epochs": history.epochs,
            "curves": {self.name: history.curves()},
            "validation_speakers": speakers(validation),
            "validation_UAR": round(history.validation[history.epochs - 1].value, 4),
        }

    @torch.inference_mode()
    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities ``(recordings, classes)``: the softmax averaged over segments."""
        logits = [self.run(self.network, s) for s in self.segments(recordings)]
        return torch.stack([each.double().softmax(-1).mean(0) for each in logits]).numpy()

    def run(self, network: Callable[[Tensor], Tensor], segments: Tensor) -> Tensor:
        """Output of the network, or of a part of it, for segments; both are on the CPU."""
        return network(self.network_input(segments.to(device_of(self.network)))).cpu()

    def context(self, part: TrainingPart) -> TrainingContext:
        """Progress and device of the training."""
        return TrainingContext(part.report, join_processes(self.device))

    def _segmented(self, clips: Sequence[Clip]) -> SegmentedClips:
        targets = torch.tensor([self.labels.index(c.label) for c in clips])
        return SegmentedClips(self.segments([c.recording for c in clips]), targets)


def scaled(mel: Tensor) -> Tensor:
    """Scale log-mel to mean 0 and standard deviation 1, approximately, with fixed constants."""
    return (mel - MEAN) / SD


def train_network(
    stage: str,
    network: nn.Module,
    training: SegmentedClips,
    validation: SegmentedClips | None,
    network_input: Callable[[Tensor], Tensor],
    schedule: Schedule,
    *,
    precision: str,
    rng: np.random.Generator,
    context: TrainingContext,
) -> History:
    """Train `network` in place on single segments, each with the class of its clip.

    Args:
        stage: Name of the training in progress reports.
        network: From what `network_input` returns to logits ``(segments, classes)``.
        training: Clips to train on.
        validation: Clips whose loss selects the epoch; without them all epochs are run.
        network_input: From segments to the input of the network, applied to each batch.
        schedule: How the network is trained.
        precision: Precision of the training, as in `Config`.
        rng: Draws the order of the segments.
        context: Progress and device.

    Returns:
        Losses and validation scores of the epochs.
    """
    device = context.processes.device
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster
    segments = torch.cat(list(training.segments))
    sizes = torch.tensor([len(s) for s in training.segments])
    targets = training.targets.repeat_interleave(sizes)
    trained = [p for p in network.parameters() if p.requires_grad]

    def loss(chosen: list[int]) -> Tensor:
        with autocast(precision, device):
            logits = network(network_input(segments[chosen].to(device))).float()
        return F.cross_entropy(logits, targets[chosen].to(device))

    @torch.inference_mode()
    def validate(part: SegmentedClips) -> Score:
        logits = [network(network_input(s.to(device))).cpu() for s in part.segments]
        clips = torch.stack([each.log_softmax(-1).mean(0) for each in logits])
        predicted = clips.argmax(-1).numpy()
        loss = F.cross_entropy(clips, part.targets).item()
        return Score(loss, uar(part.targets.numpy(), predicted))

    settings = Stage(
        name=stage,
        model=network,
        optimizer=torch.optim.Adam(trained, schedule.learning_rate, fused=True),
        sizes=[1] * len(segments),
        batch_size=schedule.batch_size,
        loss=loss,
        validate=partial(validate, validation) if validation else None,
        epochs=schedule.epochs,
        patience=schedule.patience,
        precision=precision,
    )
    return Trainer(context, rng).fit(settings)
