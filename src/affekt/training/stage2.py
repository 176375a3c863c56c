"""Stage 2: the sequence model on the encoder's segment vectors (equations 3 to 9)."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Stage2
from ..metrics import uar
from ..model import EmotionModel
from ..progress import Report
from .loop import History, Score, fit, shuffled


class Sequences(NamedTuple):
    """Clips as the sequence model sees them.

    Attributes:
        vectors: The encoder's ``(segments, dim)`` of each clip.
        targets: Class indices ``(clips,)``.
    """

    vectors: Sequence[Tensor]
    targets: Tensor


def train_sequence(
    model: EmotionModel,
    training: Sequences,
    validation: Sequences | None,
    settings: Stage2,
    *,
    epochs: int,
    rng: np.random.Generator,
    report: Report,
) -> History:
    """Train projection and sequence model in place; without `validation` run all `epochs`."""
    vectors, targets = training
    trained = nn.ModuleList([model.projection, model.sequence])

    def loss(batch: list[int]) -> Tensor:
        logits = model.classify([vectors[i] for i in batch]).logits
        return F.cross_entropy(logits, targets[batch])

    @torch.inference_mode()
    def validate(held_out: Sequences) -> Score:
        logits, expected = model.classify(held_out.vectors).logits, held_out.targets
        loss = F.cross_entropy(logits, expected).item()
        return Score(loss, uar(expected.numpy(), logits.argmax(-1).numpy()))

    return fit(
        "stage 2 (sequence)",
        trained,
        torch.optim.Adam(trained.parameters(), settings.rate, fused=True),
        lambda: shuffled([1] * len(vectors), settings.batch, rng),
        loss,
        partial(validate, validation) if validation else None,
        epochs=epochs,
        patience=settings.patience,
        clip=settings.clip,
        report=report,
    )
