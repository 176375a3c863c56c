"""Train a model and leave it as a folder that ``predict`` loads."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from ..checkpoint import Checkpoint, save_checkpoint
from ..config import Config
from ..corpora import Corpus
from ..errors import AffektError
from ..files import new_folder
from ..progress import Report, silent
from ..provenance import portable, provenance
from ..report.card import model_card
from .data import VectorCache, audio_warnings, load_clips
from .finish import fit_gate
from .train import Trained, train


def train_folder(
    corpus: Corpus,
    config: Config,
    out: Path,
    *,
    cache: Path | None,
    evaluation: Path | None = None,
    report: Report = silent,
) -> Trained:
    """Train on a whole corpus and write config, weights and card to `out`.

    Args:
        corpus: All of it is trained on but what it marks as test.
        config: Settings.
        out: New or empty folder; its name is the model's.
        cache: Where segment vectors are kept.
        evaluation: ``metrics.json`` of ``affekt evaluate`` with the same corpus and
            settings, for the card.
        report: Progress.

    Raises:
        AffektError: `out` is not empty, a recording cannot be read, there are too few
            speakers, or `evaluation` belongs to other data or settings.
    """
    out = new_folder(out.resolve())
    try:
        return _train_into(out, corpus, config, cache, evaluation, report)
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
    report: Report,
) -> Trained:
    score = _matching(evaluation, provenance(corpus, config)) if evaluation else None
    seed = config.protocol.seed
    training = corpus.training()
    origin = provenance(training, config)
    clips = load_clips(training.utterances, report)
    trained = train(clips, config, seed=seed, cache=cache, report=report)
    heard = [c for c in clips if c.utterance.speaker not in trained.validation_speakers]
    held = [c for c in clips if c.utterance.speaker in trained.validation_speakers]
    vectors = VectorCache(cache, trained.model.encoder)
    fit_gate(trained.model, heard or clips, held, config, vectors, seed)
    _round(trained.model)
    facts = {**trained.facts(), "seed": seed, "audio_warnings": audio_warnings(clips), **origin}
    note = config.note or (
        f"Trained on {corpus.name}: {len(training.speakers)} speakers. On other voices, languages "
        "and microphones it may be wrong more often than right."
    )
    checkpoint = Checkpoint(trained.model, trained.labels, portable(config), out.name, note, facts)
    save_checkpoint(checkpoint, out, model_card(out.name, note, trained.labels, facts, score))
    return trained


def _round(model: nn.Module) -> None:
    """To what float16 holds, so that the model of half the size on disk is this one, bit by bit."""
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def _matching(path: Path, origin: dict[str, Any]) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads(path.read_text("utf-8"))
        same = all(metrics[key] == origin[key] for key in ("corpus", "config"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AffektError(f"{path}: not a metrics.json of affekt evaluate ({error})") from None
    if not same:
        raise AffektError(f"{path}: was made with another corpus or other settings")
    return metrics
