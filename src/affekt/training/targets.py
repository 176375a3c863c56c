"""Targets of clips or segments, and the loss and score of logits against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metrics import uar
from .clips import Clip


class Score(NamedTuple):
    """Score of validation clips or segments.

    The loss chooses the epoch: the UAR of a few dozen clips takes few values, and its best epoch is
    often best by chance (measured in ``results/selection.md``).
    """

    loss: float
    uar: float


class Targets(NamedTuple):
    """Classes of clips or segments, each among the classes of its corpus.

    In a corpus without the class fear, fearful clips have another label or were left out. Loss and
    score therefore compare only the classes of an item's own corpus.

    Attributes:
        indices: Class indices ``(items,)``.
        known: Bool ``(items, classes)``, true for the classes of the item's corpus.
    """

    indices: Tensor
    known: Tensor

    def select(self, items: Sequence[int]) -> "Targets":
        """Targets of some items."""
        return Targets(self.indices[items], self.known[items])

    def repeat(self, counts: Sequence[int]) -> "Targets":
        """Targets of segments, given the targets of clips and their numbers of segments."""
        repeats = torch.tensor(list(counts))
        return Targets(
            self.indices.repeat_interleave(repeats, 0), self.known.repeat_interleave(repeats, 0)
        )

    def loss(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy of ``(items, classes)`` (equation 2)."""
        return F.cross_entropy(self._among_known(logits), self.indices)

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

    def targets(self, clips: Sequence[Clip]) -> Targets:
        """Targets of clips of these corpora."""
        known = {
            corpus: [label in classes for label in self.labels]
            for corpus, classes in self.by_corpus.items()
        }
        return Targets(
            torch.tensor([self.labels.index(c.label) for c in clips]),
            torch.tensor([known[c.example.corpus] for c in clips], dtype=torch.bool),
        )


def classes_of(clips: Sequence[Clip]) -> Classes:
    """The classes among clips, and those of each corpus."""
    by_corpus: dict[str, set[str]] = {}
    for clip in clips:
        by_corpus.setdefault(clip.example.corpus, set()).add(clip.label)
    return Classes(sorted({c.label for c in clips}), by_corpus)
