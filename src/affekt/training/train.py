"""The whole training of one model: inner split, stage 1, stage 2, refit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..audio import level
from ..config import Config
from ..model import EmotionModel
from ..segments import uniform
from ..splits import inner_validation
from .augment import with_speeds
from .balance import Plan, cut, make_plan
from .data import Clip, VectorCache
from ..progress import Report, silent
from .loop import History
from .stage1 import Part, train_encoder
from .stage2 import train_sequence


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about.

    Attributes:
        model: In evaluation mode.
        labels: Class names in the order of the logits.
        plan: How densely each class was cut.
        validation_speakers: Who stopped the training.
        stage1, stage2: What each stage did while validation watched.
        refit: Whether the weights saw the validation speakers in a second training.
    """

    model: EmotionModel
    labels: list[str]
    plan: Plan
    validation_speakers: list[str]
    stage1: History
    stage2: History
    refit: bool

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended a stage early."""
        return self.stage1.interrupted or self.stage2.interrupted

    def facts(self) -> dict[str, Any]:
        """What a result should record of its training."""
        return {
            "encoder": self.model.encoder.origin,
            "plan": self.plan,
            "validation_speakers": self.validation_speakers,
            "stage1_epochs": self.stage1.epochs,
            "stage2_epochs": self.stage2.epochs,
            "validation_UAR": round(max(s.uar for s in self.stage2.validation), 4),
            "refit": self.refit,
            "interrupted": self.interrupted,
        }


def train(
    clips: Sequence[Clip],
    config: Config,
    *,
    seed: int,
    cache: Path | None = None,
    report: Report = silent,
) -> Trained:
    """Train on `clips` in two stages, stopped by inner validation speakers.

    With ``protocol.refit`` the model is trained again from the start on all clips, for the
    numbers of epochs that validation chose. The same seed gives the same weights.

    Raises:
        CorpusError: Fewer than two speakers.
    """
    labels = sorted({c.label for c in clips})
    chosen = inner_validation([c.utterance for c in clips], config.protocol.validation, seed)
    inner = [c for c in clips if c.utterance.speaker not in chosen]
    held_out = [c for c in clips if c.utterance.speaker in chosen]
    model, plan, first, second = _two_stages(inner, held_out, labels, config, seed, cache, report)
    refit = config.protocol.refit and not (first.interrupted or second.interrupted)
    if refit:
        epochs = first.epochs, second.epochs
        model, plan, _, _ = _two_stages(clips, [], labels, config, seed, cache, report, epochs)
    return Trained(model, labels, plan, sorted(chosen), first, second, refit)


def _two_stages(
    training: Sequence[Clip],
    held_out: Sequence[Clip],
    labels: list[str],
    config: Config,
    seed: int,
    cache: Path | None,
    report: Report,
    epochs: tuple[int, int] | None = None,
) -> tuple[EmotionModel, Plan, History, History]:
    first_epochs, second_epochs = epochs or (config.stage1.epochs, config.stage2.epochs)
    training = with_speeds(training, config.augment.speeds)
    plan = make_plan(config.balance.plan, [(c.label, c.seconds) for c in training])
    even = uniform_part(training, labels, config)
    balanced = replace(even, spans=[cut(c.seconds, plan[c.label]) for c in training])
    validation = uniform_part(held_out, labels, config) if held_out else None
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = EmotionModel(config, len(labels))
        first = train_encoder(
            model,
            balanced,
            validation,
            config.stage1,
            VectorCache(cache, model.encoder),
            classes=len(labels),
            epochs=first_epochs,
            rng=rng,
            report=report,
        )
        vectors = VectorCache(cache, model.encoder)
        sequences = balanced if config.balance.scope == "both" else even
        second = train_sequence(
            model,
            (vectors.encode(sequences.waves, sequences.spans, report), sequences.targets),
            validation
            and (vectors.encode(validation.waves, validation.spans, report), validation.targets),
            config.stage2,
            epochs=second_epochs,
            rng=rng,
            report=report,
        )
    return model.eval(), plan, first, second


def uniform_part(clips: Sequence[Clip], labels: list[str], config: Config) -> Part:
    """Clips levelled and cut with one hop for all."""
    waves = [c.recording.wave for c in clips]
    return Part(
        waves=[level(w) for w in waves] if config.audio.level == "rms" else waves,
        spans=[uniform(c.seconds, config.segments.hop) for c in clips],
        targets=torch.tensor([labels.index(c.label) for c in clips]),
    )
