"""Adapt a model to labelled recordings of the user; a few minutes of speech are enough.

The statistics of the recordings replace those of the training corpora, and the last layer is fitted
to the recordings, each standardised by its speaker as in recognition. All other weights stay as
they are. A penalty on the distance from the old last layer keeps the new one close to it if there
are few clips. The temperature of the softmax is fitted in cross-validation over speakers, or over
the clips of a single one.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, StratifiedKFold
from torch import Tensor, nn

from ..errors import CorpusError
from ..inference.normalisation import NormalisationStatistics
from ..metrics import gain_interval, scores
from ..nn.checkpoint import Checkpoint
from ..nn.emotion_model import EmotionModel, Statistics
from ..nn.encoders.hashing import encoder_id
from ..types import ANONYMOUS, unit_of
from .calibration import cautious_temperature
from .clips import Clip, held_out_units, speakers
from .embedding_cache import EmbeddingCache
from .targets import ClassTargets
from .waves import prepared

FOLDS = 5
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # on the distance from the old last layer
DEFAULT_PENALTY = 0.1  # where there are too few clips for cross-validation
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Adapted:
    """An adapted model and its score in cross-validation.

    Attributes:
        checkpoint: The new model; its classes are those of the recordings.
        before: UAR of the old model, with the same normalisation as `after`.
        after: UAR of models that were adapted in the same way, on held-out recordings.
        gain: 95 % confidence interval of the difference, by a bootstrap over `held_out`.
        held_out: What each fold holds out: "speakers"; "clips" if there is a single speaker, or
            speakers are unknown.
        speakers: Number of known speakers.
        temperatures: Of the softmax, fitted to the held-out recordings: without statistics of
            the speaker, and with them.
        added: Classes that the old model does not have.
    """

    checkpoint: Checkpoint
    before: float
    after: float
    gain: tuple[float, float]
    held_out: str
    speakers: int
    temperatures: tuple[float, float]
    added: list[str]

    def notes(self) -> list[str]:
        """Limits of the scores, as sentences."""
        notes = list(self.checkpoint.training.notes or ())
        if self.gain[0] <= 0:
            notes.append("no gain can be shown on these recordings; more of them may show one")
        if self.held_out == "clips":
            speakers = "one speaker" if self.speakers else "speakers unknown"
            notes.append(f"{speakers}: the scores are not valid for other speakers")
        if self.added:
            notes.append(
                f"new classes, which the old model cannot predict: {', '.join(self.added)}"
            )
        return notes


def adapt(base: Checkpoint, clips: Sequence[Clip], cache: EmbeddingCache, name: str) -> Adapted:
    """Adapt a model to labelled clips.

    Args:
        base: The model to adapt.
        clips: At least two classes, and two clips of each.
        cache: Embedding cache of the model's encoder.
        name: Name of the new model.

    Raises:
        CorpusError: There are too few classes or clips, or the encoder of the model was fine-tuned,
            so that its embeddings are not standardised.
    """
    labels = sorted({c.label for c in clips})
    counts = {label: sum(c.label == label for c in clips) for label in labels}
    if len(labels) < 2 or min(counts.values()) < 2:
        found = ", ".join(f"{label} {n}" for label, n in counts.items())
        raise CorpusError(
            f"adapt needs at least two classes with two clips each; there are {found}"
        )
    if (prior := base.model.prior) is None:
        raise CorpusError(
            f"{base.name}: a model with a fine-tuned encoder cannot be adapted; train a new model"
        )
    waves, spans = prepared([c.recording for c in clips], base.config)
    data = _Data(
        base,
        prior,
        labels,
        cache.encode(waves, spans),
        torch.tensor([labels.index(c.label) for c in clips]),
        np.array(held_out_units(clips)),
    )
    everything = np.arange(len(clips))
    before = data.old_predictions(data.inputs(everything, prior))
    logits, normalised = data.held_out_logits(everything)
    after = normalised.argmax(-1).numpy()
    known = ClassTargets(data.targets, torch.ones_like(logits, dtype=torch.bool))
    temperatures = cautious_temperature(logits, known), cautious_temperature(normalised, known)
    model = _adapted_model(base.model, *data.learn(everything), temperatures)
    targets = data.targets.numpy()
    old, new = (_confusions(targets, p, data.groups, len(labels)) for p in (before, after))
    names = speakers(clips)
    return Adapted(
        replace(base, model=model, labels=labels, name=name),
        float(scores(old.sum(0))["UAR"]),
        float(scores(new.sum(0))["UAR"]),
        gain_interval(old, new),
        unit_of(names) if len(names) > 1 else "clips",
        sum(ANONYMOUS not in name for name in names),
        temperatures,
        [label for label in labels if label not in base.labels],
    )


@dataclass(frozen=True)
class _Data:
    """Embeddings and targets of the clips, and fits to subsets of them.

    Attributes:
        base: The old model.
        prior: Its statistics for an unknown domain.
        labels: Classes of the clips.
        embeddings: ``(segments, dim)`` of each clip.
        targets: Class indices ``(clips,)``.
        speakers: Speaker of each clip ``(clips,)``.
    """

    base: Checkpoint
    prior: Statistics
    labels: list[str]
    embeddings: Sequence[Tensor]
    targets: Tensor
    speakers: NDArray[np.str_]

    @cached_property
    def encoder(self) -> str:
        """Hash of the encoder, which takes longer than a fit."""
        return encoder_id(self.base.model.encoder)

    @property
    def groups(self) -> NDArray[np.str_]:
        """Group of each clip for the bootstrap: its speaker; of a single speaker the clip."""
        if len(set(self.speakers)) > 1:
            return self.speakers
        return np.arange(len(self.speakers)).astype(str)

    def learn(self, rows: Rows) -> tuple[Statistics, nn.Linear]:
        """Fit statistics and last layer to some of the clips."""
        statistics = self.statistics(rows)._replace(classes=None)  # of several speakers
        x = self.inputs(rows, statistics)
        return statistics, self.fit(x, rows, self.select_penalty(x, rows))

    def held_out_logits(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Logits ``(rows, classes)`` of each clip by a fit to the other folds.

        Returns:
            Logits of clips that are standardised by the statistics of the training clips, and as in
            recognition; see `inputs`.
        """
        logits = torch.zeros(len(rows), len(self.labels))
        normalised = logits.clone()
        for train, test in self.splits(rows):
            statistics, layer = self.learn(train)
            logits[test] = layer(self.pooled(test, statistics))
            normalised[test] = layer(self.inputs(test, statistics))
        return logits, normalised

    def statistics(self, rows: Rows, prior: Statistics | None = None) -> Statistics:
        """Normalisation statistics of some of the clips, drawn to a prior; see `prior`."""
        statistics = NormalisationStatistics.unknown(self.encoder, len(self.prior.mean))
        for row in rows:
            statistics = statistics.updated(self.embeddings[row])
        prior, head = prior or self.prior, self.base.model.linear
        clips = [(len(e), e.mean(0)) for e in (self.embeddings[row] for row in rows)]
        return statistics.with_classes(clips, prior, head).statistics(prior, head)

    def inputs(self, rows: Rows, prior: Statistics) -> Tensor:
        """Inputs of the last layer ``(clips, dim)``, for clips standardised as in recognition.

        Args:
            rows: The clips.
            prior: Statistics to which those of each speaker are drawn; they standardise the clips
                themselves if the model does not normalise by speaker.
        """
        if not self.base.model.normalises_speakers:
            return self.pooled(rows, prior)
        inputs: dict[int, Tensor] = {}
        for speaker in np.unique(self.speakers[rows]):
            own = rows[self.speakers[rows] == speaker]
            inputs |= zip(own, self.pooled(own, self.statistics(own, prior)), strict=True)
        return torch.stack([inputs[row] for row in rows])

    @torch.inference_mode()
    def pooled(self, rows: Rows, statistics: Statistics | None) -> Tensor:
        """Inputs of the last layer ``(clips, dim)``, for clips standardised by `statistics`.

        They are the pooled vectors and, where they are part of the result, the scores of the linear
        head.
        """
        model = self.base.model
        standardised = [model.standardise(self.embeddings[i], statistics) for i in rows]
        pooled = model.classify(standardised).pooled
        if not model.linear.mix.any():
            return pooled
        classes = statistics.classes if statistics else None
        scores = model.linear.scores(torch.stack([e.mean(0) for e in standardised]), classes)
        return torch.cat([pooled, scores], 1)

    @torch.inference_mode()
    def old_predictions(self, x: Tensor) -> NDArray[np.int64]:
        """Class that the old model predicts among those of the clips; new classes have logit 0."""
        return self._old_layer(1.0)(x).argmax(-1).numpy()

    def splits(self, rows: Rows) -> list[tuple[Rows, Rows]]:
        """Training and test rows of each fold: by speaker; of a single speaker by clip."""
        y = self.targets[rows].numpy()
        if len(set(self.speakers[rows])) > 1:
            folds = min(FOLDS, len(set(self.speakers[rows])))
            parts = GroupKFold(folds).split(rows, y, self.speakers[rows])
        else:
            folds = min(FOLDS, int(np.bincount(y)[np.unique(y)].min()))
            if folds < 2:
                return []
            parts = StratifiedKFold(folds, shuffle=True, random_state=0).split(rows, y)
        return [(rows[train], rows[test]) for train, test in parts]

    def select_penalty(self, x: Tensor, rows: Rows) -> float:
        """The penalty with the lowest loss in cross-validation.

        Args:
            x: Inputs of the last layer ``(rows, dim)``.
            rows: Their clips.
        """
        position = {row: i for i, row in enumerate(rows)}
        losses = dict.fromkeys(PENALTIES, 0.0)
        for train, test in self.splits(rows):
            inside, outside = ([position[row] for row in part] for part in (train, test))
            for penalty in PENALTIES:
                layer = self.fit(x[inside], train, penalty)
                loss = F.cross_entropy(layer(x[outside]), self.targets[test], reduction="sum")
                losses[penalty] += loss.item()
        return min(losses, key=losses.__getitem__) if any(losses.values()) else DEFAULT_PENALTY

    def fit(self, x: Tensor, rows: Rows, penalty: float) -> nn.Linear:
        """Fit the last layer: logistic regression in which every class has the same weight.

        Args:
            x: Inputs of the last layer ``(rows, dim)``.
            rows: Their clips.
            penalty: Penalty on the squared distance from the old last layer.
        """
        scale = float(x.square().sum(1).mean().sqrt())
        old_layer = self._old_layer(scale)
        layer = copy.deepcopy(old_layer)
        y = self.targets[rows]
        weight = 1 / torch.bincount(y, minlength=len(self.labels)).clamp(min=1)
        optimizer = torch.optim.LBFGS(
            layer.parameters(), max_iter=60, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            distance = sum(
                (new - old.detach()).square().sum()
                for new, old in zip(layer.parameters(), old_layer.parameters(), strict=True)
            )
            loss = F.cross_entropy(layer(x / scale), y, weight) + penalty / 2 * distance
            loss.backward()
            return loss

        optimizer.step(closure)
        layer.weight.data /= scale
        return layer.requires_grad_(False)

    def _old_layer(self, scale: float) -> nn.Linear:
        """The calibrated old last layer for inputs divided by `scale`; zero for new classes."""
        model = self.base.model
        old, temperature = model.sequence.classifier, model.temperatures[1]
        weight, mix = old.weight, model.linear.mix
        if mix.any():
            weight = torch.cat([weight, mix], 1)
        layer = nn.Linear(weight.shape[1], len(self.labels))
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
        for i, label in enumerate(self.labels):
            if label in self.base.labels:
                j = self.base.labels.index(label)
                layer.weight.data[i] = weight[j] / temperature * scale
                layer.bias.data[i] = old.bias[j] / temperature
        return layer


def _adapted_model(
    base: EmotionModel,
    statistics: Statistics,
    layer: nn.Linear,
    temperatures: tuple[float, float],
) -> EmotionModel:
    """A copy with another last layer that standardises every recording by the statistics.

    Args:
        base: The model to copy.
        statistics: Statistics for recordings of an unknown domain.
        layer: The last layer, on the inputs of `_Data.pooled`.
        temperatures: Temperatures of the softmax; see `EmotionModel`.
    """
    model = copy.deepcopy(base)
    if model.prior:
        model.prior.mean.copy_(statistics.mean)
        model.prior.sd.copy_(statistics.sd)
    pooled = model.sequence.classifier.in_features
    classifier = nn.Linear(pooled, layer.out_features).requires_grad_(False)
    classifier.weight.copy_(layer.weight[:, :pooled])
    classifier.bias.copy_(layer.bias)
    model.sequence.classifier = classifier
    model.linear.mix = torch.zeros(layer.out_features, len(model.linear.means))
    model.linear.mix[:, : layer.in_features - pooled] = layer.weight[:, pooled:]
    model.temperatures.copy_(torch.tensor(temperatures))
    return model.eval()


def _confusions(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], groups: NDArray[np.str_], classes: int
) -> NDArray[np.int64]:
    """Confusion matrix of each group ``(groups, classes, classes)``, targets in rows.

    Args:
        targets: Class of each clip.
        predicted: Predicted class of each clip.
        groups: Group of each clip.
        classes: Number of classes.
    """
    names, which = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), classes, classes), int)
    np.add.at(counts, (which, targets, predicted), 1)
    return counts
