"""Fit of the linear Gaussian head to the mean embeddings of training clips."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..nn.emotion_model import EmotionModel, Projection
from ..nn.linear_head import spread_of, with_discriminants
from .datasets import ClipDataset
from .embedding_cache import EmbeddingCache
from .targets import ClassTargets

BETWEEN_CORPORA = 2.0  # weight of what differs between corpora for the same class
FURTHER_WEIGHT = 1 / 3  # of the scores of each encoder after the first
SHRINKAGE = 0.4  # of the covariance towards its mean variance
LEAST_CLIPS = 6  # of a speaker in one class, to see how far they differ
BLOCK = 4096  # clips whose mean embeddings are in memory at a time
LOADED = 256  # clips whose embeddings are

Matrix = NDArray[np.float64]
Rows = Sequence[int] | NDArray[np.intp]


def fit_linear_head(model: EmotionModel, training: ClipDataset, cache: EmbeddingCache) -> None:
    """Fit the linear head of a model in place.

    Clips are standardised by speaker. What differs between corpora for the same class counts as
    noise: without it the head would rely on how one corpus expresses an emotion
    (results/default-model.md). A model that does not standardise embeddings keeps an empty head.

    Args:
        model: The model, with the statistics of its training speakers.
        training: Training clips.
        cache: Embedding cache of the model's encoder.
    """
    targets = training.targets
    if not isinstance(targets, ClassTargets) or not isinstance(model.projection, Projection):
        return
    embeddings = cache.encode(training.waves, training.stage2_spans)

    def means_of(dataset: ClipDataset, clips: Rows) -> Tensor:
        rows = [int(i) for i in clips]
        blocks = (rows[i : i + LOADED] for i in range(0, len(rows), LOADED))
        own = (
            dataset.standardise(model, [embeddings[i] for i in block], block) for block in blocks
        )
        return torch.stack([clip.mean(0) for block in own for clip in block])

    by_speaker = training.with_domains(training.speakers)
    means, covariance = class_statistics(
        lambda clips: means_of(by_speaker, clips).cpu().double().numpy(),
        targets.indices.numpy(),
        np.array(training.corpora),
        targets.outputs,
        model.encoder.parts or (model.encoder.dim,),
    )
    model.linear.set_classes(torch.from_numpy(means), torch.from_numpy(covariance))
    unknown = training.with_domains([None] * len(training))
    groups = zip(training.speakers, targets.indices.tolist(), strict=True)
    spread = _spread_in_one_emotion(
        lambda clips: with_discriminants(means_of(unknown, clips), model.linear),
        list(groups),
        model.encoder.dim,
    )
    model.linear.alike.fill_(spread)


def _spread_in_one_emotion(
    vectors: Callable[[Rows], Tensor], groups: Sequence[tuple[str, int]], dim: int
) -> float:
    """The 0.9 quantile of the spread of a speaker's clips of one class; 0 if there are too few.

    It is that of the first `BLOCK` clips of each speaker and class.

    Args:
        vectors: From clips to what `with_discriminants` returns ``(clips, dim + directions)``.
        groups: Speaker and class of each clip.
        dim: Length of an embedding.
    """
    clips: dict[tuple[str, int], list[int]] = {}
    for i, group in enumerate(groups):
        clips.setdefault(group, []).append(i)
    spreads = [
        spread_of(vectors(own[:BLOCK]).var(0), dim)
        for own in clips.values()
        if len(own) >= LEAST_CLIPS
    ]
    return float(np.quantile(spreads, 0.9)) if spreads else 0.0


def class_statistics(
    x: Callable[[Rows], Matrix],
    y: NDArray[np.int64],
    corpora: NDArray[np.str_],
    classes: int,
    parts: Sequence[int],
) -> tuple[Matrix, Matrix]:
    """Means of the classes, and the covariance that they share.

    Every corpus counts the same. The covariance is that within classes and corpora, plus
    `BETWEEN_CORPORA` times that of the class means between corpora, shrunk by `SHRINKAGE`. It is
    taken over the classes that all corpora have, if there are two or more.

    Args:
        x: From clips to their mean embeddings ``(clips, dim)``; it is asked for up to `BLOCK`.
        y: Classes ``(clips,)``.
        corpora: Names ``(clips,)``.
        classes: Number of classes.
        parts: Lengths of the embeddings of one or several encoders in `x`; their sum is dim. The
            covariance between encoders is set to 0. Since their errors are correlated all the same,
            the scores of each after the first are multiplied by `FURTHER_WEIGHT`.

    Returns:
        ``(classes, dim)``; zero for a class without clips. ``(dim, dim)``.
    """
    dim = sum(parts)
    names = sorted(set(corpora))
    of_corpora = {name: set(y[corpora == name].tolist()) for name in names}
    common = set.intersection(*of_corpora.values())
    shared = common if len(common) > 1 else set(range(classes))
    within, cells = np.zeros((dim, dim)), dict[tuple[str, int], Matrix]()
    for name in names:
        scatter, total = np.zeros((dim, dim)), 0
        for c in of_corpora[name]:
            rows = np.flatnonzero((corpora == name) & (y == c))
            cells[name, c], own = _mean_and_scatter(x, rows, dim)
            if c in shared:
                scatter += own
                total += len(rows)
        within += scatter / total / len(names)
    means, between, freedom = np.zeros((classes, dim)), np.zeros((dim, dim)), 0
    for c in range(classes):
        of_class = np.array([cells[name, c] for name in names if (name, c) in cells])
        if len(of_class):
            means[c] = of_class.mean(0)
        if len(of_class) and c in shared:
            deviations = of_class - means[c]
            between += deviations.T @ deviations
            freedom += len(of_class) - 1
    covariance = within + BETWEEN_CORPORA * between / max(freedom, 1)
    return means, _shrunk(covariance, parts)


def _mean_and_scatter(x: Callable[[Rows], Matrix], rows: Rows, dim: int) -> tuple[Matrix, Matrix]:
    """Mean of some clips ``(dim,)``, and sum of the products of deviations from it ``(dim, dim)``.

    Args:
        x: As of `class_statistics`; blocks are merged as by Chan et al. (1979).
        rows: The clips.
        dim: Length of an embedding.
    """
    mean, scatter = np.zeros(dim), np.zeros((dim, dim))
    for start in range(0, len(rows), BLOCK):
        block = x(rows[start : start + BLOCK])
        own, share = block.mean(0), len(block) / (start + len(block))
        centred, offset = block - own, own - mean
        scatter += centred.T @ centred + np.outer(offset, offset) * (start * share)
        mean += offset * share
    return mean, scatter


def _shrunk(covariance: Matrix, parts: Sequence[int]) -> Matrix:
    """Shrink a covariance matrix ``(dim, dim)``, block by block; 0 outside of the blocks.

    Blocks after the first are divided by `FURTHER_WEIGHT`.
    """
    result = np.zeros_like(covariance)
    for end, width in zip(np.cumsum(parts), parts, strict=True):
        own = slice(end - width, end)
        block = covariance[own, own]
        level = max(np.trace(block) / width, 1e-6)
        shrunk = (1 - SHRINKAGE) * block + SHRINKAGE * level * np.eye(width)
        result[own, own] = shrunk if end == width else shrunk / FURTHER_WEIGHT
    return result
