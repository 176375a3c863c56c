"""The whole training of one model: inner split, stage 1, stage 2, refit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..config import Config
from ..nn.emotion_model import EmotionModel, prepare
from ..nn.training_info import TrainingInfo
from ..types import ClassBalance
from .augmentation import with_copies
from .balance import Plan, cut, make_plan, summarise
from .calibration import temperature
from .clips import Clip, EmbeddingCache, inner_split, speakers
from .distributed import Distributed
from .stage import History
from .stage1 import Part, encoded, train_encoder
from .stage2 import Clips, Live, Sequences, held_out_logits, train_sequence
from .targets import known_classes, truth
from .trainer import Trainer


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about.

    Attributes:
        model: In evaluation mode.
        labels: Class names in the order of the logits.
        plan: How densely each class was cut.
        balance: What that gave.
        validation_speakers: Who stopped the training.
        temperatures: What calibrates the probabilities of recordings of an unknown and of a
            known source, found on the validation speakers.
        stage1, stage2: What each stage did while validation watched.
        refit: Whether the weights saw the validation speakers in a second training.
        interrupted: Whether Ctrl-C ended training early.
    """

    model: EmotionModel
    labels: list[str]
    plan: Plan
    balance: list[ClassBalance]
    validation_speakers: list[str]
    temperatures: tuple[float, float]
    stage1: History
    stage2: History
    refit: bool
    interrupted: bool

    def training_info(self) -> TrainingInfo:
        """What a result should record of its training."""
        unknown_source, known_source = self.temperatures
        return TrainingInfo(
            encoder=self.model.encoder.origin,
            plan=dict(self.plan),
            validation_speakers=self.validation_speakers,
            stage1_epochs=self.stage1.epochs,
            stage2_epochs=self.stage2.epochs,
            validation_UAR=round(self.stage2.validation[self.stage2.epochs - 1].uar, 4),
            temperatures=(round(unknown_source, 3), round(known_source, 3)),
            refit=self.refit,
            interrupted=self.interrupted,
            balance=self.balance,
            curves={"stage 1": self.stage1.curves(), "stage 2": self.stage2.curves()},
        )


def train(
    clips: Sequence[Clip],
    config: Config,
    *,
    seed: int,
    held_out: Sequence[Clip] | None = None,
    cache: Path | None = None,
    trainer: Trainer = Trainer(),
) -> Trained:
    """Train on `clips` in two stages, stopped by inner validation speakers, or by `held_out`.

    Ctrl-C ends a stage and keeps its best epoch; what comes out can always be used.

    With ``protocol.refit`` the model is trained again from the start on all clips, for the
    numbers of epochs that validation chose; if that is interrupted, the first model stays.
    `held_out` are never trained on.
    The same seed gives the same weights.

    Raises:
        CorpusError: A single speaker with a single clip of some class.
    """
    labels = sorted({c.label for c in clips})
    inner, validation_part = inner_split(clips, config.protocol.validation, seed, held_out)
    known = known_classes(clips)
    stages = partial(_two_stages, labels=labels, known=known, config=config, seed=seed, cache=cache)
    run = stages(inner, validation_part, trainer=trainer.under("choice"))
    kept, refit, interrupted = run, False, run.interrupted
    if config.protocol.refit and held_out is None and not interrupted:
        epochs = run.stage1.epochs, run.stage2.epochs
        try:
            again = stages(clips, [], epochs=epochs, trainer=trainer.under("refit"))
            interrupted = again.interrupted
        except KeyboardInterrupt:
            interrupted = True
        if not interrupted:
            kept, refit = again, True
    kept.model.temperatures.copy_(torch.tensor(run.temperatures))
    return Trained(
        kept.model,
        labels,
        kept.plan,
        kept.balance,
        speakers(validation_part),
        run.temperatures,
        run.stage1,
        run.stage2,
        refit,
        interrupted,
    )


