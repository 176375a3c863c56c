"""Networks on the segments of a clip, trained until the validation speakers get no better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...metrics import uar
from ...progress import Report
from ...training.clips import Clip, speakers
from ...training.context import TrainingContext
from ...training.targets import Score
from ...training.trainer import History, Stage, Trainer, autocast

MEAN, SD = -2.0, 2.0  # of log-mel, roughly


class Schedule(NamedTuple):
    """How a network is trained, by Adam.

    Attributes:
        epochs: At most.
        patience: Epochs without a better validation loss before stopping.
        batch: Segments a step.
        rate: Learning rate.
    """

    epochs: int
    patience: int
    batch: int
    rate: float


@dataclass(frozen=True)
class Segmented:
    """Clips as a network sees them.

    Attributes:
        segments: ``(segments, channels, bands, frames)`` of each clip.
        targets: Class index of each clip ``(clips,)``.
    """

    segments: Sequence[Tensor]
    targets: Tensor


def scaled(mel: Tensor) -> Tensor:
    """Log-mel brought near mean 0 and deviation 1, by the same numbers for every clip."""
    return (mel - MEAN) / SD


def outcome(stage: str, history: History, held_out: Sequence[Clip]) -> dict[str, Any]:
    """What a result should record of a training."""
    return {
        "epochs": history.epochs,
        "curves": {stage: history.curves()},
        "validation_speakers": speakers(held_out),
        "validation_UAR": round(history.validation[history.epochs - 1].uar, 4),
    }


def train_network(
    stage: str,
    network: nn.Module,
    training: Segmented,
    validation: Segmented | None,
    look: Callable[[Tensor], Tensor],
    schedule: Schedule,
    *,
    precision: str,
    rng: np.random.Generator,
    report: Report,
) -> History:
    """Train `network` in place on single segments, each with the class of its clip.

    Args:
        stage: What progress calls it.
        network: From what `look` gives to logits ``(segments, classes)``.
        training: What is learned.
        validation: Whose loss chooses the epoch; without it all epochs are run.
        look: From segments to the network's input, applied to each batch.
        schedule: How long and how fast.
        precision: Of the arithmetic in training, as in `Config`.
        rng: Order of the segments.
        report: Progress.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster
    segments = torch.cat(list(training.segments))
    sizes = torch.tensor([len(s) for s in training.segments])
    targets = training.targets.repeat_interleave(sizes)
    trained = [p for p in network.parameters() if p.requires_grad]

    def loss(chosen: list[int]) -> Tensor:
        with autocast(precision):
            logits = network(look(segments[chosen])).float()
        return F.cross_entropy(logits, targets[chosen])

    @torch.inference_mode()
    def validate(part: Segmented) -> Score:
        logits = [network(look(s)) for s in part.segments]
        clip = torch.stack([each.log_softmax(-1).mean(0) for each in logits])
        predicted = clip.argmax(-1).numpy()
        return Score(
            F.cross_entropy(clip, part.targets).item(), uar(part.targets.numpy(), predicted)
        )

    learned = Stage(
        name=stage,
        model=network,
        optimizer=torch.optim.Adam(trained, schedule.rate, fused=True),
        sizes=[1] * len(segments),
        batch_size=schedule.batch,
        loss=loss,
        validate=partial(validate, validation) if validation else None,
        epochs=schedule.epochs,
        patience=schedule.patience,
    )
    return Trainer(TrainingContext(report), rng).fit(learned)
