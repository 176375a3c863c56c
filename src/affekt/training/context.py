"""Context of a training: progress, processes, caches; everything but data and settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import PartialState
from accelerate.tracking import GeneralTracker

from ..nn.encoders.protocol import SegmentEncoder
from ..progress import Report, silent
from .embedding_cache import EmbeddingCache
from .processes import join_processes
from .resume import ResumeCheckpoints
from .targets import Score


def ignore(stage: str, score: Score) -> None:
    """Take no notice of a validation score."""


@dataclass(frozen=True)
class TrainingContext:
    """How and where a training runs; built once and passed to all functions of the training.

    Attributes:
        report: Receives progress.
        processes: Device of this process, and the processes that train together.
        embedding_cache: Folder of the embedding cache; None stores no embeddings on disk.
        checkpoints: Resume checkpoints; without them a killed training starts again.
        gradient_accumulation_steps: Number of parts in which a batch is computed, one after the
            other: less memory, the same gradient.
        keep_interrupted: Whether Ctrl-C ends a stage with its best epoch, instead of raising
            KeyboardInterrupt. With several processes it always raises.
        trackers: Record losses and scores of each epoch; from `affekt.training.tracking`.
        on_validation: Called with the name of the stage and the validation score after each epoch;
            an exception ends the training.
    """

    report: Report = silent
    processes: PartialState = field(default_factory=join_processes)
    embedding_cache: Path | None = None
    checkpoints: ResumeCheckpoints | None = None
    gradient_accumulation_steps: int = 1
    keep_interrupted: bool = False
    trackers: Sequence[GeneralTracker] = ()
    on_validation: Callable[[str, Score], None] = ignore

    @property
    def defers_interruption(self) -> bool:
        """Whether Ctrl-C ends a stage with its best epoch."""
        return self.keep_interrupted and self.processes.num_processes == 1

    @property
    def whole_batches(self) -> bool:
        """Whether each batch is computed at once, in one process."""
        return self.processes.num_processes == 1 and self.gradient_accumulation_steps == 1

    def cache_of(self, encoder: SegmentEncoder) -> EmbeddingCache:
        """The embedding cache of an encoder with its current weights."""
        return EmbeddingCache(encoder, self.embedding_cache, self.processes, self.report)
