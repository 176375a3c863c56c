"""Functionals of a clip and a classifier: the systems of [27], [28], [31], and ComParE 2016.

The feature vector of a clip is standardised by the training part. The settings of the classifier
are selected by cross-validation over groups of training speakers.
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
from ...nn.emotion_model import rms_normalised
from ...plural import counted
from ...progress import Event, Report, silent
from ...training.clips import Clip, held_out_units
from .features import FeatureCache
from .system import ConfiguredSystem, TrainingPart

INNER_FOLDS = 3
TREES = 500
Grid = list[dict[str, list[Any]]]


def support_vectors(seed: int) -> tuple[ClassifierMixin, Grid]:
    """Support vector machine, linear or with a Gaussian kernel, and the settings to try."""
    grid: Grid = [
        {"svc__kernel": ["linear"], "svc__C": [1e-4, 1e-3, 1e-2, 1e-1, 1.0]},
        {"svc__kernel": ["rbf"], "svc__C": [1.0, 10.0]},
    ]
    return SVC(class_weight="balanced", random_state=seed), grid


def forest(seed: int) -> tuple[ClassifierMixin, Grid]:
    """Random forest, and the settings to try."""
    trees = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed)
    return trees, [{"randomforestclassifier__min_samples_leaf": [1, 3]}]


class Functionals(ConfiguredSystem):
    """A classifier on the feature vector of a clip; see `System`.

    Args:
        config: Settings.
        features: From a wave to its feature vector.
        classifier: From a seed to a classifier and the settings to select from.
    """

    def __init__(
        self,
        config: Config,
        features: FeatureCache,
        classifier: Callable[[int], tuple[ClassifierMixin, Grid]],
    ) -> None:
        super().__init__(config)
        self.features = features
        self.classifier = classifier

    def train(self, part: TrainingPart) -> None:
        """Select the settings inside the training part and train."""
        vectors = self._vectors([c.recording for c in part.clips], part.report)
        search = grid_search(*self.classifier(part.seed), vectors, part.clips, part.seed)
        self.model: Pipeline = search.best_estimator_
        self.labels = [str(c) for c in self.model.classes_]
        self.training_info = {
            "chosen": {k.split("__")[1]: v for k, v in search.best_params_.items()},
            "validation_UAR": round(float(search.best_score_), 4),
            "features": self.features.name,
        }

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities; those of a support vector machine are a softmax of its margins."""
        vectors = self._vectors(recordings, silent)
        if hasattr(self.model, "predict_proba"):
            return np.asarray(self.model.predict_proba(vectors), np.float64)
        return margins_to_probabilities(self.model.decision_function(vectors))

    def _vectors(self, recordings: Sequence[Recording], report: Report) -> NDArray[np.float32]:
        vectors = []
        for done, wave in enumerate(rms_normalised(recordings, self.config), 1):
            vectors.append(self.features(wave))
            report(Event(f"features {self.features.name}", done, len(recordings)))
        return np.stack(vectors)


def grid_search(
    classifier: ClassifierMixin,
    grid: Grid,
    vectors: NDArray[np.float32],
    clips: Sequence[Clip],
    seed: int,
) -> GridSearchCV:
    """Select the settings of a classifier by UAR on inner folds, and train it on all clips.

    Args:
        classifier: The classifier; the vectors are standardised for it.
        grid: Settings to select from, by their name in the pipeline.
        vectors: Feature vectors ``(clips, dim)``.
        clips: The training part.
        seed: Seed of the inner folds.

    Returns:
        The search, with the trained ``best_estimator_``.

    Raises:
        CorpusError: There are too few speakers or clips for inner folds.
    """
    targets = [c.label for c in clips]
    speakers = held_out_units(clips)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier),
        grid,
        scoring=make_scorer(uar),
        cv=inner_folds(targets, speakers, seed),
    )
    return search.fit(vectors, targets, groups=speakers)


def inner_folds(
    targets: Sequence[str], speakers: Sequence[str], seed: int
) -> GroupKFold | StratifiedGroupKFold | StratifiedKFold:
    """Choose folds over groups of the training speakers; for a single speaker, over clips.

    Speakers are grouped at random, or stratified by class where a group would lack a class.

    Args:
        targets: Class of each clip.
        speakers: Speaker of each clip.
        seed: Seed of the grouping.

    Raises:
        CorpusError: No folds leave two classes to train on.
    """
    number, smallest = len(set(speakers)), min(Counter(targets).values())
    if number == 1 and smallest > 1:
        return StratifiedKFold(min(INNER_FOLDS, smallest), shuffle=True, random_state=seed)
    groups = min(INNER_FOLDS, number)
    labels = np.array(targets)
    if number > 1:
        for folds in (
            GroupKFold(groups, shuffle=True, random_state=seed),
            StratifiedGroupKFold(groups, shuffle=True, random_state=seed),
        ):
            parts = list(folds.split(labels, labels, speakers))
            if all(len(set(labels[part])) == len(set(targets)) for _, part in parts):
                return folds
        if all(len(set(labels[part])) > 1 for part, _ in parts):
            return folds
    raise CorpusError(
        f"{counted(number, 'training speaker')}, and {counted(smallest, 'clip')} of the smallest "
        "class: too few to select the settings of a classifier by cross-validation; use fewer "
        "folds or more speakers"
    )


def margins_to_probabilities(margins: ArrayLike) -> NDArray[np.float64]:
    """Softmax of the margins of a support vector machine; not calibrated."""
    values = np.asarray(margins, np.float64)
    if values.ndim == 1:  # two classes
        values = np.stack([-values, values], axis=1) / 2
    exponentials = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))
