"""Targets of clips or segments, and the loss and score of logits against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Loss
from ..corpora.targets import classes, dimensions
from ..errors import CorpusError
from ..metrics import uar
from .class_loss import PLAIN, ClassLoss, class_weights
from .clips import Clip

EPSILON = 1e-8  # of a batch in which nothing varies, such as a single clip


class Score(NamedTuple):
    """Score of validation clips or segments.

    The loss chooses the epoch: the UAR of a few dozen clips takes few values, and its best epoch is
    often best by chance (measured in ``results/selection.md``).

    Attributes:
        loss: The loss.
        value: UAR; of dimensions the mean of their CCC.
        name: "UAR" or "CCC".
    """

    loss: float
    value: float
    name: str = "UAR"


class Targets(Protocol):
    """Targets of clips or segments, and the loss and score of a model's outputs."""

    @property
    def outputs(self) -> int:
        """Number of outputs that the model needs."""
        ...

    def __len__(self) -> int: ...

    def select(self, items: Sequence[int]) -> "Targets":
        """Targets of some items."""
        ...

    def repeat(self, counts: Sequence[int]) -> "Targets":
        """Targets of segments, given the targets of clips and their numbers of segments."""
        ...

    def to(self, device: torch.device) -> "Targets":
        """The same targets on a device."""
        ...

    def class_loss(self, settings: Loss) -> ClassLoss:
        """The loss of classes with weights from the numbers of these items."""
        ...

    def loss(self, logits: Tensor, class_loss: ClassLoss = PLAIN) -> Tensor:
        """Mean loss of ``(items, outputs)``, on the device of the targets."""
        ...

    def score(self, logits: Tensor, class_loss: ClassLoss = PLAIN) -> Score:
        """Loss and score of ``(items, outputs)``, on the CPU."""
        ...


@dataclass(frozen=True)
class ClassTargets:
    """Classes of clips or segments, each among the classes of its corpus.

    In a corpus without the class fear, fearful clips have another label or were left out. Loss and
    score therefore compare only the classes of an item's own corpus.

    Attributes:
        indices: Class indices ``(items,)``.
        known: Bool ``(items, classes)``, true for the classes of the item's corpus.
        shares: Share of each class ``(items, classes)`` where labels are soft.
    """

    indices: Tensor
    known: Tensor
    shares: Tensor | None = None

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return self.known.shape[1]

    def __len__(self) -> int:
        return len(self.known)

    def select(self, items: Sequence[int]) -> "ClassTargets":
        """Targets of some items."""
        return self._of(torch.tensor(list(items), dtype=torch.long))

    def repeat(self, counts: Sequence[int]) -> "ClassTargets":
        """Targets of segments, given the targets of clips and their numbers of segments."""
        return self._of(torch.arange(len(self)).repeat_interleave(torch.tensor(list(counts))))

    def _of(self, items: Tensor) -> "ClassTargets":
        shares = None if self.shares is None else self.shares[items]
        return ClassTargets(self.indices[items], self.known[items], shares)

    def to(self, device: torch.device) -> "ClassTargets":
        """The same targets on a device."""
        shares = None if self.shares is None else self.shares.to(device)
        return ClassTargets(self.indices.to(device), self.known.to(device), shares)

    def class_loss(self, settings: Loss) -> ClassLoss:
        """The loss of classes with weights from the numbers of these items."""
        if self.shares is None:  # a row for each of millions of segments takes much memory
            counts = torch.bincount(self.indices, minlength=self.outputs).float()
        else:
            counts = self.shares.sum(0)
        weights = class_weights(settings.class_weights, counts)
        return ClassLoss(weights, settings.focal_gamma)

    def loss(self, logits: Tensor, class_loss: ClassLoss = PLAIN) -> Tensor:
        """Mean cross-entropy of ``(items, classes)`` (equation 2), to the shares if there are.

        Args:
            logits: ``(items, classes)``.
            class_loss: Class weights and focal loss.
        """
        among = self._among_known(logits)
        if self.shares is None and class_loss == PLAIN:
            return F.cross_entropy(among, self.indices)
        log_p = among.log_softmax(-1).masked_fill(~self.known, 0)
        return class_loss.of_items(log_p, self._shares()).mean()

    def score(self, logits: Tensor, class_loss: ClassLoss = PLAIN) -> Score:
        """Loss and UAR of ``(items, classes)``."""
        predicted = self._among_known(logits).argmax(-1)
        loss = self.loss(logits, class_loss).item()
        return Score(loss, uar(self.indices.numpy(), predicted.numpy()))

    def _shares(self) -> Tensor:
        if self.shares is not None:
            return self.shares
        return F.one_hot(self.indices, self.outputs).float()

    def _among_known(self, logits: Tensor) -> Tensor:
        return logits.masked_fill(~self.known, -torch.inf)