class Run(NamedTuple):
    """Both stages on one training part."""

    model: EmotionModel
    plan: Plan
    balance: list[ClassBalance]
    stage1: History
    stage2: History
    temperatures: tuple[float, float]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended a stage early."""
        return self.stage1.interrupted or self.stage2.interrupted


def _two_stages(
    training: Sequence[Clip],
    held_out: Sequence[Clip],
    *,
    labels: list[str],
    known: dict[str, set[str]],
    config: Config,
    seed: int,
    cache: Path | None,
    trainer: Trainer,
    epochs: tuple[int, int] | None = None,
) -> Run:
    epochs = epochs or (config.stage1.epochs, config.stage2.epochs)
    training = with_copies(training, config.augment)
    lengths = [(c.label, c.seconds) for c in training]
    plan = make_plan(config.balance.plan, lengths)
    rng = np.random.default_rng(seed)
    even = uniform_part(training, labels, known, config)
    even = replace(even, sources=_sources(even, rng))
    balanced = replace(even, spans=[cut(c.seconds, plan[c.label]) for c in training])
    validation = None
    if held_out:
        validation = uniform_part(held_out, labels, known, config)
        validation = replace(validation, sources=_sources(validation, rng))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = EmotionModel(config, len(labels))
        first = train_encoder(
            model,
            balanced,
            validation,
            config.stage1,
            EmbeddingCache(cache, model.encoder, trainer.distributed),
            classes=len(labels),
            epochs=epochs[0],
            precision=config.precision,
            rng=rng,
            trainer=trainer,
        )
        if first.interrupted and not validation:
            raise KeyboardInterrupt  # a refit cut short is worth less than the model before it
        tuned = EmbeddingCache(cache, model.encoder, trainer.distributed)

        def sequences(part: Part) -> Clips:
            if config.stage2.end_to_end:
                return Live(model, part, config.precision)
            return Sequences(encoded(model, tuned, part, trainer.report), part.truth)

        held = sequences(validation) if validation else None

        def stage2(epochs: int) -> History:
            return train_sequence(
                model,
                sequences(balanced if config.balance.scope == "both" else even),
                held,
                config.stage2,
                encoder_rate=config.stage1.learning_rate,
                epochs=epochs,
                rng=rng,
                trainer=trainer,
            )

        try:
            second = stage2(epochs[1])
        except KeyboardInterrupt:  # before its first epoch: one epoch saves hours of stage 1
            if not validation:
                raise
            second = replace(stage2(1), interrupted=True)
        model.eval()
        found = (1.0, 1.0)
        if validation:
            found = _temperatures(model, validation, sequences, trainer.distributed)
    return Run(model, plan, summarise(config.balance.plan, lengths), first, second, found)


def _temperatures(
    model: EmotionModel,
    validation: Part,
    sequences: Callable[[Part], Clips],
    distributed: Distributed,
) -> tuple[float, float]:
    """For recordings of an unknown source, and of a known one."""
    unknown = sequences(replace(validation, sources=[None] * len(validation.corpora)))
    known = sequences(replace(validation, sources=validation.corpora))
    one, two = (
        temperature(held_out_logits(model, p, distributed), p.truth) for p in (unknown, known)
    )
    return one, two


def uniform_part(
    clips: Sequence[Clip], labels: list[str], known: dict[str, set[str]], config: Config
) -> Part:
    """Clips cut as at test."""
    waves, spans = prepare([c.recording for c in clips], config)
    corpora = [c.example.corpus for c in clips]
    return Part(waves, spans, truth(clips, labels, known), corpora, corpora)


def _sources(part: Part, rng: np.random.Generator) -> list[str | None]:
    """Of several corpora, half of the clips are heard as of an unknown source.

    The model will be used both ways.
    """
    if len(set(part.corpora)) == 1:
        return list(part.corpora)
    known = rng.random(len(part.corpora)) < 0.5
    return [corpus if k else None for corpus, k in zip(part.corpora, known, strict=True)]
