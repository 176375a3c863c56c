"""The paper's system, in every variant that a config describes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import Recording
from ...config import Config
from ...inference.recognizer import Recognizer
from ...nn.checkpoint import Checkpoint
from ...nn.encoders.weights import build_encoder
from ...progress import Report
from ...training.clips import Clip
from ...training.context import TrainingContext
from ...training.run import train


class PaperSystem:
    """The paper's system in the variant that a config describes."""

    def __init__(self, config: Config, cache: Path | None) -> None:
        if config.encoder.weights:
            build_encoder(config.encoder)  # a wrong file is told now, not after hours of others
        self.config = config
        self.cache = cache
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """See `System`."""
        trained = train(
            clips,
            self.config,
            TrainingContext(report, embedding_cache=self.cache),
            seed=seed,
            held_out=held_out,
        )
        self.labels, self.training_info = trained.labels, trained.training_info().to_json()
        self._recognizer = Recognizer(
            Checkpoint(trained.model, trained.labels, self.config, "under test")
        )

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """See `System`."""
        encoded = self._recognizer.encode(recordings)
        one_source = self.config.protocol.test_normalisation != "none"
        source = self._recognizer.statistics_of(encoded) if one_source else None
        predictions = [self._recognizer.classify(clip, source) for clip in encoded]
        return np.array([list(p.probabilities.values()) for p in predictions])
