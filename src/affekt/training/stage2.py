"""Stage 2: the sequence model, from a clip's segment vectors to its emotion (equations 3-9).

The vectors come from the encoder that stage 1 left, computed once; or, end to end, the
encoder goes on learning beneath the sequence model.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..config import Stage2
from ..nn.emotion_model import EmotionModel
from ..nn.encoders.batching import encode, windows
from .distributed import Distributed
from .stage import Batches, History, Score, Stage
from .stage1 import Part
from .targets import Targets
from .trainer import Trainer, computing


class Clips(Protocol):
    """Clips as the sequence model sees them."""

    @property
    def truth(self) -> Targets:
        """What is right of each clip."""
        ...

    def look(self, batch: Sequence[int]) -> list[Tensor]:
        """Standardised vectors ``(segments, dim)`` of some clips."""
        ...


class Sequences(NamedTuple):
    """Clips whose vectors are known.

    Attributes:
        embeddings: Standardised ``(segments, dim)`` of each clip.
        truth: What is right of each clip.
    """

    embeddings: Sequence[Tensor]
    truth: Targets

    def look(self, batch: Sequence[int]) -> list[Tensor]:
        """See `Clips`."""
        return [self.embeddings[i] for i in batch]


class Live(NamedTuple):
    """Clips that the encoder hears anew each time, with gradients.

    Attributes:
        model: In training.
        part: Waves, spans and classes.
        precision: Of the arithmetic in training, as in `Config`.
    """

    model: EmotionModel
    part: Part
    precision: str

    @property
    def truth(self) -> Targets:
        """What is right of each clip."""
        return self.part.truth

    def look(self, batch: Sequence[int]) -> list[Tensor]:
        """See `Clips`."""
        sources = [self.part.sources[i] for i in batch]
        return list(map(self.model.standardise, self._encode(batch), sources))

    def _encode(self, batch: Sequence[int]) -> list[Tensor]:
        part, encoder = self.part, self.model.encoder
        if not torch.is_grad_enabled():  # many clips at once, in bounded memory
            waves = [part.waves[i] for i in batch]
            embeddings = dict(encode(encoder, waves, [part.spans[i] for i in batch]))
            return [embeddings[i] for i in range(len(batch))]
        pieces = [list(windows(part.waves[i], part.spans[i])) for i in batch]
        sounds, spans = zip(*(piece for clip in pieces for piece in clip), strict=True)
        counts = [sum(len(inside) for _, inside in clip) for clip in pieces]
        with computing(self.precision):
            return list(encoder(sounds, spans).float().split(counts))


def train_sequence(
    model: EmotionModel,
    training: Clips,
    validation: Clips | None,
    settings: Stage2,
    *,
    encoder_rate: float,
    epochs: int,
    rng: np.random.Generator,
    trainer: Trainer,
) -> History:
    """Train projection and sequence model in place, end to end the encoder too.

    Without `validation` all `epochs` are run.
    """
    on_top = nn.ModuleList([model.projection, model.sequence])
    trained: nn.Module = on_top
    groups = [{"params": on_top.parameters(), "lr": settings.learning_rate}]
    if settings.end_to_end:
        trained = model
        groups.append({"params": model.encoder.parameters(), "lr": encoder_rate})

    def loss(batch: list[int]) -> Tensor:
        return training.truth.of(batch).loss(model.classify(training.look(batch)).logits)

    def validate(held_out: Clips) -> Score:
        return held_out.truth.score(held_out_logits(model, held_out, trainer.distributed))

    stage = Stage(
        "stage 2 (end to end)" if settings.end_to_end else "stage 2 (sequence)",
        trained,
        torch.optim.Adam(groups, fused=True),
        Batches([1] * len(training.truth.targets), settings.batch_size, rng),
        loss,
        partial(validate, validation) if validation else None,
        epochs,
        settings.patience,
        settings.max_grad_norm,
    )
    return trainer.fit(stage)


@torch.inference_mode()
def held_out_logits(model: EmotionModel, held_out: Clips, distributed: Distributed) -> Tensor:
    """Logits ``(clips, classes)`` of clips that are not trained on."""
    clips, classes = held_out.truth.known.shape
    mine = distributed.mine(range(clips))
    logits = model.classify(held_out.look(mine)).logits if mine else torch.empty(0, classes)
    return torch.cat(distributed.rows(logits.split(1), [1] * clips, classes))
