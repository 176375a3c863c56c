"""Class weights and focal loss: what others do about unbalanced classes.

They are controls for the paper's balance of segments (`affekt.training.balance`).
"""

from typing import NamedTuple

import torch
from torch import Tensor

BETA = 0.99  # of the effective number: Cui et al. tried 0.9 to 0.9999; 0 weighs all classes equally


class ClassLoss(NamedTuple):
    """Cross-entropy with class weights and the factor of focal loss.

    Attributes:
        weights: Of each class ``(classes,)``; None for equal weights.
        gamma: Exponent of focal loss; 0 for plain cross-entropy.
    """

    weights: Tensor | None = None
    gamma: float = 0.0

    def of_items(self, log_p: Tensor, shares: Tensor) -> Tensor:
        """Loss of each item ``(items,)``.

        Its mean is not divided by the weights of a batch, so that parts of a batch add up.

        Args:
            log_p: Log-probabilities ``(items, classes)``.
            shares: Share of each class in the target ``(items, classes)``; 1 for the label.
        """
        loss = -shares * log_p
        if self.gamma:  # the derivative of x^gamma at 0 is infinite for gamma below 1
            loss = loss * (-torch.expm1(log_p)).clamp_min(1e-6) ** self.gamma
        if self.weights is not None:
            loss = loss * self.weights.to(loss.device)
        return loss.sum(-1)


PLAIN = ClassLoss()


def class_weights(kind: str, counts: Tensor) -> Tensor | None:
    """Weights of the classes, whose mean over the items is 1.

    Args:
        kind: ``none``; ``inverse``: 1 / n (King and Zeng, Logistic regression in rare events data,
            Political Analysis 9, 2001; "balanced" in scikit-learn); ``effective-number``:
            (1 - beta) / (1 - beta^n) (Cui et al., Class-balanced loss based on effective number of
            samples, CVPR 2019).
        counts: Number of items n of each class ``(classes,)``; a class without any counts as 1.
    """
    if kind == "none":
        return None
    n = counts.clamp_min(1)
    weights = 1 / n if kind == "inverse" else (1 - BETA) / (1 - BETA**n)
    return weights * counts.sum() / (weights * counts).sum()
