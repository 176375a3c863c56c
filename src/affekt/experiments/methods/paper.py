"""The paper's system, in every variant that a config describes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoint import Checkpoint
from ...config import Config
from ...encoders.weights import build_encoder
from ...progress import Report
from ...recognizer import Recognizer
from ...recording import Recording
from ...training.data import Clip
from ...training.loop import Loop
from ...training.train import train


class PaperMethod:
    """The paper's system in the variant that a config describes."""

    def __init__(self, config: Config, cache: Path | None) -> None:
        if config.encoder.weights:
            build_encoder(config.encoder)  # a wrong file is told now, not after hours of others
        self.config = config
        self.cache = cache
        self.labels: list[str] = []
        self.facts: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """See `Method`."""
        trained = train(
            clips, self.config, seed=seed, held_out=held_out, cache=self.cache, loop=Loop(report)
        )
        if trained.interrupted:
            raise KeyboardInterrupt  # a model cut short is no basis for a score
        self.labels, self.facts = trained.labels, trained.facts()
        self._recognizer = Recognizer(
            Checkpoint(trained.model, trained.labels, self.config, "under test")
        )

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """See `Method`."""
        heard = self._recognizer.hear(recordings)
        one_source = self.config.protocol.source_statistics
        source = self._recognizer.source_of(heard) if one_source else None
        predictions = [self._recognizer.tell(clip, source) for clip in heard]
        return np.array([list(p.probabilities.values()) for p in predictions])
