"""Train a model and leave it as a folder that ``predict`` loads."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from ..atomic import new_folder
from ..config import Config
from ..corpora.corpus import Corpus
from ..errors import AffektError
from ..nn.bundled import model_folder
from ..nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ..nn.emotion_model import EmotionModel
from ..nn.encoders.own import is_own
from ..nn.training_info import AdaptedFrom, CorpusInfo, LeftOut, TrainingInfo
from ..progress import Report, silent
from ..provenance import portable, provenance
from ..report.model_card import adapted_card, model_card
from ..run_result import RunResult, load_run_result
from .adapt import Adapted, adapt
from .calibration import fit_gate
from .clips import Clip, EmbeddingCache, load_clips
from .left_out import left_out
from .resume import kept
from .run import Trained, train
from .trainer import Trainer


def train_folder(
    corpus: Corpus,
    config: Config,
    out: Path,
    *,
    cache: Path | None,
    evaluation: Path | None = None,
    unheard: Sequence[Path] = (),
    trainer: Trainer = Trainer(),
    save_every: int = 500,
    resume: bool = False,
) -> Trained:
    """Train on a whole corpus and write config, weights and card to `out`.

    Args:
        corpus: All of it is trained on but what it marks as test.
        config: Settings.
        out: New or empty folder; its name is the model's.
        cache: Where segment vectors are kept.
        evaluation: ``metrics.json`` of ``affekt evaluate`` with the same corpus and
            settings, for the card.
        unheard: Runs that left corpora out, by which the confidence is calibrated.
        trainer: How the stages are run. Of several processes the first writes the model.
        save_every: Steps between two saves in ``OUT.unfinished``, which is there until the model
            is.
        resume: Go on with such a training that was broken off.

    Raises:
        AffektError: `out` is not empty, a recording cannot be read, there are too few
            speakers, `evaluation`, a run or the unfinished training belongs to other data or
            settings, or something cannot be written.
    """
    out = out.resolve()
    unfinished = out.with_name(f"{out.name}.unfinished")
    origin, first = provenance(corpus.description(), config), trainer.distributed.first
    with (
        filled_folder(out) if first else nullcontext(),
        kept(unfinished, origin, save_every, resume=resume, first=first) as checkpoints,
    ):
        told = [left_out(run, config) for run in unheard]
        if len({t.known_source for t in told}) < len(told):
            raise AffektError("two runs of one kind to calibrate by: which one?")
        trainer = replace(trainer, checkpoints=checkpoints)
        return _train_into(out, corpus, config, cache, evaluation, told, trainer)


def adapt_folder(
    corpus: Corpus, base: str, out: Path, cache: Path | None, report: Report = silent
) -> Adapted:
    """Fit a model to labelled recordings and write the new one to `out`.

    Args:
        corpus: The recordings, less what it marks as test.
        base: Name of a bundled model, or a model folder.
        out: New or empty folder; its name is the model's.
        cache: Where segment vectors are kept.
        report: Progress.

    Raises:
        AffektError: `out` is not empty, there is no such model, a recording cannot be read, or
            there are too few.
    """
    old = load_checkpoint(model_folder(base))
    with filled_folder(out) as place:
        training = corpus.training()
        clips = load_clips(training.examples, report)
        adapted = adapt(old, clips, EmbeddingCache(cache, old.model.encoder), place.name)
        origin = provenance(training.description(), old.config)
        low, high = adapted.gain
        training_info = TrainingInfo(
            adapted_from=AdaptedFrom(name=old.name, corpus=old.training.corpus or CorpusInfo()),
            before_UAR=round(adapted.before, 4),
            after_UAR=round(adapted.after, 4),
            gain95=(round(low, 4), round(high, 4)),
            held_out=adapted.held_out,
            audio_warnings=_warning_counts(clips),
            **origin,
        )
        license = f"{old.license}; and those of {corpus.name}: {corpus.license}"
        note = f"{old.name} adapted to {corpus.name}. Good for recordings like these, if any."
        config = old.config.model_copy(update={"license": license, "intended_use": note})
        new = replace(adapted.checkpoint, config=config, intended_use=note, training=training_info)
        card = adapted_card(place.name, note, new.labels, training_info.to_json())
        save_checkpoint(new, place, card)
    return replace(adapted, checkpoint=new)


@contextmanager
def filled_folder(out: Path) -> Iterator[Path]:
    """A new or empty folder; taken away again if what should fill it fails."""
    out = new_folder(out.resolve())
    try:
        yield out
    except BaseException:
        with suppress(OSError):  # an empty folder is of no use to anyone
            out.rmdir()
        raise


def _train_into(
    out: Path,
    corpus: Corpus,
    config: Config,
    cache: Path | None,
    evaluation: Path | None,
    unheard: Sequence[LeftOut],
    trainer: Trainer,
) -> Trained:
    score = _matching(evaluation, corpus, config) if evaluation else None
    seed = config.protocol.seed
    training = corpus.training()
    origin = provenance(training.description(), config)
    clips = load_clips(training.examples, trainer.report)
    trained = train(clips, config, seed=seed, cache=cache, trainer=trainer)
    heard = [c for c in clips if c.example.speaker not in trained.validation_speakers]
    held = [c for c in clips if c.example.speaker in trained.validation_speakers]
    embeddings = EmbeddingCache(cache, trained.model.encoder, trainer.distributed)
    fit_gate(trained.model, heard or clips, held, config, embeddings, seed)
    for told in unheard:
        trained.model.temperatures[int(told.known_source)] *= told.temperature
    _round(trained.model)
    training_info = trained.training_info().with_values(
        seed=seed, audio_warnings=_warning_counts(clips), **origin
    )
    if unheard:
        training_info = training_info.with_values(left_out=list(unheard))
    note = config.intended_use or (
        f"Trained on {corpus.name}: {len(training.speakers)} speakers. On other voices, languages "
        "and microphones it may be wrong more often than right."
    )
    checkpoint = Checkpoint(
        trained.model, trained.labels, portable(config), out.name, note, training_info
    )
    if trainer.distributed.first:
        card = model_card(out.name, note, trained.labels, training_info.to_json(), score)
        save_checkpoint(checkpoint, out, card)
    return trained


def _warning_counts(clips: Sequence[Clip]) -> dict[str, int]:
    """How many recordings sound odd, by what is odd about them."""
    kinds = (w.code for c in clips for w in c.recording.warnings)
    return dict(sorted(Counter(kinds).items()))


def _round(model: EmotionModel) -> None:
    """Round weights to float16, so that the model of half the size on disk is this one, bit by bit.

    An encoder from outside the package keeps its own: float16 may not hold them.
    """
    exact = "encoder." if is_own(model.encoder) else None
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not (exact and name.startswith(exact)):
            tensor.copy_(tensor.half())


def _matching(path: Path, corpus: Corpus, config: Config) -> RunResult:
    """Read an evaluation, which must be of this corpus and these settings."""
    result = load_run_result(path)
    if result.differences(corpus.description(), config):
        raise AffektError(f"{path}: was made with another corpus or other settings")
    return result
