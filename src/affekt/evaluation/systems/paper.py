"""The paper's system, with all its variants."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import Recording
from ...config import Config
from ...inference.classifier import EncodedRecording
from ...inference.normalisation import NormalisationStatistics
from ...inference.recognizer import Recognizer
from ...nn.checkpoint import Checkpoint
from ...nn.encoders.weights import build_encoder
from ...training.context import TrainingContext
from ...training.processes import Device, join_processes
from ...training.run import train
from .system import ConfiguredSystem, Grouping, TrainingPart

TOGETHER = 256  # recordings whose waves are in memory together in a test


class PaperSystem(ConfiguredSystem):
    """Encoder, sequence model and pooling as the settings say; see `System`.

    Args:
        config: Settings.
        cache: Folder of cached segment embeddings; None for no cache.
        device: Where it is trained and tested.
    """

    def __init__(self, config: Config, cache: Path | None, device: Device = "auto") -> None:
        super().__init__(config)
        self.cache, self.device = cache, device
        if config.encoder.weights:  # a wrong file is an error before any training
            build_encoder(config.encoder)

    def train(self, part: TrainingPart) -> None:
        """Train both stages."""
        processes = join_processes(self.device)
        trained = train(
            part.clips,
            self.config,
            TrainingContext(part.report, processes, embedding_cache=self.cache),
            seed=part.seed,
            held_out=part.held_out,
        )
        self.labels = trained.labels or trained.dimensions
        self.training_info = trained.training_info().to_json()
        self._recognizer = Recognizer(
            Checkpoint(
                trained.model,
                trained.labels,
                self.config,
                "under test",
                dimensions=trained.dimensions,
            ),
            device=str(processes.device),
        )

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities ``(recordings, classes)``, or values of dimensions."""
        return self.predict_grouped(recordings, [None])[0]

    def predict_grouped(
        self, recordings: Sequence[Recording], groupings: Sequence[Grouping | None]
    ) -> list[NDArray[np.float64]]:
        """See `NormalisingSystem.predict_grouped`; the recordings are encoded once."""
        encoded: list[EncodedRecording] = []
        for start in range(0, len(recordings), TOGETHER):  # not the waves of a whole test part
            encoded += self._recognizer.encode(recordings[start : start + TOGETHER])
        return [self._classified(encoded, grouping) for grouping in groupings]

    def _classified(
        self, encoded: Sequence[EncodedRecording], grouping: Grouping | None
    ) -> NDArray[np.float64]:
        statistics: dict[str, NormalisationStatistics] = {}
        for name in dict.fromkeys(grouping or ()):
            own = (e for e, group in zip(encoded, grouping or (), strict=True) if group == name)
            statistics[name] = self._recognizer.statistics_of(own)
        of_each = [statistics[name] for name in grouping] if grouping else [None] * len(encoded)
        predictions = map(self._recognizer.classify, encoded, of_each)
        return np.array([list((p.dimensions or p.probabilities).values()) for p in predictions])
