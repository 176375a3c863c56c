"""Speech gate: rejects recordings that are not speech; their result is "uncertain"."""

import torch
from torch import Tensor, nn

from ..types import UNCERTAIN as UNCERTAIN

SHORTEST = 0.25  # s, about a syllable; a shorter recording is rejected


class SpeechGate(nn.Module):
    """Logistic regression on the mean of a clip's segment embeddings.

    Of the embeddings of several encoders it takes the first one: the frames of a voice encoder say
    little of what is no voice.

    It is fitted to training speech and to the noises, tones and melodies of
    `affekt.training.synthetic_noise`. Until then it accepts everything.

    Args:
        dim: Length of the embeddings, or of their first part.

    Attributes:
        mean: Mean of its training speech ``(dim,)``.
        sd: Standard deviation of its training speech ``(dim,)``.
        weight: Coefficients ``(dim,)``.
        threshold: Lowest score that is accepted as speech.
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
        """Standardise mean embeddings ``(..., dim)``, or more, and clip them to ±8."""
        return ((means[..., : len(self.mean)] - self.mean) / self.sd).clamp(-8, 8)

    def score(self, means: Tensor) -> Tensor:
        """Score mean embeddings ``(..., dim)``; speech scores higher."""
        return self.standardise(means) @ self.weight

    def rejection_reason(self, embeddings: Tensor) -> str:
        """Why a clip with embeddings ``(segments, dim)`` is rejected; "" if it is accepted."""
        if self.score(embeddings.mean(0)) >= self.threshold:
            return ""
        return "not speech, or too noisy or too unlike the training data to tell"


def too_short(seconds: float) -> str:
    """Why a recording of less than `SHORTEST` seconds is rejected."""
    return f"too short: {seconds:.2f} s, less than a syllable of {SHORTEST} s"
