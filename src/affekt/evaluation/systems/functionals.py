"""Statistics of a clip and a classifier: the systems of [27], [28], [31], and ComParE 2016.

One vector a clip, standardised by the training part; the classifier's settings are chosen
on inner groups of training speakers.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ...audio.recording import Recording
from ...config import Config
from ...errors import CorpusError
from ...metrics import uar
from ...nn.emotion_model import prepare
from ...progress import Event, Report
from ...training.clips import Clip
from .features import FeatureCache

INNER_FOLDS = 3
TREES = 500
Grid = list[dict[str, list[Any]]]


def support_vectors(seed: int) -> tuple[ClassifierMixin, Grid]:
    """A support vector machine, linear or with a Gaussian kernel."""
    grid: Grid = [
        {"svc__kernel": ["linear"], "svc__C": [1e-4, 1e-3, 1e-2, 1e-1, 1.0]},
        {"svc__kernel": ["rbf"], "svc__C": [1.0, 10.0]},
    ]
    return SVC(class_weight="balanced", random_state=seed), grid


def forest(seed: int) -> tuple[ClassifierMixin, Grid]:
    """A random forest."""
    trees = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed)
    return trees, [{"randomforestclassifier__min_samples_leaf": [1, 3]}]


class Functionals:
    """One vector a clip, and a classifier on it. See `System`."""

    def __init__(
        self,
        config: Config,
        features: FeatureCache,
        classifier: Callable[[int], tuple[ClassifierMixin, Grid]],
    ) -> None:
        self.config = config
        self.features = features
        self.classifier = classifier
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """Learn; every choice by cross-validation over groups of the training speakers."""
        truth = [c.label for c in clips]
        speakers = [c.example.speaker for c in clips]
        embeddings = self._vectors([c.recording for c in clips], report)
        model, grid = self.classifier(seed)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            grid,
            scoring=make_scorer(uar),
            cv=inner_folds(truth, speakers, seed),
        )
        search.fit(embeddings, truth, groups=speakers)
        self.model: Pipeline = search.best_estimator_
        self.labels = [str(c) for c in self.model.classes_]
        self.training_info = {
            "chosen": {k.split("__")[1]: v for k, v in search.best_params_.items()},
            "validation_UAR": round(float(search.best_score_), 4),
            "features": self.features.name,
        }

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Probabilities; of a support vector machine the softmax of its margins."""
        embeddings = self._vectors(recordings, lambda event: None)
        if hasattr(self.model, "predict_proba"):
            return np.asarray(self.model.predict_proba(embeddings), np.float64)
        return margins_to_probabilities(self.model.decision_function(embeddings))

    def _vectors(self, recordings: Sequence[Recording], report: Report) -> NDArray[np.float32]:
        embeddings = []
        waves, _ = prepare(recordings, self.config)
        for done, wave in enumerate(waves, 1):
            embeddings.append(self.features(wave))
            report(Event(f"features {self.features.name}", done, len(recordings)))
        return np.stack(embeddings)


def inner_folds(
    truth: Sequence[str], speakers: Sequence[str], seed: int
) -> GroupKFold | StratifiedGroupKFold | StratifiedKFold:
    """Folds over groups of the training speakers; of a single speaker, over the clips.

    Speakers are grouped at random; where a group would lack a class, mixed by class.

    Raises:
        CorpusError: No such folds leave two classes to learn.
    """
    known, smallest = len(set(speakers)), min(Counter(truth).values())
    if known == 1 and smallest > 1:
        return StratifiedKFold(min(INNER_FOLDS, smallest), shuffle=True, random_state=seed)
    number = min(INNER_FOLDS, known)
    labels = np.array(truth)
    if known > 1:
        for folds in (
            GroupKFold(number, shuffle=True, random_state=seed),
            StratifiedGroupKFold(number, shuffle=True, random_state=seed),
        ):
            parts = list(folds.split(labels, labels, speakers))
            if all(len(set(labels[part])) == len(set(truth)) for _, part in parts):
                return folds
        if all(len(set(labels[part])) > 1 for part, _ in parts):
            return folds
    raise CorpusError(
        f"{known} training speakers with {smallest} clips of the smallest class: without one "
        "group of them too little is left to choose settings on; use fewer folds or more speakers"
    )


def margins_to_probabilities(margins: ArrayLike) -> NDArray[np.float64]:
    """The softmax of a support vector machine's margins; not calibrated."""
    values = np.asarray(margins, np.float64)
    if values.ndim == 1:  # two classes
        values = np.stack([-values, values], axis=1) / 2
    odds = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True))
