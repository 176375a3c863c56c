"""What the recordings of one source have in common, so that it is not taken for emotion.

A voice, a microphone and a language colour every segment vector. The mean and spread of a
source's unlabelled recordings take that colour out: standardised by them instead of by those of
the training corpora, an unheard corpus is recognised far better (results/default-model.md).
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

PRIOR = 15.0  # segments that the training corpora count for: about seven seconds of speech


@dataclass(frozen=True)
class NormalisationStatistics:
    """Running mean and variance of segment vectors of one source.

    A speaker, a microphone, an archive: what its recordings share. It should hold all its
    emotions in about their usual shares; what is common to all its recordings is lost.

    Attributes:
        encoder: Hash of the encoder whose vectors these are.
        segments: How many went in.
        mean: ``(dim,)``.
        variance: ``(dim,)``.
        neutral: Whether it is of neutral speech alone: of how its emotions spread it says nothing.
    """

    encoder: str
    segments: int
    mean: Tensor
    variance: Tensor
    neutral: bool = False

    @classmethod
    def unknown(cls, encoder: str, dim: int) -> "NormalisationStatistics":
        """Nothing heard yet: every clip is standardised by the training corpora."""
        return cls(
            encoder, 0, torch.zeros(dim, dtype=torch.float64), torch.zeros(dim, dtype=torch.float64)
        )

    def updated(self, embeddings: Tensor) -> "NormalisationStatistics":
        """With the vectors ``(segments, dim)`` of a further recording (Chan et al., 1979)."""
        new = embeddings.double()
        total = self.segments + len(new)
        step = new.mean(0) - self.mean
        mean = self.mean + step * len(new) / total
        within = self.segments * self.variance + len(new) * new.var(0, correction=0)
        between = step.square() * self.segments * len(new) / total
        return replace(self, segments=total, mean=mean, variance=(within + between) / total)

    def statistics(self, prior: Statistics) -> Statistics:
        """Mean and sd to standardise by: the source's, drawn towards the training corpora'.

        The prior counts as `PRIOR` segments, so that one short clip does no harm and a minute
        of speech speaks for itself.
        """
        n, total = self.segments, self.segments + PRIOR
        mean = (n * self.mean + PRIOR * prior.mean.double()) / total
        if self.neutral:
            return Statistics(mean.float(), prior.sd)
        standard_deviation = n * (self.variance + (self.mean - mean).square())
        variance = (standard_deviation + PRIOR * prior.sd.double().square()) / total
        return Statistics(mean.float(), variance.sqrt().float())

    def save(self, path: Path) -> None:
        """Write a safetensors file; the recordings cannot be told from it.

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
    """Read what `NormalisationStatistics.save` wrote.

    Raises:
        AffektError: It is not there, or something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in ("mean", "variance")}
        neutral = about.get("of") == "neutral speech"
        source = NormalisationStatistics(
            about["encoder"], int(about["segments"]), **tensors, neutral=neutral
        )
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise AffektError(f"{path}: not source statistics of affekt ({error})") from None
    if source.mean.ndim != 1 or source.mean.shape != source.variance.shape or source.segments < 0:
        raise AffektError(f"{path}: damaged source statistics")
    return source
