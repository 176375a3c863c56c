"""What can be scored without hearing an emotion: the floor under every other system."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from ...audio.recording import Recording
from ...config import Config
from ...nn.emotion_model import prepare
from ...progress import Report
from ...training.balance import cut, make_plan
from ...training.clips import Clip


class Majority:
    """Always the most frequent class of the training part. See `System`."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """Count."""
        counts = Counter(c.label for c in clips)
        self.labels = sorted(counts)
        self.shares = np.array([counts[label] for label in self.labels]) / counts.total()

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """The shares of the classes, the same for all."""
        return np.tile(self.shares, (len(recordings), 1))


class Length:
    """Sees only how many segments a clip is cut into at test. See `System`.

    What it scores above chance is in the durations of the corpus; a segmentation that knew
    the label would show here. Under ``balance.scope = "both"`` it learns from the balanced
    segments, as stage 2 then does.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """A small tree."""
        tree = DecisionTreeClassifier(max_depth=4, class_weight="balanced", random_state=seed)
        counts = self._counts([c.recording for c in clips])
        if self.config.balance.scope == "both":
            plan = make_plan(self.config.balance.plan, [(c.label, c.seconds) for c in clips])
            counts = np.array([[float(len(cut(c.seconds, plan[c.label])))] for c in clips])
        self.tree = tree.fit(counts, [c.label for c in clips])
        self.labels = [str(c) for c in tree.classes_]

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Probabilities ``(recordings, classes)``."""
        return np.asarray(self.tree.predict_proba(self._counts(recordings)), np.float64)

    def _counts(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        _, spans = prepare(recordings, self.config)
        return np.array([[float(len(s))] for s in spans])
