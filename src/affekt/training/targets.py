"""What is right of clips or segments, and how far a model is from it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metrics import uar
from .clips import Clip
from .stage import Score


class Targets(NamedTuple):
    """Classes of clips or segments, each among those that its corpus knows.

    A corpus without fear has fearful clips under other names or none: it says nothing about
    fear. Loss and score therefore compare only the classes of an item's own corpus.

    Attributes:
        targets: Class indices ``(items,)``.
        known: Bool ``(items, classes)``, true for the classes of the item's corpus.
    """

    targets: Tensor
    known: Tensor

    def of(self, items: Sequence[int]) -> "Targets":
        """Of some items."""
        return Targets(self.targets[items], self.known[items])

    def loss(self, logits: Tensor) -> Tensor:
        """Cross-entropy of ``(items, classes)`` (equation 2), in the mean."""
        return F.cross_entropy(self._among_known(logits), self.targets)

    def score(self, logits: Tensor) -> Score:
        """Of held-out items."""
        predicted = self._among_known(logits).argmax(-1)
        return Score(self.loss(logits).item(), uar(self.targets.numpy(), predicted.numpy()))

    def _among_known(self, logits: Tensor) -> Tensor:
        return logits.masked_fill(~self.known, -torch.inf)


def truth(clips: Sequence[Clip], labels: list[str], known: dict[str, set[str]]) -> Targets:
    """What is right of clips.

    Args:
        clips: The clips.
        labels: Classes in the order of the logits.
        known: The classes of each corpus.
    """
    rows = {corpus: [label in classes for label in labels] for corpus, classes in known.items()}
    return Targets(
        torch.tensor([labels.index(c.label) for c in clips]),
        torch.tensor([rows[c.example.corpus] for c in clips], dtype=torch.bool),
    )


def known_classes(clips: Sequence[Clip]) -> dict[str, set[str]]:
    """The classes of each corpus among the clips."""
    known: dict[str, set[str]] = {}
    for clip in clips:
        known.setdefault(clip.example.corpus, set()).add(clip.label)
    return known
