"""A system that searches its settings inside the training part of each fold."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import Recording
from ...errors import AffektError
from ...training.context import TrainingContext
from ...training.search import Search, search
from .paper import PaperSystem
from .system import ConfiguredSystem, Grouping, TrainingPart


class Tuned(ConfiguredSystem):
    """The paper's system with the settings that a search in the training part finds; see `System`.

    Its score is that of the search together with the training: nested cross-validation.

    Args:
        plan: What is searched.
        cache: Folder of cached segment embeddings; None for no cache.
    """

    def __init__(self, plan: Search, cache: Path | None) -> None:
        super().__init__(plan.config)
        self.plan = plan
        self.cache = cache

    def train(self, part: TrainingPart) -> None:
        """Search, then train with the settings found."""
        if part.held_out is not None:
            raise AffektError("a search of settings must not see the test part: no paper_protocol")
        context = TrainingContext(part.report, embedding_cache=self.cache)
        found = search(part.clips, self.plan, context, seed=part.seed)
        self.system = PaperSystem(found.config, self.cache)
        self.system.train(part)
        self.labels = self.system.labels
        self.training_info = self.system.training_info | found.to_json()

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities ``(recordings, classes)``, or values of dimensions."""
        return self.system.predict(recordings)

    def predict_grouped(
        self, recordings: Sequence[Recording], groupings: Sequence[Grouping | None]
    ) -> list[NDArray[np.float64]]:
        """See `NormalisingSystem.predict_grouped`."""
        return self.system.predict_grouped(recordings, groupings)
