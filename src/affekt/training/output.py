"""Train or adapt a model and write it to a model folder."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..atomic import new_folder
from ..config import Config
from ..corpora.corpus import Corpus
from ..errors import AffektError
from ..nn.bundled import model_folder
from ..nn.checkpoint import Checkpoint, load_checkpoint, require_classes, save_checkpoint
from ..nn.emotion_model import EmotionModel
from ..nn.encoders.own import is_own
from ..nn.training_info import AdaptedFrom, CorpusInfo, LeftOut, TrainingInfo
from ..plural import size_of
from ..provenance import identity, portable, provenance
from ..report.model_card import adapted_card, model_card
from ..run_manifest import abridged, differences
from ..run_result import RunResult
from .adapt import Adapted, adapt
from .calibration import fit_gate, left_out_temperature
from .clips import Clip, load_clips
from .context import TrainingContext
from .run import Trained, train


def train_to_folder(
    corpus: Corpus,
    config: Config,
    out: Path,
    context: TrainingContext = TrainingContext(),
    *,
    evaluation: RunResult | None = None,
    calibrate_on: Sequence[Path] = (),
) -> Trained:
    """Train on a corpus and write config, weights and model card to `out`.

    Args:
        corpus: Training data, except for its official test part.
        config: Settings.
        out: New or empty folder; its name is the model's.
        context: Progress, processes, embedding cache, resume checkpoints, Ctrl-C.
        evaluation: Scores of the same recipe on the same corpus, for the model card.
        calibrate_on: Folders of evaluations that left corpora out, to calibrate the confidence.

    Raises:
        AffektError: `out` is not empty or cannot be written, a recording cannot be read, there are
            too few speakers, or `evaluation`, a folder of `calibrate_on` or the unfinished training
            belongs to other data or settings.
    """
    if corpus.dimensions and (evaluation or calibrate_on):
        raise AffektError(
            "an evaluation for the model card and calibration are of classes; dimensions have no "
            "confidence, and the card no place for their scores"
        )
    out = out.resolve()
    recordings = corpus.audio_hashes()
    with ExitStack() as folders:
        if context.processes.is_main_process:
            folders.enter_context(_output_folder(out))
            if context.checkpoints:
                current = identity(corpus, config, recordings)
                folders.enter_context(context.checkpoints.session(current))
        if evaluation:
            _require_same(evaluation, identity(corpus, config, recordings))
        left_out = _left_out(calibrate_on, config)
        training = corpus.training()
        origin = provenance(training, config, recordings)
        checkpoint, trained = _train(training, origin, config, out.name, context, left_out)
        if context.processes.is_main_process:
            info = checkpoint.training.to_json()
            outputs = trained.labels or trained.dimensions
            card = model_card(out.name, checkpoint.intended_use, outputs, info, evaluation)
            save_checkpoint(checkpoint, out, card)
    return trained


def adapt_to_folder(
    corpus: Corpus, base: str, out: Path, context: TrainingContext = TrainingContext()
) -> Adapted:
    """Adapt a model to labelled recordings and write the new one to `out`.

    Args:
        corpus: The recordings; its official test part is not used.
        base: Name of a bundled model, or a model folder.
        out: New or empty folder; its name is the model's.
        context: Progress and embedding cache.

    Raises:
        AffektError: `out` is not empty, there is no such model, a recording cannot be read, or
            there are too few recordings.
    """
    old = load_checkpoint(model_folder(base))
    require_classes(old.name, old.dimensions, "adaptation by labels")
    with _output_folder(out.resolve()) as place:
        training = corpus.training()
        clips = load_clips(training.examples, context.report)
        adapted = adapt(old, clips, context.cache_of(old.model.encoder), place.name)
        license = f"{old.license}; and those of {corpus.name}: {corpus.license}"
        note = f"{old.name} adapted to {corpus.name}; for recordings like these only."
        config = old.config.model_copy(update={"license": license, "intended_use": note})
        info = _adaptation_info(adapted, old).with_values(
            audio_warnings=_warning_counts(clips),
            notes=list(training.notes),
            **provenance(training, old.config, training.audio_hashes()),
        )
        new = replace(adapted.checkpoint, config=config, intended_use=note, training=info)
        save_checkpoint(new, place, adapted_card(place.name, note, new.labels, info.to_json()))
    return replace(adapted, checkpoint=new)


@contextmanager
def _output_folder(out: Path) -> Iterator[Path]:
    """Create a folder, or use an empty one; delete it if the block fails and it is empty."""
    out = new_folder(out)
    try:
        yield out
    except BaseException:
        with suppress(OSError):
            out.rmdir()
        raise


def _train(
    training: Corpus,
    origin: Mapping[str, Any],
    config: Config,
    name: str,
    context: TrainingContext,
    left_out: Sequence[LeftOut],
) -> tuple[Checkpoint, Trained]:
    """Train, fit the speech gate, and calibrate on left-out corpora.

    Args:
        training: The corpus without its official test part.
        origin: Its provenance.
        config: Settings.
        name: Name of the model.
        context: Progress, processes, embedding cache, resume checkpoints, Ctrl-C.
        left_out: Temperatures of evaluations that left corpora out.
    """
    clips = load_clips(training.examples, context.report)
    seed = config.protocol.seed
    trained = train(clips, config, context, seed=seed)
    _fit_gate(trained, clips, config, context)
    for run in left_out:
        trained.model.temperatures[int(run.known_source)] *= run.temperature
    _round_to_float16(trained.model)
    info = trained.training_info().with_values(
        seed=seed, audio_warnings=_warning_counts(clips), notes=list(training.notes), **origin
    )
    if left_out:
        info = info.with_values(left_out=list(left_out))
    intended_use = config.intended_use or (
        f"Trained on {training.name}: {size_of(len(clips), origin['corpus']['speakers'])}. With "
        "other speakers, languages and microphones it may be wrong more often than right."
    )
    checkpoint = Checkpoint(
        trained.model,
        trained.labels,
        portable(config),
        name,
        intended_use,
        info,
        trained.dimensions,
    )
    return checkpoint, trained


def _fit_gate(
    trained: Trained, clips: Sequence[Clip], config: Config, context: TrainingContext
) -> None:
    """Fit the speech gate to the training speakers, its threshold to the validation speakers.

    Args:
        trained: The trained model.
        clips: The training part.
        config: Settings.
        context: Embedding cache and processes.
    """
    chosen = set(trained.validation_speakers)
    validation = [c for c in clips if c.example.speaker in chosen]
    training = [c for c in clips if c.example.speaker not in chosen]  # none of a single speaker
    model = trained.model.to(context.processes.device)  # encodes there
    fit_gate(model, training or clips, validation, config, context.cache_of(model.encoder))
    model.cpu()


def _left_out(runs: Sequence[Path], config: Config) -> list[LeftOut]:
    """Temperatures of evaluations: at most one for known and one for unknown domains."""
    left_out = [left_out_temperature(run, config) for run in runs]
    if len({run.known_source for run in left_out}) < len(left_out):
        raise AffektError(
            "two evaluations to calibrate on are both with or both without "
            "protocol.test_normalisation; give one of them"
        )
    return left_out


def _adaptation_info(adapted: Adapted, old: Checkpoint) -> TrainingInfo:
    low, high = adapted.gain
    return TrainingInfo(
        adapted_from=AdaptedFrom(name=old.name, corpus=old.training.corpus or CorpusInfo()),
        before_UAR=round(adapted.before, 4),
        after_UAR=round(adapted.after, 4),
        gain95=(round(low, 4), round(high, 4)),
        held_out=adapted.held_out,
        temperatures=adapted.temperatures,
    )


def _warning_counts(clips: Sequence[Clip]) -> dict[str, int]:
    """Number of recordings with each warning."""
    codes = (notice.code for c in clips for notice in c.recording.warnings)
    return dict(sorted(Counter(codes).items()))


def _round_to_float16(model: EmotionModel) -> None:
    """Round weights to float16, so that the stored model is bitwise equal to this one.

    An encoder from outside the package is not rounded: float16 may be too coarse for it. Nor are
    weights that are never trained, which are not stored with the model.
    """
    own = is_own(model.encoder)
    exact = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    for name, tensor in model.state_dict().items():
        kept = name in exact or (own and name.startswith("encoder."))
        if tensor.is_floating_point() and not kept:
            tensor.copy_(tensor.half())


def _require_same(result: RunResult, current: Mapping[str, Any]) -> None:
    """Check that data, settings and weights of an evaluation are those of the training.

    Of an evaluation by an earlier version the contents of audio and weights are unknown; the model
    card says so.

    Args:
        result: The evaluation.
        current: Identity of the training.

    Raises:
        AffektError: They are not.
    """
    stored = result.identity()
    keys: list[str] = [key for key in ("corpus", "config", "hashes") if key in stored]
    wanted = {key: current[key] for key in keys}
    if "hashes" in stored:  # of a system of the user, too, which is not part of a training
        stored["hashes"] = {k: v for k, v in stored["hashes"].items() if k in current["hashes"]}
    if not result.corpus.audio:
        wanted["corpus"] = {k: v for k, v in wanted["corpus"].items() if k != "audio"}
    if differing := differences({key: stored[key] for key in keys}, wanted):
        raise AffektError(
            "the evaluation is of another corpus or was made with other settings "
            f"({abridged(differing)})"
        )
