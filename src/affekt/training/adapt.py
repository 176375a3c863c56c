"""Fit a model to a user's own labelled recordings: minutes of speech, seconds of work.

The encoder and all that stands below the last layer stay as they are. The recordings'
statistics replace those of the training corpora, and the last layer is fitted anew, drawn
towards the one that was there: with few clips the old model speaks, with many the new ones.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from ..nn.emotion_model import EmotionModel, Statistics, prepare
from ..nn.encoders.hashing import encoder_id
from .clips import Clip, speakers
from .embedding_cache import EmbeddingCache

FOLDS = 5
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # of the pull towards the old last layer
USUAL = 0.1  # where there are too few clips to choose
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Adapted:
    """A model fitted to its user's recordings, and what that brought on held-out ones.

    Attributes:
        checkpoint: The new model; its classes are those of the recordings.
        before: UAR of the old model, each recording by itself.
        after: UAR of models fitted like the new one, on recordings that these did not hear.
        gain: 95 % interval of the difference, over speakers or, of one speaker, over clips.
        held_out: What was held out at a time: "speakers" or "clips".
        added: Classes that the old model does not have.
    """

    checkpoint: Checkpoint
    before: float
    after: float
    gain: tuple[float, float]
    held_out: str
    added: list[str]

    def notes(self) -> list[str]:
        """What the figures allow to be said, and what not."""
        notes = []
        if self.gain[0] <= 0:
            notes.append("no gain can be shown on so few recordings: use it with care, or add some")
        if self.held_out == "clips":
            notes.append("one speaker: the figures are of that voice alone")
        if self.added:
            notes.append(
                f"new classes, which the old model had no chance at: {', '.join(self.added)}"
            )
        return notes


def adapt(base: Checkpoint, clips: Sequence[Clip], cache: EmbeddingCache, name: str) -> Adapted:
    """Fit `base` to labelled clips.

    Raises:
        CorpusError: One class only, a class with a single clip, or a model whose encoder was
            tuned, so that it takes no statistics of a source.
    """
    labels = sorted({c.label for c in clips})
    counts = {label: sum(c.label == label for c in clips) for label in labels}
    if len(labels) < 2 or min(counts.values()) < 2:
        told = ", ".join(f"{label} {n}" for label, n in counts.items())
        raise CorpusError(f"adapting needs two clips or more of two classes or more; got {told}")
    if (prior := base.model.prior) is None:
        raise CorpusError(f"{base.name}: its encoder was tuned; train anew instead")
    waves, spans = prepare([c.recording for c in clips], base.config)
    data = _Data(
        base,
        prior,
        labels,
        cache.encode(waves, spans),
        torch.tensor([labels.index(c.label) for c in clips]),
        np.array([c.example.speaker for c in clips]),
    )
    everything = np.arange(len(clips))
    before = data.old_labels(data.pooled(everything, None))
    after = before.copy()
    for train, test in data.splits(everything):
        source, layer = data.learn(train)
        after[test] = layer(data.pooled(test, source)).argmax(-1).numpy()
    model = _with(base.model, *data.learn(everything))
    truth = data.targets.numpy()
    old, new = (_confusions(truth, p, data.groups, len(labels)) for p in (before, after))
    return Adapted(
        replace(base, model=model, labels=labels, name=name),
        float(scores(old.sum(0))["UAR"]),
        float(scores(new.sum(0))["UAR"]),
        gain_interval(old, new),
        "speakers" if len(speakers(clips)) > 1 else "clips",
        [label for label in labels if label not in base.labels],
    )


@dataclass(frozen=True)
class _Data:
    """The clips, and fits to some of them."""

    base: Checkpoint
    prior: Statistics
    labels: list[str]
    embeddings: list[Tensor]
    targets: Tensor
    speakers: NDArray[np.str_]

    @property
    def groups(self) -> NDArray[np.str_]:
        """What may not be torn apart: speakers, or the clips of a single one."""
        if len(set(self.speakers)) > 1:
            return self.speakers
        return np.arange(len(self.speakers)).astype(str)

    def learn(self, rows: Rows) -> tuple[Statistics, nn.Linear]:
        """The source and the last layer that some clips give."""
        source = self.statistics(rows)
        x = self.pooled(rows, source)
        return source, self.fit(x, rows, self.strength(x, rows))

    def statistics(self, rows: Rows) -> Statistics:
        """Of the source of some clips."""
        source = NormalisationStatistics.unknown(
            encoder_id(self.base.model.encoder), len(self.prior.mean)
        )
        for row in rows:
            source = source.updated(self.embeddings[row])
        return source.statistics(self.prior)

    @torch.inference_mode()
    def pooled(self, rows: Rows, source: Statistics | None) -> Tensor:
        """What the last layer sees of clips ``(clips, dim)``."""
        model = self.base.model
        return model.classify([model.standardise(self.embeddings[i], source) for i in rows]).pooled

    @torch.inference_mode()
    def old_labels(self, x: Tensor) -> NDArray[np.int64]:
        """The old model's choice among the classes; where it has none of them, the first."""
        return self._start(1.0)(x).argmax(-1).numpy()

    def splits(self, rows: Rows) -> list[tuple[Rows, Rows]]:
        """Folds by speaker or, of one speaker, by clip; none that loses a class."""
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

    def strength(self, x: Tensor, rows: Rows) -> float:
        """The pull that held-out clips among these like best."""
        at = {row: i for i, row in enumerate(rows)}
        losses = dict.fromkeys(STRENGTHS, 0.0)
        for train, test in self.splits(rows):
            inside, outside = ([at[row] for row in part] for part in (train, test))
            for strength in STRENGTHS:
                layer = self.fit(x[inside], train, strength)
                loss = F.cross_entropy(layer(x[outside]), self.targets[test], reduction="sum")
                losses[strength] += loss.item()
        return min(losses, key=losses.__getitem__) if any(losses.values()) else USUAL

    def fit(self, x: Tensor, rows: Rows, strength: float) -> nn.Linear:
        """The last layer: logistic regression drawn to the old one, every class of like weight."""
        scale = float(x.square().sum(1).mean().sqrt())
        start = self._start(scale)
        layer = copy.deepcopy(start)
        y = self.targets[rows]
        weight = 1 / torch.bincount(y, minlength=len(self.labels)).clamp(min=1)
        optimizer = torch.optim.LBFGS(
            layer.parameters(), max_iter=60, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            pull = sum(
                (new - old.detach()).square().sum()
                for new, old in zip(layer.parameters(), start.parameters(), strict=True)
            )
            loss = F.cross_entropy(layer(x / scale), y, weight) + strength / 2 * pull
            loss.backward()
            return loss

        optimizer.step(closure)
        layer.weight.data /= scale
        return layer.requires_grad_(False)

    def _start(self, scale: float) -> nn.Linear:
        """The old last layer for the classes of the clips, calibrated; zero for new classes."""
        model = self.base.model
        old, temperature = model.sequence.classifier, model.temperatures[1]
        layer = nn.Linear(old.in_features, len(self.labels))
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
        for i, label in enumerate(self.labels):
            if label in self.base.labels:
                j = self.base.labels.index(label)
                layer.weight.data[i] = old.weight[j] / temperature * scale
                layer.bias.data[i] = old.bias[j] / temperature
        return layer


def _with(base: EmotionModel, source: Statistics, layer: nn.Linear) -> EmotionModel:
    """A copy that takes every recording to be of this source, with another last layer."""
    model = copy.deepcopy(base)
    for mine, theirs in zip(model.prior or (), source, strict=True):
        mine.copy_(theirs)
    model.sequence.classifier = layer
    model.temperatures.fill_(1.0)
    return model.eval()


def _confusions(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], groups: NDArray[np.str_], classes: int
) -> NDArray[np.int64]:
    """``(groups, classes, classes)``, truth in rows."""
    names, which = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), classes, classes), int)
    np.add.at(counts, (which, truth, predicted), 1)
    return counts
