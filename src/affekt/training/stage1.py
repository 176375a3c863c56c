"""Stage 1: training of the segment encoder with a softmax head (equations 1 and 2)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..config import Config
from ..nn.emotion_model import (
    EMBEDDING_DIM,
    EmotionModel,
    Projection,
    Statistics,
    statistics_of,
)
from .class_loss import ClassLoss
from .context import TrainingContext
from .datasets import ClipDataset, SegmentChunks, Split, encode_chunks
from .embedding_cache import EmbeddingCache, blocks, joined
from .targets import Score, Targets
from .trainer import History, Stage, Trainer


class Batches(NamedTuple):
    """Training items of stage 1.

    Attributes:
        sizes: Number of segments of each item.
        get: From items to standardised embeddings ``(segments, dim)`` on the model's device, and
            their targets.
    """

    sizes: list[int]
    get: Callable[[list[int]], tuple[Tensor, Targets]]


def train_encoder(model: EmotionModel, split: Split, config: Config, trainer: Trainer) -> History:
    """Train the projection and, unless it is frozen, the encoder in place.

    The softmax head is discarded. Without validation clips all epochs are run.

    Args:
        model: The model to train.
        split: Training and validation clips.
        config: Settings.
        trainer: Runs the epochs.
    """
    training, validation = split
    settings = config.stage1
    head = nn.Sequential(nn.Dropout(0.5), nn.Linear(EMBEDDING_DIM, training.targets.outputs))
    head.to(model.device)
    top = nn.ModuleList([model.projection, head])
    cache = trainer.context.cache_of(model.encoder)
    by_speaker = config.training_normalisation == "speaker"
    embeddings = _set_statistics(model, split, cache, by_speaker=by_speaker)
    if settings.freeze:
        batches = _frozen_batches(model, training, embeddings)
    else:
        batches = _encoded_batches(model, training, config.precision)

    class_loss = training.segment_targets.class_loss(config.loss)

    def loss(items: list[int]) -> Tensor:
        x, targets = batches.get(items)
        return targets.to(x.device).loss(head(model.projection(x)), class_loss)

    groups = [{"params": top.parameters(), "lr": settings.head_learning_rate}]
    if not settings.freeze:
        groups.insert(0, {"params": model.encoder.parameters(), "lr": settings.learning_rate})
    stage = Stage(
        name="stage 1 (encoder)",
        model=top if settings.freeze else nn.ModuleList([model.encoder, top]),
        optimizer=torch.optim.Adam(groups, fused=True),  # much faster for VGGish's 72 M weights
        sizes=batches.sizes,
        batch_size=settings.batch_size,
        loss=loss,
        validate=_validation(model, head, validation, class_loss, config, trainer.context),
        epochs=settings.epochs,
        patience=settings.patience,
        precision=config.precision,
    )
    history = trainer.fit(stage)
    if not settings.freeze:  # stage 2 standardises the embeddings of the trained encoder
        cache = trainer.context.cache_of(model.encoder)
        _set_statistics(model, split, cache, by_speaker=by_speaker)
    return history


def _set_statistics(
    model: EmotionModel, split: Split, cache: EmbeddingCache, *, by_speaker: bool
) -> Sequence[Tensor]:
    """Compute the statistics of each training corpus and speaker for the model's projection.

    Args:
        model: The model.
        split: Training and validation clips.
        cache: Embedding cache of the model's encoder.
        by_speaker: Whether validation clips are normalised by speaker, which needs statistics of
            their speakers too.

    Returns:
        Embeddings ``(segments, dim)`` of each training clip by the current encoder; none if the
        model does not standardise embeddings.
    """
    if not isinstance(model.projection, Projection):
        return []
    training, validation = split
    embeddings = cache.encode(training.waves, training.stage1_spans)
    speakers = _statistics(embeddings, training.speakers)
    if by_speaker:  # changed copies are corpora and speakers of their own
        domains = _statistics(embeddings, training.corpus_domains)
        corpora = {name: domains[name] for name in dict.fromkeys(training.corpora)}
        speakers |= domains
    else:
        corpora = _statistics(embeddings, training.corpora)
    if validation and by_speaker:
        validated = cache.encode(validation.waves, validation.stage1_spans)
        own = _statistics(validated, validation.speakers)
        speakers |= {name: own[name] for name in own.keys() - speakers.keys()}
    model.projection.set_statistics(corpora, speakers)
    return embeddings


def _statistics(embeddings: Sequence[Tensor], names: Sequence[str]) -> dict[str, Statistics]:
    """Statistics of the segments of all clips of each name."""
    groups: dict[str, list[int]] = {}
    for clip, name in enumerate(names):
        groups.setdefault(name, []).append(clip)
    return {name: statistics_of(joined(embeddings, clips)) for name, clips in groups.items()}


def _frozen_batches(
    model: EmotionModel, training: ClipDataset, embeddings: Sequence[Tensor]
) -> Batches:
    """Segments whose embeddings were computed beforehand; they may not fit in memory."""
    sizes = [len(spans) for spans in training.stage1_spans]
    clips = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    first = np.cumsum(sizes) - sizes
    targets = training.segment_targets

    def get(items: list[int]) -> tuple[Tensor, Targets]:
        own = clips[items].tolist()
        rows = (items - first[own]).tolist()
        x = torch.stack([embeddings[clip][row] for clip, row in zip(own, rows, strict=True)])
        return training.standardise_rows(model, x, own), targets.select(items)

    return Batches([1] * len(clips), get)


def _encoded_batches(model: EmotionModel, training: ClipDataset, precision: str) -> Batches:
    """Segments that are encoded in each step, with gradients."""
    chunks = SegmentChunks(training, contextual=model.encoder.contextual)

    def get(items: list[int]) -> tuple[Tensor, Targets]:
        batch = [chunks[i] for i in items]
        clips = [chunk.clip for chunk in batch]
        embeddings = encode_chunks(model, batch, precision)
        targets = training.targets.select(clips).repeat([len(c.spans) for c in batch])
        return torch.cat(training.standardise(model, embeddings, clips)), targets

    return Batches(chunks.sizes, get)


def _validation(
    model: EmotionModel,
    head: nn.Module,
    validation: ClipDataset | None,
    class_loss: ClassLoss,
    config: Config,
    context: TrainingContext,
) -> Callable[[], Score] | None:
    """Function that scores the validation segments; a frozen encoder encodes them only once.

    Args:
        model: The model that is trained.
        head: Classifier on the projected embeddings.
        validation: The clips, if there are any.
        class_loss: Class weights and focal loss.
        config: Settings.
        context: Embedding cache and processes.
    """
    if validation is None:
        return None
    targets = validation.segment_targets

    def encode(cache: EmbeddingCache) -> Sequence[Tensor]:
        return cache.encode(validation.waves, validation.stage1_spans)

    frozen = encode(context.cache_of(model.encoder)) if config.stage1.freeze else None

    @torch.inference_mode()
    def validate() -> Score:
        embeddings = frozen
        if embeddings is None:
            embeddings = encode(EmbeddingCache(model.encoder, processes=context.processes))
        logits = []
        for clips in blocks(len(spans) for spans in validation.stage1_spans):
            own = validation.standardise(model, [embeddings[i] for i in clips], clips)
            logits.append(head(model.projection(torch.cat(own))).cpu())
        return targets.score(torch.cat(logits), class_loss)

    return validate
