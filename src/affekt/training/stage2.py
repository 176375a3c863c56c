"""Stage 2: the sequence model on the encoder's segment vectors (equations 3 to 9)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Stage2
from ..metrics import uar
from ..model import EmotionModel
from ..progress import Report
from .loop import History, Score, fit, shuffled


def train_sequence(
    model: EmotionModel,
    training: tuple[Sequence[Tensor], Tensor],
    validation: tuple[Sequence[Tensor], Tensor] | None,
    settings: Stage2,
    *,
    epochs: int,
    rng: np.random.Generator,
    report: Report,
) -> History:
    """Train projection and sequence model in place.

    Args:
        training: The encoder's vectors ``(segments, dim)`` of each clip, and the class
            indices ``(clips,)``.
        validation: The same of the validation speakers; None runs all `epochs`.
    """
    vectors, targets = training
    trained = nn.ModuleList([model.projection, model.sequence])

    def loss(batch: list[int]) -> Tensor:
        logits = model.classify([vectors[i] for i in batch]).logits
        return F.cross_entropy(logits, targets[batch])

    @torch.inference_mode()
    def validate() -> Score:
        assert validation is not None
        logits, expected = model.classify(validation[0]).logits, validation[1]
        return Score(
            uar(expected.numpy(), logits.argmax(-1).numpy()),
            F.cross_entropy(logits, expected).item(),
        )

    return fit(
        "stage 2 (sequence)",
        trained,
        torch.optim.Adam(trained.parameters(), settings.rate),
        lambda: shuffled([1] * len(vectors), settings.batch, rng),
        loss,
        validate if validation else None,
        epochs=epochs,
        patience=settings.patience,
        clip=settings.clip,
        report=report,
    )