@dataclass(frozen=True)
class DimensionTargets:
    """Values of dimensions of clips or segments.

    Attributes:
        values: ``(items, dimensions)``, with mean 0 and standard deviation 1 in training.
    """

    values: Tensor

    @property
    def outputs(self) -> int:
        """Number of dimensions."""
        return self.values.shape[1]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, items: Sequence[int]) -> "DimensionTargets":
        """Targets of some items."""
        return DimensionTargets(self.values[list(items)])

    def repeat(self, counts: Sequence[int]) -> "DimensionTargets":
        """Targets of segments, given the targets of clips and their numbers of segments."""
        return DimensionTargets(self.values.repeat_interleave(torch.tensor(list(counts)), 0))

    def to(self, device: torch.device) -> "DimensionTargets":
        """The same targets on a device."""
        return DimensionTargets(self.values.to(device))

    def class_loss(self, settings: Loss) -> ClassLoss:
        """Nothing: dimensions have no classes."""
        return PLAIN

    def loss(self, logits: Tensor, class_loss: ClassLoss = PLAIN) -> Tensor:
        """1 less the concordance correlation coefficient over the items, mean of the dimensions.

        Args:
            logits: Predicted values ``(items, dimensions)``.
            class_loss: Not used.
        """
        x, y = self.values, logits
        distance = x.mean(0) - y.mean(0)
        covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
        total = x.var(0, correction=0) + y.var(0, correction=0) + distance**2
        return (1 - 2 * covariance / (total + EPSILON)).mean()

    def score(self, logits: Tensor, class_loss: ClassLoss = PLAIN) -> Score:
        """Loss and mean CCC of ``(items, dimensions)``."""
        loss = self.loss(logits).item()
        return Score(loss, 1 - loss, "CCC")


@dataclass(frozen=True)
class Classes:
    """The classes of a training.

    Attributes:
        labels: All of them, in the order of the logits.
        by_corpus: The classes of each corpus.
    """

    labels: list[str]
    by_corpus: dict[str, set[str]]

    @property
    def outputs(self) -> int:
        """Number of outputs of a model."""
        return len(self.labels)

    def targets(self, clips: Sequence[Clip]) -> ClassTargets:
        """Targets of clips of these corpora."""
        known = {
            corpus: [label in classes for label in self.labels]
            for corpus, classes in self.by_corpus.items()
        }
        indices = torch.tensor([self.labels.index(c.label) for c in clips])
        shares = None
        if any(c.example.targets for c in clips):
            rows = [dict(c.example.targets) or {c.label: 1.0} for c in clips]
            shares = torch.tensor([[row.get(label, 0.0) for label in self.labels] for row in rows])
        among = torch.tensor([known[c.example.corpus] for c in clips], dtype=torch.bool)
        return ClassTargets(indices, among, shares)


@dataclass(frozen=True)
class Dimensions:
    """The dimensions of a training.

    A model is trained on values with mean 0 and standard deviation 1, which the CCC does not
    depend on; `rescale` gives its outputs the scale of the corpus.

    Attributes:
        names: In the order of the outputs.
        mean: Means of the training clips ``(dimensions,)``.
        sd: Standard deviations ``(dimensions,)``.
    """

    names: list[str]
    mean: Tensor
    sd: Tensor

    @property
    def outputs(self) -> int:
        """Number of outputs of a model."""
        return len(self.names)

    def targets(self, clips: Sequence[Clip]) -> DimensionTargets:
        """Targets of clips."""
        return DimensionTargets((_values(clips) - self.mean) / self.sd)

    @torch.no_grad()
    def rescale(self, layer: nn.Linear) -> None:
        """Give the outputs of a trained last layer the scale of the corpus, in place."""
        mean, sd = self.mean.to(layer.weight.device), self.sd.to(layer.weight.device)
        layer.weight.mul_(sd[:, None])
        layer.bias.mul_(sd).add_(mean)


Task = Classes | Dimensions


def task_of(clips: Sequence[Clip]) -> Task:
    """The classes among clips and those of each corpus, or their dimensions.

    Raises:
        CorpusError: Clips have different kinds of targets, or a dimension is the same for all.
    """
    if names := dimensions([c.example for c in clips]):
        values = _values(clips)
        sd = values.std(0)
        if constant := [name for name, each in zip(names, sd.tolist(), strict=True) if not each]:
            raise CorpusError(f"{constant[0]} is the same for all training clips")
        return Dimensions(names, values.mean(0), sd)
    by_corpus: dict[str, set[str]] = {}
    for clip in clips:
        by_corpus.setdefault(clip.example.corpus, set()).update(classes([clip.example]))
    return Classes(sorted(set().union(*by_corpus.values())), by_corpus)


def _values(clips: Sequence[Clip]) -> Tensor:
    return torch.tensor([[value for _, value in c.example.targets] for c in clips])
