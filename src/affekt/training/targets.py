"""Targets of clips or segments, and the loss and score of logits against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..corpora.targets import classes
from ..metrics import uar
from .clips import Clip


class Score(NamedTuple):
    """Score of validation clips or segments.

    The loss chooses the epoch: the UAR of a few dozen clips takes few values, and its best epoch is
    often best by chance (measured in ``results/selection.md``).
    """

    loss: float
    uar: float


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

    def loss(self, logits: Tensor) -> Tensor:
        """Mean loss of ``(items, outputs)``."""
        ...

    def score(self, logits: Tensor) -> Score:
        """Loss and score of ``(items, outputs)``."""
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

    def loss(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy of ``(items, classes)`` (equation 2), to the shares if there are."""
        among = self._among_known(logits)
        if self.shares is None:
            return F.cross_entropy(among, self.indices)
        log_p = among.log_softmax(-1).masked_fill(~self.known, 0)
        return -(self.shares * log_p).sum(-1).mean()

    def score(self, logits: Tensor) -> Score:
        """Loss and UAR of ``(items, classes)``."""
        predicted = self._among_known(logits).argmax(-1)
        return Score(self.loss(logits).item(), uar(self.indices.numpy(), predicted.numpy()))

    def _among_known(self, logits: Tensor) -> Tensor:
        return logits.masked_fill(~self.known, -torch.inf)


@dataclass(frozen=True)
class Classes:
    """The classes of a training.

    Attributes:
        labels: All of them, in the order of the logits.
        by_corpus: The classes of each corpus.
    """

    labels: list[str]
    by_corpus: dict[str, set[str]]

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


def classes_of(clips: Sequence[Clip]) -> Classes:
    """The classes among clips, and those of each corpus."""
    by_corpus: dict[str, set[str]] = {}
    for clip in clips:
        by_corpus.setdefault(clip.example.corpus, set()).update(classes([clip.example]))
    return Classes(sorted(set().union(*by_corpus.values())), by_corpus)
