"""Stage 1: the segment encoder under a softmax head, on balanced segments (equations 1, 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ..audio.recording import Wave
from ..audio.segmentation import FRAME, Spans
from ..config import Stage1
from ..nn.emotion_model import VECTOR, EmotionModel, Projection
from ..nn.encoders.batching import windows
from ..nn.encoders.vggish import SAMPLES
from ..progress import Report, silent
from .clips import EmbeddingCache
from .stage import Batches, History, Score, Stage
from .targets import Targets
from .trainer import Trainer, computing


@dataclass(frozen=True)
class Part:
    """One side of a split, ready for an encoder.

    Attributes:
        waves: One ``(samples,)`` a clip, levelled.
        spans: One ``(segments, 2)`` a clip: by class in training, uniform in validation.
        truth: What is right of each clip.
        corpora: The corpus of each clip.
        sources: By whose statistics each clip is standardised: its corpus, or None for those of
            all, as in use with recordings of which nothing else is known.
    """

    waves: Sequence[Wave]
    spans: Sequence[Spans]
    truth: Targets
    corpora: Sequence[str]
    sources: Sequence[str | None]

    def by_segment(self) -> Targets:
        """What is right of every segment: what is right of its clip."""
        counts = torch.tensor([len(s) for s in self.spans])
        return Targets(*(t.repeat_interleave(counts, 0) for t in self.truth))


class Embeddings:
    """Standardised segments as a frozen encoder sees them, computed once."""

    def __init__(self, embeddings: Sequence[Tensor], part: Part) -> None:
        self.embeddings = torch.cat(list(embeddings))
        self.truth = part.by_segment()
        self.sizes = [1] * len(self.embeddings)

    def __call__(self, batch: list[int]) -> tuple[Tensor, Targets]:
        """Vectors ``(segments, dim)`` and their classes."""
        return self.embeddings[batch], self.truth.of(batch)


class Sounds:
    """Segments for an encoder in training, encoded anew at every step.

    One segment is one item, as in the paper, unless the encoder hears the context: then
    the segments of a clip go together.
    """

    def __init__(self, model: EmotionModel, part: Part, precision: str) -> None:
        self.model = model
        self.precision = precision
        self.items: list[tuple[Tensor, Tensor, str | None, Targets]] = []
        for i, (clip, spans) in enumerate(zip(part.waves, part.spans, strict=True)):
            for wave, inside in windows(clip, spans):
                if model.encoder.contextual:
                    self._add(wave, inside, part, i)
                    continue
                for span in inside:
                    start = int(span[0]) * FRAME
                    self._add(wave[start : start + SAMPLES], (span - span[0])[None], part, i)
        self.sizes = [len(spans) for _, spans, _, _ in self.items]

    def _add(self, wave: Tensor, spans: Tensor, part: Part, clip: int) -> None:
        item = wave, spans, part.sources[clip], part.truth.of([clip] * len(spans))
        self.items.append(item)

    def __call__(self, batch: list[int]) -> tuple[Tensor, Targets]:
        """Vectors ``(segments, dim)``, with gradients, and their classes."""
        waves, spans, sources, truths = zip(*(self.items[i] for i in batch), strict=True)
        with computing(self.precision):
            together = self.model.encoder(waves, spans).float()
        embeddings = map(self.model.standardise, together.split([len(s) for s in spans]), sources)
        return torch.cat(list(embeddings)), Targets(*map(torch.cat, zip(*truths, strict=True)))


def train_encoder(
    model: EmotionModel,
    training: Part,
    validation: Part | None,
    settings: Stage1,
    cache: EmbeddingCache,
    *,
    classes: int,
    epochs: int,
    precision: str,
    rng: np.random.Generator,
    trainer: Trainer,
) -> History:
    """Train the encoder (unless frozen) and the projection in place.

    The softmax head is thrown away afterwards. Without `validation` all `epochs` are run.
    """
    head = nn.Sequential(nn.Dropout(0.5), nn.Linear(VECTOR, classes))
    on_top = nn.ModuleList([model.projection, head])
    if isinstance(model.projection, Projection):
        start = cache.encode(training.waves, training.spans, trainer.report)
        model.projection.measure(_by_corpus(start, training.corpora))
    if settings.freeze:
        data: Embeddings | Sounds = Embeddings(standardised(model, start, training), training)
        trained = on_top
        groups: list[tuple[nn.Module, float]] = [(on_top, settings.head_learning_rate)]
        fixed = torch.cat(encoded(model, cache, validation, trainer.report)) if validation else None
    else:
        data = Sounds(model, training, precision)
        trained = nn.ModuleList([model.encoder, on_top])
        groups = [(model.encoder, settings.learning_rate), (on_top, settings.head_learning_rate)]
        fixed = None

    optimizer = torch.optim.Adam(
        [{"params": module.parameters(), "lr": rate} for module, rate in groups],
        fused=True,  # unfused, VGGish's 72 M weights cost as much as their gradients
    )

    def loss(batch: list[int]) -> Tensor:
        embeddings, truth = data(batch)
        return truth.loss(head(model.projection(embeddings)))

    @torch.inference_mode()
    def validate(part: Part) -> Score:
        embeddings = (
            fixed
            if fixed is not None
            else torch.cat(
                encoded(model, EmbeddingCache(None, model.encoder, trainer.distributed), part)
            )
        )
        return part.by_segment().score(head(model.projection(embeddings)))

    stage = Stage(
        "stage 1 (encoder)",
        trained,
        optimizer,
        Batches(data.sizes, settings.batch_size, rng),
        loss,
        partial(validate, validation) if validation else None,
        epochs,
        settings.patience,
    )
    return trainer.fit(stage)


def encoded(
    model: EmotionModel, cache: EmbeddingCache, part: Part, report: Report = silent
) -> list[Tensor]:
    """Standardised vectors ``(segments, dim)`` of each clip of a part."""
    return standardised(model, cache.encode(part.waves, part.spans, report), part)


def standardised(model: EmotionModel, embeddings: Sequence[Tensor], part: Part) -> list[Tensor]:
    """Each clip's vectors by the statistics of its source."""
    return list(map(model.standardise, embeddings, part.sources))


def _by_corpus(embeddings: Sequence[Tensor], corpora: Sequence[str]) -> dict[str, Tensor]:
    gathered: dict[str, list[Tensor]] = {}
    for clip, corpus in zip(embeddings, corpora, strict=True):
        gathered.setdefault(corpus, []).append(clip)
    return {corpus: torch.cat(clips) for corpus, clips in gathered.items()}
