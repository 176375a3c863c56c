"""Linear Gaussian classifier of mean embeddings, with an unknown offset of each speaker.

A clip's mean embedding x, standardised, is modelled as the mean of its class plus noise with one
covariance for all classes (linear discriminant analysis). Two things use it: its scores are added
to the logits of the sequence model, and its classes tell how much of a speaker's mean comes from
what the speaker felt, so that normalisation by speaker leaves it in
(`affekt.inference.normalisation`).
"""

import torch
from torch import Tensor, nn


class LinearHead(nn.Module):
    """Scores of Gaussian classes with a shared covariance; zero before it is fitted.

    Args:
        dim: Length of an embedding.
        classes: Number of Gaussian classes, those of the training.
        outputs: Number of classes of the model; other than `classes` after adaptation.

    Attributes:
        means: Mean of each class ``(classes, dim)``.
        weight: Means times the inverse covariance ``(classes, dim)``.
        bias: ``(classes,)``.
        mix: What each score adds to each logit ``(outputs, classes)``; 0 if the scores are not part
            of the result.
    """

    means: Tensor
    weight: Tensor
    bias: Tensor
    mix: Tensor

    def __init__(self, dim: int, classes: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, dim))
        self.register_buffer("weight", torch.zeros(classes, dim))
        self.register_buffer("bias", torch.zeros(classes))
        self.register_buffer("mix", torch.zeros(outputs, classes))

    def set_classes(self, means: Tensor, covariance: Tensor) -> None:
        """Set the classes.

        Args:
            means: ``(classes, dim)``.
            covariance: ``(dim, dim)``, positive definite.
        """
        weight = torch.linalg.solve(covariance, means.T).T
        self.means.copy_(means)
        self.weight.copy_(weight)
        self.bias.copy_(-(weight * means).sum(1) / 2)

    def forward(self, x: Tensor) -> Tensor:
        """What mean embeddings ``(..., dim)`` add to the logits ``(..., outputs)``."""
        return self.scores(x) @ self.mix.T

    def scores(self, x: Tensor) -> Tensor:
        """Log-likelihoods ``(..., classes)`` of ``(..., dim)``, up to a constant."""
        return x @ self.weight.T + self.bias
