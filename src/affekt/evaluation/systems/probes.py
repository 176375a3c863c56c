"""Baselines that ignore the audio: the most frequent class, and the length of a clip."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from ...audio.recording import Recording
from ...training.balance import cut, make_plan
from ...training.waves import prepared
from .system import ConfiguredSystem, TrainingPart


class Majority(ConfiguredSystem):
    """Predicts the most frequent class of the training part for every clip; see `System`."""

    def train(self, part: TrainingPart) -> None:
        """Count the clips of each class."""
        counts = Counter(c.label for c in part.clips)
        self.labels = sorted(counts)
        self.shares = np.array([counts[label] for label in self.labels]) / counts.total()

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Return the shares of the classes in the training part, for every recording."""
        return np.tile(self.shares, (len(recordings), 1))


class Length(ConfiguredSystem):
    """Predicts the class from the number of segments of a clip at test; see `System`.

    A score above chance shows that durations differ between classes, or that the segmentation
    depends on the class. Under ``balance.scope = "both"`` it is trained on the balanced segments,
    as stage 2 then is.
    """

    def train(self, part: TrainingPart) -> None:
        """Train a small decision tree."""
        clips = part.clips
        tree = DecisionTreeClassifier(max_depth=4, class_weight="balanced", random_state=part.seed)
        counts = self._counts([c.recording for c in clips])
        if self.config.balance.scope == "both":
            plan = make_plan(self.config.balance.plan, [(c.label, c.seconds) for c in clips])
            counts = np.array([[float(len(cut(c.seconds, plan[c.label])))] for c in clips])
        self.tree = tree.fit(counts, [c.label for c in clips])
        self.labels = [str(c) for c in tree.classes_]

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities ``(recordings, classes)``."""
        return np.asarray(self.tree.predict_proba(self._counts(recordings)), np.float64)

    def _counts(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        _, spans = prepared(recordings, self.config)
        return np.array([[float(len(s))] for s in spans])
