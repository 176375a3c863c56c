"""Stage 1: the segment encoder under a softmax head, on balanced segments (equations 1, 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..audio import Wave
from ..config import Stage1
from ..encoders import windows
from ..encoders.protocol import SegmentEncoder
from ..encoders.vggish import SAMPLES
from ..metrics import uar
from ..model import VECTOR, EmotionModel, Projection
from ..progress import Report
from ..segments import SAMPLE_RATE, Spans
from .data import VectorCache
from .loop import History, Score, fit, shuffled


@dataclass(frozen=True)
class Part:
    """One side of a split, ready for an encoder.

    Attributes:
        waves: One ``(samples,)`` a clip, levelled.
        spans: One ``(segments, 2)`` a clip: by class in training, uniform in validation.
        targets: Class index of each clip ``(clips,)``.
    """

    waves: Sequence[Wave]
    spans: Sequence[Spans]
    targets: Tensor

    def segment_targets(self) -> Tensor:
        """Class index of every segment, its clip's."""
        return self.targets.repeat_interleave(torch.tensor([len(s) for s in self.spans]))


class Vectors:
    """Segments as a frozen encoder sees them, computed once."""

    def __init__(self, cache: VectorCache, part: Part, report: Report) -> None:
        self.vectors = torch.cat(cache.encode(part.waves, part.spans, report))
        self.targets = part.segment_targets()
        self.sizes = [1] * len(self.vectors)

    def __call__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """Vectors ``(segments, dim)`` and their classes."""
        return self.vectors[batch], self.targets[batch]


class Sounds:
    """Segments for an encoder in training, encoded anew at every step.

    One segment is one item, as in the paper, unless the encoder hears the context: then
    the segments of a clip go together.
    """

    def __init__(self, encoder: SegmentEncoder, part: Part) -> None:
        self.encoder = encoder
        self.items: list[tuple[Tensor, Tensor, Tensor]] = []
        for clip, spans, target in zip(part.waves, part.spans, part.targets, strict=True):
            for wave, inside in windows(clip, spans):
                if encoder.contextual:
                    self.items.append((wave, inside, target.repeat(len(inside))))
                    continue
                for span in inside:
                    start = round(float(span[0]) * SAMPLE_RATE)
                    item = wave[start : start + SAMPLES], (span - span[0])[None], target[None]
                    self.items.append(item)
        self.sizes = [len(spans) for _, spans, _ in self.items]

    def __call__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """Vectors ``(segments, dim)``, with gradients, and their classes."""
        waves, spans, targets = zip(*(self.items[i] for i in batch), strict=True)
        return self.encoder(waves, spans), torch.cat(targets)


def train_encoder(
    model: EmotionModel,
    training: Part,
    validation: Part | None,
    settings: Stage1,
    cache: VectorCache,
    *,
    classes: int,
    epochs: int,
    rng: np.random.Generator,
    report: Report,
) -> History:
    """Train the encoder (unless frozen) and the projection in place.

    The softmax head is thrown away afterwards. Without `validation` all `epochs` are run.
    """
    head = nn.Sequential(nn.Dropout(0.5), nn.Linear(VECTOR, classes))
    on_top = nn.ModuleList([model.projection, head])
    if isinstance(model.projection, Projection):
        start = Vectors(cache, training, report)
        model.projection.measure(start.vectors)
    if settings.freeze:
        data: Vectors | Sounds = start
        trained = on_top
        groups: list[tuple[nn.Module, float]] = [(on_top, settings.head_rate)]
        fixed = Vectors(cache, validation, report).vectors if validation else None
    else:
        data = Sounds(model.encoder, training)
        trained = nn.ModuleList([model.encoder, on_top])
        groups = [(model.encoder, settings.rate), (on_top, settings.head_rate)]
        fixed = None

    optimizer = torch.optim.Adam(
        [{"params": module.parameters(), "lr": rate} for module, rate in groups],
        fused=True,  # unfused, VGGish's 72 M weights cost as much as their gradients
    )

    def loss(batch: list[int]) -> Tensor:
        vectors, targets = data(batch)
        return F.cross_entropy(head(model.projection(vectors)), targets)

    @torch.inference_mode()
    def validate(part: Part) -> Score:
        vectors = (
            fixed
            if fixed is not None
            else torch.cat(VectorCache(None, model.encoder).encode(part.waves, part.spans))
        )
        logits = head(model.projection(vectors))
        targets = part.segment_targets()
        loss = F.cross_entropy(logits, targets).item()
        return Score(loss, uar(targets.numpy(), logits.argmax(-1).numpy()))

    return fit(
        "stage 1 (encoder)",
        trained,
        optimizer,
        lambda: shuffled(data.sizes, settings.batch, rng),
        loss,
        partial(validate, validation) if validation else None,
        epochs=epochs,
        patience=settings.patience,
        report=report,
    )
