"""Search of settings by Optuna, on the validation speakers inside a training part."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..config import Config
from ..content import hash_value
from ..errors import AffektError
from ..extras import optional_import
from ..progress import Event, silent
from ..provenance import code_hash, content_hashes, portable
from .clips import Clip
from .context import TrainingContext
from .run import train
from .search_space import Space, values_of, with_values
from .targets import Score

with optional_import("a search of settings"):
    import optuna
    from optuna.trial import Trial, TrialState
    from sqlalchemy.exc import SQLAlchemyError

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
STARTUP = 5  # trials that are never pruned
WARMUP = 5  # epochs of a trial in which it is not pruned


@dataclass(frozen=True)
class Search:
    """What is searched, and how long.

    Attributes:
        config: Settings that are searched from; they have the values of all other settings.
        space: Range or choices of each setting.
        trials: Number of trials, those of earlier calls included.
        storage: SQLite file; searches in different training parts share it.
    """

    config: Config
    space: Space
    trials: int
    storage: Path


@dataclass(frozen=True)
class Found:
    """The best settings of a search.

    Attributes:
        config: The settings.
        values: Those that were searched, by dotted key.
        loss: Loss of the validation speakers at the selected epoch. It chose among the trials, so
            it is too low for other speakers.
        score: UAR, or mean CCC of dimensions, of the same clips.
        complete: Number of trials that were trained to the end.
        pruned: Number of trials that were stopped early.
    """

    config: Config
    values: dict[str, Any]
    loss: float
    score: float
    complete: int
    pruned: int

    def to_json(self) -> dict[str, Any]:
        """Record for metrics.json."""
        return {
            "chosen": self.values,
            "trials": {"complete": self.complete, "pruned": self.pruned},
            "search_loss": round(self.loss, 4),
        }


def search(clips: Sequence[Clip], plan: Search, context: TrainingContext, *, seed: int) -> Found:
    """Train with different settings and return those with the lowest validation loss.

    Each trial trains both stages on the inner training speakers, without a refit, and is scored by
    the loss of the inner validation speakers: nothing else enters the search. The first trial has
    the values that `plan.config` has, if they are in the space. The tree-structured Parzen
    estimator (Bergstra et al., 2011) suggests the others; a trial whose loss is worse than the
    median of earlier trials at the same epoch is stopped. An interrupted search continues, and
    finds what an uninterrupted one does.

    Args:
        clips: The training part.
        plan: What is searched.
        context: Progress and embedding cache.
        seed: Seed of the trainings and of the suggestions.

    Raises:
        AffektError: The storage is damaged, or no trial can be trained.
    """
    study = _study(plan.storage, _name(clips, plan, seed))
    for unfinished in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        study.tell(unfinished.number, state=TrialState.FAIL)  # of a process that was killed
    for number in range(_count(study, *FINISHED), plan.trials):
        draw = np.random.SeedSequence([seed, number]).generate_state(1)[0]
        study.sampler = optuna.samplers.TPESampler(seed=int(draw))
        own = values_of(plan.config, plan.space) if number == 0 else None
        if own and not _count(study, TrialState.WAITING):
            study.enqueue_trial(own)
        trial = study.ask(dict(plan.space))
        _run(study, trial, clips, plan.config, context, seed)
        context.report(
            Event("trials", number + 1, plan.trials, f"best loss {study.best_value:.3f}")
        )
    finished = study.get_trials(states=FINISHED)[: plan.trials]  # an earlier call may have had more
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    best = min(complete, key=lambda trial: cast(float, trial.value))
    return Found(
        with_values(plan.config, best.params),
        best.params,
        cast(float, best.value),
        best.user_attrs["score"],
        complete=len(complete),
        pruned=len(finished) - len(complete),
    )


def _run(
    study: optuna.Study,
    trial: Trial,
    clips: Sequence[Clip],
    config: Config,
    context: TrainingContext,
    seed: int,
) -> None:
    """Train one trial and store its loss.

    Args:
        study: The study of the trial.
        trial: Its suggested values.
        clips: The training part.
        config: The other settings.
        context: Embedding cache.
        seed: Seed of the training.
    """
    losses: list[float] = []

    def on_validation(stage: str, score: Score) -> None:
        if stage.startswith("stage 2"):
            losses.append(score.loss)
            trial.report(score.loss, len(losses))
            if trial.should_prune():
                raise optuna.TrialPruned

    settings = with_values(config, {**trial.params, "protocol.refit": False})
    quiet = replace(context, report=silent, on_validation=on_validation)
    try:
        trained = train(clips, settings, quiet, seed=seed)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        return
    except AffektError:  # such as a learning rate that is too high
        if not _count(study, TrialState.COMPLETE):
            raise
        study.tell(trial, state=TrialState.PRUNED)
        return
    best = trained.stage2.validation[trained.stage2.epochs - 1]
    trial.set_user_attr("score", best.value)
    study.tell(trial, best.loss)


def _study(storage: Path, name: str) -> optuna.Study:
    """Open or create a study.

    The path is not part of a URL, in which some characters have a meaning.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    connect = partial(sqlite3.connect, storage, check_same_thread=False)
    try:
        return optuna.create_study(
            storage=optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect}),
            pruner=optuna.pruners.MedianPruner(STARTUP, WARMUP),
            study_name=name,
            load_if_exists=True,
        )
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise AffektError(f"{storage}: not a database of affekt tune ({error})") from error


def _name(clips: Sequence[Clip], plan: Search, seed: int) -> str:
    """Name of the study: a hash of all that determines it, so that no other is continued."""
    examples = [replace(c.example, path="") for c in clips]  # the corpus may move
    sounds = [hashlib.sha256(c.recording.wave.tobytes()).hexdigest() for c in clips]
    settings = portable(plan.config).model_dump_json()
    space = {key: repr(distribution) for key, distribution in plan.space.items()}
    code = content_hashes(plan.config), code_hash()
    return hash_value([seed, settings, space, code, examples, sounds])


def _count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=list(states)))
