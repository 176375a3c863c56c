"""Train, evaluate, audit, adapt and embed from Python: the functions behind the commands.

Nothing is printed. `report` receives an `affekt.progress.Event` after each step of long work.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import AffektError, AudioError
from .own_parts import dotted_path, hash_instance
from .progress import Report, silent
from .recipe import Settings, given_settings, settings_with

if TYPE_CHECKING:
    from .config import TestNormalisation
    from .corpora.corpus import Corpus
    from .corpora.own_layout import Layout
    from .corpora.registry import Source
    from .dimension_result import DimensionResult
    from .evaluation.audit.findings import Finding
    from .evaluation.systems.system import System
    from .evaluation.tuning import Tuning
    from .inference.embedding import Level
    from .inference.recognizer import Recognizer
    from .nn.encoders.protocol import SegmentEncoder
    from .nn.model_config import ModelConfig
    from .nn.pooling import Pooling
    from .run_result import RunResult
    from .training.adapt import Adapted
    from .training.processes import Device
    from .training.tracking import TrackerName

Files = Sequence[str | Path]


def available_models() -> "dict[str, ModelConfig]":
    """The models inside the package, by name.

    Returns:
        For each its ``labels``, ``intended_use`` and ``license``, and how it was trained.

    Examples:
        >>> models = affekt.available_models()
        >>> list(models)
        ['default', 'open']
        >>> models["open"].labels
        ['anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness']
    """
    from .nn.bundled import bundled_models
    from .nn.model_config import read_model_config

    return {name: read_model_config(folder) for name, folder in bundled_models().items()}


def load_corpus(
    source: "Source",
    labels: Mapping[str, str] | None = None,
    *,
    layout: "Layout | None" = None,
    votes: Sequence[str] = (),
    dimensions: Sequence[str] = (),
) -> "Corpus":
    """Load a labelled corpus; its recordings are not read yet.

    Args:
        source: A manifest (CSV, TSV, JSONL, Parquet with path, label, speaker), a folder, or a
            published corpus such as ``emodb:FOLDER``; with `layout`, a folder.
        labels: New names by label; "" leaves the class out.
        layout: A function of your own from a folder to `LoadedExamples` or a list of `Example`.
        votes: Columns of a manifest with the votes or the probability of each class, in place of
            labels.
        dimensions: Columns of a manifest with numbers, such as arousal, in place of labels.

    Returns:
        The corpus: its ``examples``, ``labels``, ``speakers``, ``license`` and ``notes``.

    Raises:
        CorpusError: No such source, or its contents do not have the expected form.
    """
    from .corpora.own_layout import load_layout
    from .corpora.registry import load_corpus as load
    from .types import TargetColumns

    if layout is not None:
        source = load_layout(layout, Path(str(source)))
    return load(source, labels, TargetColumns(tuple(votes), tuple(dimensions)))


def train(
    source: "Source",
    out: str | Path,
    *,
    pool: "Sequence[Source]" = (),
    recipe: str | Path | None = None,
    config: Settings = None,
    encoder: "str | type[SegmentEncoder] | SegmentEncoder | None" = None,
    pooling: "str | type[Pooling] | None" = None,
    evaluation: str | Path | None = None,
    calibrate_on: Sequence[str | Path] = (),
    cache: str | Path | None = None,
    resume: bool = False,
    device: "Device" = "auto",
    trackers: "Sequence[TrackerName]" = (),
    run_name: str = "",
    report: Report = silent,
) -> "Recognizer":
    """Train a model on a corpus, without what the corpus marks as test: ``affekt train``.

    Ctrl-C ends a stage of training early and keeps its best epoch.

    Args:
        source: A corpus, as of `load_corpus`.
        out: New folder for the model; its name is the model's.
        pool: Further corpora, trained on together with `source`.
        recipe: TOML file of settings.
        config: Settings over those of the recipe: ``{"stage2": {"epochs": 20}}`` or a `Config`.
        encoder: An encoder of your own: a class derived from `SegmentEncoder`, an instance, whose
            weights training starts from, or a dotted path.
        pooling: A pooling of your own: a class derived from `Pooling`, or a dotted path.
        evaluation: ``metrics.json`` of an evaluation with the same corpus and settings, next to its
            ``predictions.parquet``, for the model's card.
        calibrate_on: Folders of evaluations that left corpora out, to calibrate the confidence.
        cache: Folder of embeddings; the one of the command unless given.
        resume: Continue a training to `out` that was interrupted.
        device: Where to train; "auto" is a CUDA GPU if there is one, otherwise the CPU.
        trackers: Record the course of the training in the folder ``tracking`` next to `out`.
        run_name: Name of the run in trackers; that of `out` unless given.
        report: Called with each step.

    Returns:
        The trained model, loaded from `out`.

    Raises:
        AffektError: A setting, a corpus or a part of your own is wrong, or `out` is not empty.
    """
    from .corpora.combine import pool as pooled
    from .evaluation.results import evaluation_for_card
    from .inference.recognizer import load
    from .training.context import TrainingContext
    from .training.output import train_to_folder
    from .training.processes import join_processes
    from .training.resume import ResumeCheckpoints
    from .training.tracking import TRACKING, tracked

    settings = settings_with(recipe, config, encoder, pooling)
    if settings.protocol.paper_protocol:
        raise AffektError("protocol.paper_protocol needs a test fold: it is for evaluate")
    if settings.protocol.training_imbalance:
        raise AffektError(
            "protocol.training_imbalance is for evaluate: a model trains on all clips"
        )
    folder, processes = Path(out).resolve(), join_processes(device)
    with tracked(trackers, run_name or folder.name, folder.parent / TRACKING, settings) as tracking:
        context = TrainingContext(
            report,
            processes,
            embedding_cache=_embeddings(cache),
            checkpoints=ResumeCheckpoints.for_output(folder, resume=resume),
            keep_interrupted=True,
            trackers=tracking,
        )
        train_to_folder(
            pooled([source, *pool], settings.labels, settings.target_columns),
            settings,
            Path(out),
            context,
            evaluation=evaluation_for_card(Path(evaluation)) if evaluation else None,
            calibrate_on=[Path(run) for run in calibrate_on],
        )
    return load(out, trust_own_parts=True)


def evaluate(
    source: "Source",
    out: str | Path,
    *,
    system: "str | type[System] | System" = "default",
    model: str | Path | None = None,
    predictions: str | Path | None = None,
    test: "Source | None" = None,
    leave_out: "Sequence[Source]" = (),
    train_only: "Sequence[Source]" = (),
    folds: str | Path | None = None,
    recipe: str | Path | None = None,
    config: Settings = None,
    encoder: "str | type[SegmentEncoder] | SegmentEncoder | None" = None,
    pooling: "str | type[Pooling] | None" = None,
    normalisations: "Sequence[TestNormalisation]" = (),
    workers: int = 1,
    cache: str | Path | None = None,
    device: "Device" = "auto",
    report: Report = silent,
) -> "RunResult | DimensionResult":
    """Score a system on unseen speakers, or a model that exists already: ``affekt evaluate``.

    A system is trained and tested on folds by speaker, with several seeds; called again with the
    same corpus and settings, an interrupted run is resumed. With `model` or `predictions` nothing
    is trained.

    Args:
        source: A corpus, as of `load_corpus`.
        out: New folder for ``metrics.json`` and ``predictions.parquet``.
        system: Name of a system of the study, or one of your own: a class that is called with the
            settings, an instance, which is copied for each fold, or a dotted path.
        model: Score this model: name of a bundled one, a model folder, or an ONNX file of
            ``affekt export``.
        predictions: Score the predictions in this table: ``path``, ``label`` and, where known,
            ``prob_CLASS`` and ``seed``.
        test: Another corpus: train on `source` and test on this one.
        leave_out: Further corpora: each of them and `source` is tested once by a model trained on
            the others.
        train_only: Further corpora that are trained on in every fold and never tested.
        folds: Folds of others, in place of folds by speaker: a table with ``path``, ``fold`` and
            ``part``, or EmoBox's folder of the corpus.
        recipe: TOML file of settings.
        config: Settings over those of the recipe.
        encoder: As of `train`.
        pooling: As of `train`.
        normalisations: Test the trained models with each of these in place of
            ``protocol.test_normalisation``; the results of each are in a folder of its name in
            `out`.
        workers: Number of processes, each with folds of its own.
        cache: Folder of embeddings; the one of the command unless given.
        device: Where networks are trained and tested, as of `train`.
        report: Called with each step.

    Returns:
        Scores with 95 % intervals, per class, speaker and fold, as ``metrics.json`` holds them;
        with ``dimensions`` in the settings those of each dimension. Of several normalisations
        those of the first.

    Raises:
        AffektError: A setting, a corpus or a part of your own is wrong, or `out` holds something
            else.
    """
    from .config import Config
    from .corpora.combine import corpus_with_folds
    from .evaluation import existing
    from .evaluation.runner import evaluate as run
    from .evaluation.systems import registry
    from .evaluation.systems.own import require_system
    from .evaluation.systems.titles import title

    own = not isinstance(system, str | type)
    name = system if isinstance(system, str) else dotted_path(type(system) if own else system)
    chosen = settings_with(recipe, config, encoder, pooling)
    given = Config.model_validate(given_settings(config, encoder, pooling))
    if model is not None or predictions is not None:
        of_training = test, leave_out, train_only, folds, normalisations, system != "default"
        if any((model and predictions, *of_training)):
            raise AffektError(
                "with a model or predictions nothing is trained: give one of them, and no system, "
                "test, leave-out, train-only, folds or normalisations"
            )
        registry.require_effect(given, registry.RECORDED, "a model or predictions as they are")
        corpus = corpus_with_folds(source, chosen.labels, columns=chosen.target_columns)
        if model is None:
            return existing.evaluate_predictions(corpus, Path(str(predictions)), chosen, Path(out))
        return existing.evaluate_model(
            corpus, model, chosen, Path(out), device=device, report=report
        )
    registry.require_effect(given, registry.used_by(name, chosen), name)
    settings = registry.configured(name, chosen)
    for normalisation in normalisations:
        tested = Config().with_test_normalisation(normalisation)
        registry.require_effect(tested, registry.used_by(name, chosen), name)
        registry.configured(name, chosen.with_test_normalisation(normalisation))
    columns = settings.target_columns
    corpus = corpus_with_folds(source, settings.labels, test, leave_out, train_only, folds, columns)
    make: Callable[[], System] = registry.Maker(name, settings, _embeddings(cache), device)
    instance = ""
    if own:
        make = partial(copy.deepcopy, require_system(system, name))
        instance = hash_instance(system)
    return run(
        corpus,
        make,
        settings,
        Path(out),
        system=name,
        title=title(name, settings),
        workers=workers,
        report=report,
        instance=instance,
        normalisations=normalisations,
    )


def tune(
    source: "Source",
    out: str | Path,
    *,
    trials: int = 20,
    space: str | Path | None = None,
    score: bool = True,
    recipe: str | Path | None = None,
    config: Settings = None,
    workers: int = 1,
    cache: str | Path | None = None,
    report: Report = silent,
) -> "Tuning":
    """Search settings with Optuna, on validation speakers of the training part: ``affekt tune``.

    Called again with the same corpus and settings, an interrupted search continues; with more
    `trials`, a finished one. Needs the extra ``tune``.

    Args:
        source: A corpus, as of `load_corpus`; its official test part is left out.
        out: Folder for ``recipe.toml``, the trials (``trials.db``) and the score.
        trials: Number of trials of each search.
        space: TOML file with the choices or the range of each setting; by default some settings of
            both stages.
        score: Score the search on unseen speakers: a search of its own inside the training part of
            each fold, which takes as much time as the folds and seeds of an evaluation.
        recipe: TOML file of settings that are searched from.
        config: Settings over those of the recipe.
        workers: Number of processes of the score, each with folds of its own.
        cache: Folder of embeddings; the one of the command unless given.
        report: Called with each step.

    Returns:
        The ``recipe``, the settings ``found.config`` and, unless an earlier call finished it, the
        ``score``.

    Raises:
        AffektError: A setting, the space or the corpus is wrong, or `out` holds something else.
    """
    from .config import Config
    from .corpora.registry import load_corpus as load
    from .evaluation.systems import registry
    from .evaluation.tuning import tune as run

    chosen = settings_with(recipe, config)
    given = Config.model_validate(given_settings(config))
    registry.require_effect(given, registry.used_by("default", chosen), "a search of settings")
    settings = registry.configured("default", chosen)
    return run(
        load(source, settings.labels, settings.target_columns),
        settings,
        Path(out),
        trials=trials,
        space=Path(space) if space else None,
        score=score,
        workers=workers,
        cache=_embeddings(cache),
        report=report,
    )


def audit(
    target: "Source",
    corpus: "Source | None" = None,
    *,
    test: "Source | None" = None,
    leave_out: "Sequence[Source]" = (),
    train_only: "Sequence[Source]" = (),
    folds: str | Path | None = None,
    report: Report = silent,
) -> "list[Finding]":
    """Look for leakage and other faults that make a score worthless: ``affekt audit``.

    Args:
        target: Folder of a finished run; a table of folds (path, label, speaker, fold and, if
            known, part and text); or a corpus, whose official split or usual folds are audited.
        corpus: For a run: the corpus that was its source, whose clips are then audited too.
        test: For a run: as of `evaluate`.
        leave_out: For a run: as of `evaluate`.
        train_only: For a run: as of `evaluate`.
        folds: For a run: as of `evaluate`.
        report: Called with each step.

    Returns:
        The findings. Those whose ``severity`` is "serious" invalidate the score; a "suspicion"
            would, if its evidence is confirmed by listening; "unchecked" names a check that could
            not be made and the reason.

    Raises:
        AffektError: `target` is none of these, or a corpus is given to something else than a run.
    """
    from .evaluation.audit.target import audit_target

    return audit_target(target, corpus, test, leave_out, train_only, folds, report)


def adapt(
    source: "Source",
    out: str | Path,
    *,
    model: str | Path = "default",
    labels: Mapping[str, str] | None = None,
    cache: str | Path | None = None,
    report: Report = silent,
) -> "Adapted":
    """Fit a model to your own labelled recordings: ``affekt adapt``.

    Args:
        source: The recordings, as of `load_corpus`.
        out: New folder for the model.
        model: The model to start from: the name of a bundled one, or a model folder.
        labels: New names by label; "" leaves the class out.
        cache: Folder of embeddings; the one of the command unless given.
        report: Called with each step.

    Returns:
        The UAR before and after on recordings that were held out, and notes on what it shows;
        ``affekt.load(out)`` loads the new model.

    Raises:
        AffektError: `out` is not empty, there is no such model, or there are too few recordings.
    """
    from .corpora.registry import load_corpus as load
    from .training.context import TrainingContext
    from .training.output import adapt_to_folder

    context = TrainingContext(report, embedding_cache=_embeddings(cache))
    return adapt_to_folder(load(source, labels), str(model), Path(out), context)


def embed(
    files: Files,
    out: str | Path,
    *,
    model: "str | Path | Recognizer" = "default",
    level: "Level" = "segment",
    report: Report = silent,
) -> list[AudioError]:
    """Write the embeddings of recordings to a Parquet file: ``affekt embed``.

    `Recognizer.embed` gives them as an array.

    Args:
        files: Paths of the recordings.
        out: New file with the suffix ``.parquet``.
        model: Name of a bundled model, a model folder, or a loaded model; its encoder is used.
        level: "segment" writes a row for each 0.96 s segment, "clip" one for each recording.
        report: Called with each step.

    Returns:
        The errors of recordings that cannot be read; they have no row.

    Raises:
        AffektError: `out` exists, or no recording can be read.
    """
    from .formats.embeddings import write_embeddings
    from .inference.recognizer import Recognizer, load

    recognizer = model if isinstance(model, Recognizer) else load(model)
    return write_embeddings(recognizer, files, Path(out), level, report)


def _embeddings(cache: str | Path | None) -> Path:
    """Folder in which embeddings are cached."""
    from .nn.encoders.weights import cache_folder

    return Path(cache) if cache else cache_folder() / "vectors"
