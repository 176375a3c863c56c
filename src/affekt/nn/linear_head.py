"""Linear Gaussian classifier of mean embeddings, with an unknown offset of each speaker.

A clip's mean embedding x, standardised, is modelled as the mean of its class plus noise with one
covariance for all classes (linear discriminant analysis). Two things use it: its scores are added
to the logits of the sequence model, and its classes tell how much of a speaker's mean comes from
what the speaker felt, so that normalisation by speaker leaves it in
(`affekt.inference.normalisation`).
"""

import torch
from torch import Tensor, nn

SAME = 1e-6  # variance below which utterances are copies of one


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
        alike: 0.9 quantile of `spread_of` over training speakers, each in a single emotion; 0 if it
            is unknown.
    """

    means: Tensor
    weight: Tensor
    bias: Tensor
    mix: Tensor
    alike: Tensor

    def __init__(self, dim: int, classes: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, dim))
        self.register_buffer("weight", torch.zeros(classes, dim))
        self.register_buffer("bias", torch.zeros(classes))
        self.register_buffer("mix", torch.zeros(outputs, classes))
        self.register_buffer("alike", torch.zeros(()))

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

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """What mean embeddings ``(..., dim)`` add to the logits ``(..., outputs)``.

        Args:
            x: The embeddings, standardised.
            classes: As of `scores`.
        """
        return self.scores(x, classes) @ self.mix.T

    def scores(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Log-likelihoods ``(..., classes)`` of ``(..., dim)``, up to a constant.

        Args:
            x: Mean embeddings, standardised.
            classes: Means of a speaker's classes ``(classes, directions)``, as of `along`; by
                default those of the training corpora.
        """
        scores = x @ self.weight.T + self.bias
        if classes is None:
            return scores
        general = self.along(self.means)
        further = (classes.square() - general.square()).sum(1) / 2
        return scores + self.along(x) @ (classes - general).T - further

    def along(self, x: Tensor) -> Tensor:
        """Coordinates ``(..., directions)`` of ``(..., dim)`` along the discriminants.

        The origin is the mean of the class means.
        """
        return (x - self.means.mean(0)) @ self.discriminants()

    def discriminants(self) -> Tensor:
        """Directions ``(dim, directions)`` in which the class means differ, at most one per class.

        Along each, embeddings of one class have variance 1, and none of two is correlated (linear
        discriminant analysis). A head that is not fitted has none.
        """
        means, weight = (x.double() - x.double().mean(0) for x in (self.means, self.weight))
        sizes, vectors = torch.linalg.eigh(weight @ means.T)
        kept = sizes > 1e-6 * sizes.max().clamp_min(1e-12)
        return (weight.T @ vectors[:, kept] / sizes[kept].sqrt()).float()


def with_discriminants(x: Tensor, head: LinearHead) -> Tensor:
    """Standardised mean embeddings ``(utterances, dim)``, followed by their discriminants."""
    return torch.cat([x, x @ head.discriminants()], 1)


def spread_of(variance: Tensor, dim: int) -> float:
    """How far utterances differ in the directions in which emotions differ.

    It is their mean variance along the discriminants, over the median of that along the dimensions
    of the embeddings. The length of the utterances and the noise in them change both alike.

    Args:
        variance: Of what `with_discriminants` returns, over utterances ``(dim + directions,)``.
        dim: Length of an embedding.
    """
    if len(variance) == dim:  # no discriminants
        return 0.0
    return float(variance[dim:].mean() / variance[:dim].median().clamp_min(SAME))
