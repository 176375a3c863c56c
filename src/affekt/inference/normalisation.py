"""Normalisation statistics of a speaker or domain, from unlabelled speech.

Speaker, microphone and language shift all segment embeddings of a recording. Standardising by the
mean and standard deviation of the speaker's or domain's own unlabelled recordings, in place of
those of the training corpora, removes that shift; an unseen corpus is then recognised far better
(results/default-model.md).
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..atomic import write
from ..errors import AffektError
from ..nn.emotion_model import Statistics

PRIOR = 15.0  # weight of the training corpora in segments: about seven seconds of speech


@dataclass(frozen=True)
class NormalisationStatistics:
    """Running mean and variance of the segment embeddings of one speaker or domain.

    The recordings should hold the emotions in about their usual shares: what all of them have in
    common is removed.

    Attributes:
        encoder: Hash of the encoder.
        segments: Number of segments.
        mean: ``(dim,)``.
        variance: ``(dim,)``.
        neutral: Whether all recordings are neutral speech; then only the mean is used.
    """

    encoder: str
    segments: int
    mean: Tensor
    variance: Tensor
    neutral: bool = False

    @classmethod
    def unknown(cls, encoder: str, dim: int) -> "NormalisationStatistics":
        """Statistics of no recording: clips are standardised by the training corpora."""
        return cls(
            encoder, 0, torch.zeros(dim, dtype=torch.float64), torch.zeros(dim, dtype=torch.float64)
        )

    def updated(self, embeddings: Tensor) -> "NormalisationStatistics":
        """Add the embeddings ``(segments, dim)`` of a recording (Chan et al., 1979)."""
        new = embeddings.double()
        total = self.segments + len(new)
        step = new.mean(0) - self.mean
        mean = self.mean + step * len(new) / total
        within = self.segments * self.variance + len(new) * new.var(0, correction=0)
        between = step.square() * self.segments * len(new) / total
        return replace(self, segments=total, mean=mean, variance=(within + between) / total)

    def statistics(self, prior: Statistics) -> Statistics:
        """Mean and standard deviation to standardise by.

        They are the weighted mean of these statistics and of those of the training corpora, which
        count as `PRIOR` segments: a short clip changes little, a minute of speech nearly decides.
        """
        n, total = self.segments, self.segments + PRIOR
        mean = (n * self.mean + PRIOR * prior.mean.double()) / total
        if self.neutral:
            return Statistics(mean.float(), prior.sd)
        standard_deviation = n * (self.variance + (self.mean - mean).square())
        variance = (standard_deviation + PRIOR * prior.sd.double().square()) / total
        return Statistics(mean.float(), variance.sqrt().float())

    def save(self, path: Path) -> None:
        """Write a safetensors file; the recordings cannot be reconstructed from it.

        Raises:
            AffektError: It cannot be written.
        """
        about = {
            "affekt": "source statistics",
            "encoder": self.encoder,
            "segments": str(self.segments),
            "of": "neutral speech" if self.neutral else "all speech",
        }
        write(path, save({"mean": self.mean, "variance": self.variance}, about))


def load_statistics(path: Path) -> NormalisationStatistics:
    """Read a file of `NormalisationStatistics.save`.

    Raises:
        AffektError: There is no such file, or its content is something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in ("mean", "variance")}
        neutral = about.get("of") == "neutral speech"
        statistics = NormalisationStatistics(
            about["encoder"], int(about["segments"]), **tensors, neutral=neutral
        )
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise AffektError(f"{path}: not normalisation statistics of affekt ({error})") from error
    mean, variance = statistics.mean, statistics.variance
    if mean.ndim != 1 or mean.shape != variance.shape or statistics.segments < 0:
        raise AffektError(f"{path}: damaged normalisation statistics")
    return statistics
