"""Telling speech from other sounds, so that a model can say that it does not know."""

import torch
from torch import Tensor, nn

UNCERTAIN = "uncertain"  # in place of a class
SHORTEST = 0.25  # s of sound; a syllable


class SpeechGate(nn.Module):
    """Logistic regression on the mean of a clip's segment vectors.

    It learned the training speech against noises, tones and melodies made by
    `affekt.training.synthetic_noise`. Until it has learned, everything passes.

    Attributes:
        mean: Of the vectors it learned from ``(dim,)``.
        sd: Likewise.
        weight: ``(dim,)``.
        threshold: Least score of speech.
    """

    mean: Tensor
    sd: Tensor
    weight: Tensor
    threshold: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("sd", torch.ones(dim))
        self.register_buffer("weight", torch.zeros(dim))
        self.register_buffer("threshold", torch.tensor(-torch.inf))

    def standardise(self, means: Tensor) -> Tensor:
        """As the regression sees them: ``(..., dim)``, in standard deviations, at most 8."""
        return ((means - self.mean) / self.sd).clamp(-8, 8)

    def score(self, means: Tensor) -> Tensor:
        """Of mean vectors ``(..., dim)``; the higher, the more like speech."""
        return self.standardise(means) @ self.weight

    def rejection_reason(self, embeddings: Tensor) -> str:
        """Why a clip's vectors should not be given an emotion, or ""."""
        if self.score(embeddings.mean(0)) >= self.threshold:
            return ""
        return "not speech, or too noisy or too unlike the training data to tell"
