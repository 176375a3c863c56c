"""Context of a training: progress, processes, caches; everything but data and settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..nn.encoders.protocol import SegmentEncoder
from ..progress import Report, silent
from .distributed import Distributed
from .embedding_cache import EmbeddingCache
from .resume import ResumeCheckpoints
from .targets import Score


def ignore(stage: str, score: Score) -> None:
    """Take no notice of a validation score."""


@dataclass(frozen=True)
class TrainingContext:
    """How and where a training runs; built once and passed to all functions of the training.

    Attributes:
        report: Receives progress.
        distributed: The processes that train together.
        embedding_cache: Folder of the embedding cache; None stores no embeddings on disk.
        checkpoints: Resume checkpoints; without them a killed training starts again.
        gradient_accumulation_steps: Number of parts in which a batch is computed, one after the
            other: less memory, the same gradient.
        keep_interrupted: Whether Ctrl-C ends a stage with its best epoch, instead of raising
            KeyboardInterrupt. With several processes it always raises.
        on_validation: Called with the name of the stage and the validation score after each epoch;
            an exception ends the training.
    """

    report: Report = silent
    distributed: Distributed = field(default_factory=Distributed)
    embedding_cache: Path | None = None
    checkpoints: ResumeCheckpoints | None = None
    gradient_accumulation_steps: int = 1
    keep_interrupted: bool = False
    on_validation: Callable[[str, Score], None] = ignore

    @property
    def defers_interruption(self) -> bool:
        """Whether Ctrl-C ends a stage with its best epoch."""
        return self.keep_interrupted and self.distributed.size == 1

    @property
    def whole_batches(self) -> bool:
        """Whether each batch is computed at once, in one process."""
        return self.distributed.size == 1 and self.gradient_accumulation_steps == 1

    def cache_of(self, encoder: SegmentEncoder) -> EmbeddingCache:
        """The embedding cache of an encoder with its current weights."""
        return EmbeddingCache(encoder, self.embedding_cache, self.distributed, self.report)
