"""Normalisation statistics of a speaker or domain, from unlabelled speech.

Speaker, microphone and language shift all segment embeddings of a recording. Standardising by the
mean and standard deviation of the speaker's or domain's own unlabelled recordings, in place of
those of the training corpora, removes that shift; an unseen corpus is then recognised far better
(results/default-model.md).

What the speaker felt moves the mean too, and must stay in: otherwise a call that is angry from its
beginning to its end would be neutral. The offset o of a speaker is therefore estimated together
with the emotions of the utterances, by expectation maximisation with the linear head: an
utterance's mean embedding is ``x = o + mean of its class + noise``. The probabilities of the
classes given o say what the classes of the utterances add to the mean; the rest of it is o.

The estimate errs, and a speaker who is heard in several emotions does not need it: their mean
embedding says how the speaker sounds. With several emotions, utterances vary far more along the
discriminants of the linear head than along other directions (`spread_of`).

Speakers also differ in how they express an emotion. Where several are heard, the class means of the
linear head move towards the means of the speaker's own utterances, weighted by the probabilities of
the classes: the same maximisation, along the discriminants (MAP adaptation, Gauvain & Lee, 1994).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..atomic import write
from ..errors import AffektError
from ..nn.emotion_model import Statistics
from ..nn.linear_head import LinearHead, spread_of, with_discriminants

PRIOR = 45.0  # weight of the training corpora in segments: 22 s of speech
MIXED = 4  # effective number of classes, of more, in which a speaker must be heard
UNMIXED = 5.0  # segments by which the prior grows for each segment of a speaker heard in one class
FEW = 4  # utterances needed to tell several emotions from one
DIFFERENT = 1.4  # spread from which on several emotions are certain, in units of `LinearHead.alike`
EVEN = (0.625, 0.875)  # effective numbers over `MIXED` between which a mix turns even
CLASS_PRIOR = 5.0  # weight of the training corpora in a class mean, in utterances
STEPS = 20  # most steps of the expectation maximisation
CONVERGED = 1e-3  # largest change of a share of a class that ends it


class Moments(NamedTuple):
    """Running mean and variance of vectors.

    Attributes:
        number: Number of vectors.
        mean: ``(dim,)``.
        variance: ``(dim,)``.
    """

    number: int
    mean: Tensor
    variance: Tensor

    @classmethod
    def empty(cls, dim: int) -> "Moments":
        """Of no vectors."""
        return cls(0, torch.zeros(dim, dtype=torch.float64), torch.zeros(dim, dtype=torch.float64))

    def updated(self, vectors: Tensor) -> "Moments":
        """Add vectors ``(number, dim)`` (Chan et al., 1979)."""
        new = vectors.double()
        total = self.number + len(new)
        step = new.mean(0) - self.mean
        mean = self.mean + step * len(new) / total
        within = self.number * self.variance + len(new) * new.var(0, correction=0)
        between = step.square() * self.number * len(new) / total
        return Moments(total, mean, (within + between) / total)


class ClassMeans(NamedTuple):
    """Utterances of each class of the linear head, weighted by its probability.

    Attributes:
        numbers: Sum of the probabilities ``(classes,)``.
        means: Weighted means of the utterances' mean embeddings ``(classes, dim)``.
    """

    numbers: Tensor
    means: Tensor

    @classmethod
    def empty(cls, classes: int, dim: int) -> "ClassMeans":
        """Of no utterances."""
        numbers = torch.zeros(classes, dtype=torch.float64)
        return cls(numbers, torch.zeros(classes, dim, dtype=torch.float64))

    def updated(self, probabilities: Tensor, vectors: Tensor) -> "ClassMeans":
        """Add utterances: ``(utterances, classes)`` and ``(utterances, dim)``."""
        weights = probabilities.double()
        numbers = self.numbers + weights.sum(0)
        total = self.numbers[:, None] * self.means + weights.T @ vectors.double()
        return ClassMeans(numbers, total / numbers.clamp_min(1e-12)[:, None])

    def along(self, head: LinearHead, known: Statistics, weight: float) -> Tensor:
        """Class means ``(classes, directions)``, drawn to those of the training corpora.

        Args:
            head: Linear head of the model.
            known: Mean and standard deviation of the speaker.
            weight: Of the speaker's means, from 0 to 1, beside that by the number of utterances.
        """
        general = head.along(head.means)
        own = head.along(((self.means - known.mean) / known.sd).float())
        share = weight * self.numbers / (self.numbers + CLASS_PRIOR)
        return general + share.float()[:, None] * (own - general)


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
        shares: Share of each class of the linear head in the segments ``(classes,)``; None if all
            count as equally frequent.
        neutral: Whether all recordings are neutral speech; then only the mean is used.
        utterances: Moments of the mean embeddings of the utterances, standardised by the training
            corpora, followed by their discriminants; None if they are unknown.
        mixed: How sure it is that several emotions were heard, from 0 to 1.
        classes: Utterances of each class; None if they are unknown.
    """

    encoder: str
    segments: int
    mean: Tensor
    variance: Tensor
    shares: Tensor | None = None
    neutral: bool = False
    utterances: Moments | None = None
    mixed: float = 0.0
    classes: ClassMeans | None = None

    @classmethod
    def unknown(cls, encoder: str, dim: int) -> "NormalisationStatistics":
        """Statistics of no recording: clips are standardised by the training corpora."""
        return cls(encoder, *Moments.empty(dim))

    def updated(self, embeddings: Tensor) -> "NormalisationStatistics":
        """Add the embeddings ``(segments, dim)`` of a recording."""
        heard = Moments(self.segments, self.mean, self.variance).updated(embeddings)
        return replace(self, segments=heard.number, mean=heard.mean, variance=heard.variance)

    def with_classes(
        self, utterances: Sequence[tuple[int, Tensor]], prior: Statistics, head: LinearHead
    ) -> "NormalisationStatistics":
        """Update what is known of the classes, after `updated` with the same utterances.

        Args:
            utterances: Number of segments and mean embedding ``(dim,)`` of each.
            prior: Statistics of the training corpora.
            head: Linear head of the model.
        """
        new = sum(segments for segments, _ in utterances)
        if not new:
            return self
        earlier = self.segments - new
        means = torch.stack([mean for _, mean in utterances])
        weights = torch.tensor([segments / new for segments, _ in utterances], dtype=torch.float32)
        uniform = torch.full((len(head.means),), 1 / len(head.means), dtype=torch.float32)
        before = uniform if self.shares is None else self.shares
        shares = before
        # The prior stays the same: if it grew with unequal shares, it would make them more unequal.
        own = self.segments / (self.segments + PRIOR)
        mean, sd = self._weighted(own, prior)
        for _ in range(STEPS):
            offset = (mean if self.neutral else mean - own * sd * (shares @ head.means)).float()
            told = weights @ head.scores((means - offset) / sd).softmax(-1)
            last, shares = shares, (earlier * before + new * told) / self.segments
            if (shares - last).abs().max() < CONVERGED:
                break
        vectors = with_discriminants((means - prior.mean) / prior.sd, head)
        heard = (self.utterances or Moments.empty(vectors.shape[1])).updated(vectors)
        mixed = 0.0
        if head.alike and heard.number >= FEW:
            spread = spread_of(heard.variance, len(prior.mean)) / float(head.alike)
            mixed = min(1.0, max(0.0, (spread - 1) / (DIFFERENT - 1)))
        known = replace(self, shares=shares, utterances=heard, mixed=mixed)
        return replace(known, classes=known._classes_with(means, prior, head))

    def _classes_with(self, means: Tensor, prior: Statistics, head: LinearHead) -> ClassMeans:
        """`classes` with further utterances.

        Args:
            means: Their mean embeddings ``(utterances, dim)``.
            prior: As of `with_classes`.
            head: As of `with_classes`.
        """
        before = self.classes or ClassMeans.empty(*head.means.shape)
        now = before
        for _ in range(STEPS):
            mean, sd, classes = replace(self, classes=now).statistics(prior, head)
            told = head.scores((means - mean) / sd, classes).softmax(-1)
            last, now = now, before.updated(told, means)
            if not self.mixed:  # `statistics` does not depend on the classes
                break
            if (now.numbers - last.numbers).abs().max() < CONVERGED * len(means):
                break
        return now

    @property
    def share(self) -> float:
        """Weight of these statistics beside those of the training corpora, below 1.

        The latter count as `PRIOR` segments: a short clip changes little. They count more if few
        classes were heard, measured by the exponential of the entropy of the shares: what a speaker
        feels throughout cannot be told from how the speaker sounds.
        """
        prior = PRIOR
        if self.shares is not None:
            number, enough = _classes_heard(self.shares)
            few = max(0.0, enough - number) / max(1, enough - 1)
            prior += UNMIXED * self.segments * few * (1 - self.mixed)
        return self.segments / (self.segments + prior)

    def statistics(self, prior: Statistics, head: LinearHead) -> Statistics:
        """Mean and standard deviation to standardise by, and the means of the classes.

        They are the mean of these statistics and of those of the training corpora, weighted by
        `share`. What the classes of the utterances add to the mean is left in, unless several
        emotions were heard in about equal shares: to remove it is then better.

        Args:
            prior: Statistics of the training corpora.
            head: Linear head of the model.
        """
        drawn = self._drawn(self.share, prior, head)
        if self.classes is None or self.neutral or not self.mixed:
            return drawn
        return drawn._replace(classes=self.classes.along(head, drawn, self.mixed))

    def _drawn(self, own: float, prior: Statistics, head: LinearHead) -> Statistics:
        """As `statistics`, with the weight `own` in place of `share`."""
        mean, sd = self._weighted(own, prior)
        if self.shares is not None and not self.neutral:
            number, enough = _classes_heard(self.shares)
            even = (number / enough - EVEN[0]) / (EVEN[1] - EVEN[0])
            left_in = 1 - self.mixed * min(1.0, max(0.0, even))
            mean = mean - left_in * own * sd * (self.shares @ head.means)
        return Statistics(mean.float(), sd)

    def _weighted(self, own: float, prior: Statistics) -> tuple[Tensor, Tensor]:
        """Mean, in double precision, and standard deviation; what was felt is part of the mean.

        Args:
            own: Weight of these statistics; the rest is that of the training corpora.
            prior: Statistics of the training corpora.
        """
        mean = own * self.mean + (1 - own) * prior.mean.double()
        if self.neutral:
            return mean, prior.sd
        squares = self.variance + (self.mean - mean).square()
        return mean, (own * squares + (1 - own) * prior.sd.double().square()).sqrt().float()

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
        tensors = {"mean": self.mean, "variance": self.variance}
        if self.shares is not None:
            tensors["shares"] = self.shares
        if self.utterances is not None:
            about |= {"utterances": str(self.utterances.number), "mixed": str(self.mixed)}
            tensors["utterance_mean"] = self.utterances.mean
            tensors["utterance_variance"] = self.utterances.variance
        if self.classes is not None:
            tensors["class_numbers"] = self.classes.numbers
            tensors["class_means"] = self.classes.means
        write(path, save(tensors, about))


