"""Training of one model: prepare, stage 1, stage 2, calibrate, and the refit on all clips."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..config import Config
from ..errors import AffektError
from ..nn.emotion_model import EmotionModel
from ..nn.training_info import TrainingInfo
from ..types import ClassBalance
from .augmentation import with_copies
from .balance import Plan, cut, make_plan, summarise
from .calibration import calibrate
from .clips import Clip, inner_split, speakers
from .context import TrainingContext
from .datasets import Split, random_domains, uniform_dataset
from .linear_head import fit_linear_head
from .processes import make_accelerator, seeded
from .stage1 import train_encoder
from .stage2 import train_sequence
from .targets import Classes, Dimensions, Task, task_of
from .trainer import History, Trainer
from .waves import Segments


@dataclass(frozen=True)
class Trained:
    """A trained model and how it was trained.

    Attributes:
        model: In evaluation mode, on the CPU.
        labels: Class names in the order of the outputs; none for dimensions.
        dimensions: Their names in the order of the outputs; none for classes.
        plan: Hop of each class in training; empty for dimensions.
        balance: Number of segments of each class before and after; none for dimensions.
        validation_speakers: Speakers of the validation clips.
        temperatures: Of the softmax, for recordings of an unknown and of a known domain.
        stage1: History of stage 1 of the run with validation.
        stage2: History of stage 2 of the run with validation.
        refit: Whether the model was trained again on all clips.
        interrupted: Whether Ctrl-C ended the training early.
    """

    model: EmotionModel
    labels: list[str]
    dimensions: list[str]
    plan: Plan
    balance: list[ClassBalance]
    validation_speakers: list[str]
    temperatures: tuple[float, float]
    stage1: History
    stage2: History
    refit: bool
    interrupted: bool

    def training_info(self) -> TrainingInfo:
        """Record of the training for config.json and metrics.json."""
        info = TrainingInfo(
            encoder=self.model.encoder.origin,
            validation_speakers=self.validation_speakers,
            stage1_epochs=self.stage1.epochs,
            stage2_epochs=self.stage2.epochs,
            refit=self.refit,
            interrupted=self.interrupted,
            curves={"stage 1": self.stage1.curves(), "stage 2": self.stage2.curves()},
        )
        value = round(self.stage2.validation[self.stage2.epochs - 1].value, 4)
        if self.dimensions:
            return info.with_values(validation_CCC=value)
        unknown_domain, known_domain = self.temperatures
        return info.with_values(
            plan=dict(self.plan),
            validation_UAR=value,
            temperatures=(round(unknown_domain, 3), round(known_domain, 3)),
            balance=self.balance,
        )


@dataclass(frozen=True)
class Run:
    """One pass through both stages.

    Attributes:
        name: "selection" (validation chooses the epochs) or "refit" (on all clips).
        training: Training clips.
        validation: Clips whose loss chooses the epochs; none for "refit".
        task: Classes or dimensions of the model.
        config: Settings.
        seed: Seed of the weights and of the order of the clips.
    """

    name: str
    training: Sequence[Clip]
    validation: Sequence[Clip]
    task: Task
    config: Config
    seed: int


@dataclass(frozen=True)
class Fitted:
    """Result of a run; see the attributes of `Trained`."""

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


def train(
    clips: Sequence[Clip],
    config: Config,
    context: TrainingContext = TrainingContext(),
    *,
    seed: int,
    held_out: Sequence[Clip] | None = None,
) -> Trained:
    """Train in two stages; the loss of validation speakers chooses the number of epochs of each.

    With ``protocol.refit`` the model is then trained again from the start on all clips, for the
    chosen numbers of epochs. If Ctrl-C interrupts the refit, the first model is returned. The same
    seed gives the same weights.

    Args:
        clips: The training part.
        config: Settings.
        context: Progress, processes, embedding cache, resume checkpoints, Ctrl-C.
        seed: Seed of the weights, the order of the clips and the choice of validation speakers.
        held_out: Validation clips in place of validation speakers; they are never trained on.

    Raises:
        CorpusError: There is a single speaker with a single clip of a class.
        AffektError: Dimensions are to be trained in parts of batches, or the device does not have
            the precision.
        KeyboardInterrupt: Ctrl-C was pressed before there was a model to return.
    """
    make_accelerator(context.processes, config.precision)  # refuses before any work
    task = task_of(clips)
    if isinstance(task, Dimensions) and not context.whole_batches:
        raise AffektError(
            "the CCC is of a whole batch: train dimensions in one process, without "
            "--gradient-accumulation-steps"
        )
    training, validation = inner_split(clips, config.protocol.validation, seed, held_out)
    selection = _fit(Run("selection", training, validation, task, config, seed), context)
    if selection is None:
        raise KeyboardInterrupt
    refit = None
    wanted = config.protocol.refit and held_out is None and not selection.interrupted
    if wanted:
        chosen = _with_epochs(config, selection)
        refit = _refit(Run("refit", clips, [], task, chosen, seed), context)
    final = refit or selection
    final.model.cpu()
    final.model.temperatures.copy_(torch.tensor(selection.temperatures))
    final.model.linear.mix.copy_(selection.model.linear.mix)
    return Trained(
        model=final.model,
        labels=task.labels if isinstance(task, Classes) else [],
        dimensions=task.names if isinstance(task, Dimensions) else [],
        plan=final.plan,
        balance=final.balance,
        validation_speakers=speakers(validation),
        temperatures=selection.temperatures,
        stage1=selection.stage1,
        stage2=selection.stage2,
        refit=refit is not None,
        interrupted=selection.interrupted or (wanted and refit is None),
    )


def _fit(run: Run, context: TrainingContext) -> Fitted | None:
    """Prepare, train both stages, calibrate.

    Returns:
        The model; None if Ctrl-C was pressed before the first epoch of stage 1 was complete, or at
        any time in a run without validation clips.
    """
    rng = np.random.default_rng(run.seed)
    trainer = Trainer(context, rng, run.name)
    split, plan, balance = prepare(run, rng)
    device = context.processes.device
    with seeded(run.seed, device):
        model = EmotionModel(run.config, run.task.outputs).to(device)  # the same on any device
        stage1 = train_encoder(model, split, run.config, trainer)
        if stage1.interrupted and not (stage1.epochs and split.validation):
            return None
        stage2 = train_sequence(model, split, run.config, trainer)
        if stage2.interrupted and not split.validation:
            return None
        fit_linear_head(model, split.training, context.cache_of(model.encoder))
        temperatures = (1.0, 1.0)
        if isinstance(run.task, Dimensions):
            run.task.rescale(model.sequence.classifier)
        elif split.validation:
            temperatures = calibrate(model, split.validation, run.config, context)
    return Fitted(model, plan, balance, stage1, stage2, temperatures)


def _refit(run: Run, context: TrainingContext) -> Fitted | None:
    """Train on all clips; None if Ctrl-C interrupts it, since the first model is then better."""
    try:
        return _fit(run, context)
    except KeyboardInterrupt:  # raised while clips are encoded, outside the stages
        if not context.defers_interruption:
            raise
        return None


def prepare(run: Run, rng: np.random.Generator) -> tuple[Split, Plan, list[ClassBalance]]:
    """Augment the training clips, plan the balance of classes, cut clips into segments.

    Args:
        run: The clips and the settings.
        rng: Draws the domain by whose statistics each clip is standardised.

    Returns:
        The datasets, the hop of each class, and the number of segments of each class.
    """
    settings = run.config.balance
    by_speaker = run.config.training_normalisation == "speaker"
    clips = with_copies(run.training, run.config.augment)
    lengths = [(c.label, c.seconds) for c in clips]
    has_classes = isinstance(run.task, Classes)
    plan = make_plan(settings.plan if has_classes else "none", lengths)
    balanced = Segments(len(clips), lambda i: cut(clips[i].seconds, plan[clips[i].label]))
    training = uniform_dataset(clips, run.task, run.config)
    training = replace(
        training,
        stage1_spans=balanced,
        domains=random_domains(training, rng, by_speaker=by_speaker),
    )
    if settings.scope == "both":
        training = replace(training, stage2_spans=balanced)
    validation = None
    if run.validation:
        validation = uniform_dataset(run.validation, run.task, run.config)
        validation = validation.with_domains(random_domains(validation, rng, by_speaker=by_speaker))
    split = Split(training, validation)
    return (split, plan, summarise(settings.plan, lengths)) if has_classes else (split, {}, [])


def _with_epochs(config: Config, selection: Fitted) -> Config:
    """The settings with the numbers of epochs that validation chose."""
    stage1 = config.stage1.model_copy(update={"epochs": selection.stage1.epochs})
    stage2 = config.stage2.model_copy(update={"epochs": selection.stage2.epochs})
    return config.model_copy(update={"stage1": stage1, "stage2": stage2})