def _classes_heard(shares: Tensor) -> tuple[float, int]:
    """Effective number of classes, the exponential of the entropy, and that which is enough."""
    return float(torch.special.entr(shares).sum().exp()), min(MIXED, len(shares))


def load_statistics(path: Path) -> NormalisationStatistics:
    """Read a file of `NormalisationStatistics.save`.

    Raises:
        AffektError: There is no such file, or its content is something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        utterances = None
        if "utterances" in about:
            heard = tensors["utterance_mean"], tensors["utterance_variance"]
            utterances = Moments(int(about["utterances"]), *heard)
        classes = None
        if "class_means" in tensors:
            classes = ClassMeans(tensors["class_numbers"], tensors["class_means"])
        statistics = NormalisationStatistics(
            about["encoder"],
            int(about["segments"]),
            tensors["mean"],
            tensors["variance"],
            tensors.get("shares"),
            neutral=about.get("of") == "neutral speech",
            utterances=utterances,
            mixed=float(about.get("mixed", "0")),
            classes=classes,
        )
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise AffektError(f"{path}: not normalisation statistics of affekt ({error})") from error
    mean, variance = statistics.mean, statistics.variance
    if mean.ndim != 1 or mean.shape != variance.shape or statistics.segments < 0:
        raise AffektError(f"{path}: damaged normalisation statistics")
    return statistics
