"""Score a model that exists already, or the predictions of any tool, without training."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..atomic import new_folder, write
from ..audio.recording import Recording
from ..config import Config
from ..content import hash_tree
from ..corpora.corpus import Corpus
from ..corpora.registry import CORPORA
from ..corpora.splits import anonymous, official
from ..errors import AffektError
from ..export.onnx_model import OnnxModel
from ..inference.recognizer import load
from ..nn.bundled import model_folder
from ..nn.model_config import read_model_config
from ..nn.training_info import CorpusInfo, TrainingInfo
from ..progress import Event, Report, silent
from ..provenance import provenance
from ..run_result import FILE, RECORDINGS, ExistingModel, RunResult, to_text
from ..training.clips import audio_warnings, load_clips
from .folds import among
from .prediction_table import Predictions, part_columns, read_predictions, target_columns
from .protocol_text import corpus_marks
from .runner import measure, rejection_scores

BATCH = 32  # recordings that are encoded together
HOW = "; they are recognised as by affekt predict, or as a whole where it detects no speech"
MARK = "(existing model, not trained here)"
SEEN = (
    "NOT a score on unseen speakers: {model} was trained on this corpus; its score here says "
    "nothing about other speakers"
)
PROTOCOL = (
    "{what}, scored on {clips} clips without training{how}; the most probable of the classes that "
    "both have is taken for every clip, rejected ones too; intervals: 95 % percentile bootstrap "
    "over {who}."
)


def evaluate_model(
    corpus: Corpus,
    model: str | Path,
    config: Config,
    out: Path,
    *,
    device: str = "cpu",
    report: Report = silent,
) -> RunResult:
    """Score a bundled, trained, adapted or exported model on a corpus.

    Args:
        corpus: Its test part where it marks one, otherwise all of it.
        model: Name of a bundled model, a model folder, or an ONNX file of ``affekt export``.
        config: Settings; only the label map and provenance use them.
        out: New folder for the results.
        device: Where the encoder runs; an ONNX file always runs on the CPU.
        report: Called with each step.

    Raises:
        AffektError: No such model, a recording cannot be read, the model and the corpus have
            fewer than two classes in common, or `out` is not empty.
    """
    new_folder(out)
    exported = Path(model).suffix == ".onnx"
    classifier = OnnxModel(Path(model)) if exported else _Loaded(model, device)
    corpus, left_out = with_classes(corpus, classifier.labels, classifier.name)
    clips = load_clips(corpus.examples, report)
    probabilities, accepted = [], []
    for start in range(0, len(clips), BATCH):
        batch = clips[start : start + BATCH]
        predicted = classifier.predict([c.recording for c in batch])
        probabilities.append(predicted[0])
        accepted.append(predicted[1])
        report(Event("recognise", start + len(batch), len(clips)))
    found = Predictions(
        classifier.name,
        classifier.labels,
        list(corpus.examples),
        np.concatenate(probabilities),
        np.concatenate(accepted),
        np.zeros(len(clips), np.int64),
        _unseen_speakers(corpus, classifier.training),
        audio_warnings(clips),
        classifier.how,
    )
    path = Path(model) if exported else model_folder(model)
    return _write(corpus, found, left_out, config, out, hash_tree(path))


class _Loaded:
    """A model folder, with the interface of `OnnxModel`."""

    how = HOW

    def __init__(self, model: str | Path, device: str) -> None:
        self._recognizer = load(model, device=device)
        self.name = self._recognizer.name
        self.labels = list(self._recognizer.labels)
        self.training: TrainingInfo | None = read_model_config(model_folder(model)).training

    def predict(
        self, recordings: Sequence[Recording]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """As `OnnxModel.predict`."""
        predictions = self._recognizer(recordings)
        accepted = np.array([not p.rejection_reason for p in predictions])
        for i, recording in enumerate(recordings):
            if not predictions[i].segments:
                [predictions[i]] = self._recognizer.recognise([recording])
        probabilities = [[p.probabilities[c] for c in self.labels] for p in predictions]
        return np.array(probabilities), accepted


def evaluate_predictions(corpus: Corpus, file: Path, config: Config, out: Path) -> RunResult:
    """Score the predictions of any tool.

    Args:
        corpus: Its test part where it marks one, otherwise all of it.
        file: Table of predictions; see `affekt.evaluation.prediction_table.read_predictions`.
        config: Settings; only provenance uses them.
        out: New folder for the results.

    Raises:
        AffektError: The table does not match the corpus, or `out` is not empty.
    """
    new_folder(out)
    corpus = _test_part(corpus)
    table = read_predictions(file, corpus)
    corpus, left_out = with_classes(corpus, table.labels, table.name)
    kept = np.array([e.label in corpus.labels for e in table.examples])
    table = table._replace(
        examples=[e for e, is_kept in zip(table.examples, kept, strict=True) if is_kept],
        probabilities=table.probabilities[kept],
        accepted=table.accepted[kept],
        seeds=table.seeds[kept],
    )
    return _write(corpus, table, left_out, config, out, hash_tree(file))


def _test_part(corpus: Corpus) -> Corpus:
    test = official(corpus.examples, "test")
    if not test:
        return corpus
    return replace(corpus, examples=tuple(e for e in corpus.examples if e.speaker in test))


def with_classes(
    corpus: Corpus, labels: Sequence[str], model: str
) -> tuple[Corpus, dict[str, int]]:
    """The clips of the classes that a model has too, and the number of the others by class."""
    corpus = _test_part(corpus)
    common = [label for label in corpus.labels if label in labels]
    if len(common) < 2:
        raise AffektError(
            f"{model} and {corpus.name} have {len(common)} classes in common: the model has "
            f"{', '.join(labels)}; the corpus {', '.join(corpus.labels)}. Rename classes of the "
            "corpus with --labels.OLD NEW"
        )
    left_out = Counter(e.label for e in corpus.examples if e.label not in common)
    examples = tuple(e for e in corpus.examples if e.label in common)
    return replace(corpus, examples=examples), dict(sorted(left_out.items()))


def _unseen_speakers(corpus: Corpus, training: TrainingInfo | None) -> bool | None:
    """Whether no test speaker was trained on, as far as known; None if that is unknown.

    It is unknown of a corpus of the user's own that the training data do not name: it may hold
    clips of theirs.
    """
    if training is None:
        return None
    infos = [training.corpus]
    if training.adapted_from:
        infos.append(training.adapted_from.corpus)
    names = {name for info in infos if info for name in info.name.split(" and ")}
    if _trained_on(corpus, training, infos, names):
        return False
    is_named = corpus.name in CORPORA or corpus.name in names
    return True if is_named and not anonymous(corpus.examples) else None


def _trained_on(
    corpus: Corpus,
    training: TrainingInfo,
    infos: Sequence[CorpusInfo | None],
    names: Collection[str],
) -> bool:
    """Whether a model's training data name the corpus, or its speakers of the test part.

    Args:
        corpus: The test part.
        training: Of the model.
        infos: Training corpora of the model and of the one that it was adapted from.
        names: Their names.
    """
    if any(info and info.digest == corpus.digest() for info in infos):
        return True
    known = {*(training.training_speakers or ()), *(training.validation_speakers or ())}
    shared = known & {*corpus.speakers, *(f"{corpus.name}/{s}" for s in corpus.speakers)}
    if corpus.name not in names:
        return False
    has_test_part = any(e.split == "test" for e in corpus.examples)
    return bool(shared) or (corpus.name in CORPORA and not has_test_part)


def _write(
    corpus: Corpus,
    found: Predictions,
    left_out: dict[str, int],
    config: Config,
    out: Path,
    model_hash: str,
) -> RunResult:
    """Write predictions.parquet and metrics.json.

    Args:
        corpus: The clips that are scored.
        found: Their predictions.
        left_out: Number of clips by class that the model does not have.
        config: Settings, for provenance.
        out: The folder.
        model_hash: Content hash of the model or of the table of predictions.
    """
    labels = corpus.labels
    table = _table(labels, found)
    metrics = measure(table, labels)
    existing = ExistingModel(
        name=found.name,
        unseen_speakers=found.unseen_speakers,
        left_out=left_out,
        **rejection_scores(table, labels),
    )
    metrics |= description(corpus, existing, found.how) | {
        "system": found.name,
        "runs": [],
        "audio_warnings": found.warnings,
        "existing": existing.to_json(),
    }
    recordings = corpus.audio_hashes()
    origin = provenance(corpus, config, recordings)
    result = RunResult.model_validate(metrics | origin | {"hashes": {"model": model_hash}})
    write(out / "predictions.parquet", partial(table.to_parquet, index=False))
    write(out / RECORDINGS, json.dumps(recordings, indent=0, ensure_ascii=False) + "\n")
    write(out / FILE, to_text(result))
    return result


def _table(labels: Sequence[str], found: Predictions) -> pd.DataFrame:
    probabilities = among(labels, found.labels, found.probabilities)
    rows: dict[str, Any] = {
        "utterance": [e.id for e in found.examples],
        "speaker": [e.speaker for e in found.examples],
        "fold": 0,
        "seed": found.seeds,
        "label": [e.label for e in found.examples],
        "predicted": [labels[i] for i in probabilities.argmax(1)],
        "accepted": found.accepted,
    } | part_columns(found.examples)
    columns = dict(zip([f"prob_{label}" for label in labels], probabilities.T, strict=True))
    return pd.DataFrame(rows | columns | target_columns(labels, found.examples))


def description(corpus: Corpus, existing: ExistingModel, how: str) -> dict[str, Any]:
    """Title, protocol, notes and genders of scores of an existing model or predictions.

    Args:
        corpus: The clips that are scored.
        existing: How they were scored.
        how: As of `Predictions`.
    """
    who = "clips, since the speakers are unknown" if anonymous(corpus.examples) else "speakers"
    clips = len(corpus.examples)
    return {
        "title": " ".join([existing.name, MARK, *corpus_marks(corpus)]),
        "protocol": PROTOCOL.format(what=existing.name, clips=clips, how=how, who=who),
        "notes": [*_notes(existing), *corpus.notes],
        "gender": {e.speaker: e.gender for e in corpus.examples if e.gender},
    }


def _notes(existing: ExistingModel) -> list[str]:
    notes = []
    if existing.unseen_speakers is False:
        notes.append(SEEN.format(model=existing.name))
    if existing.unseen_speakers is None:
        notes.append(
            "it is unknown who was trained on: these speakers, or these clips, may be among them"
        )
    if existing.left_out:
        clips = ", ".join(f"{label} {count}" for label, count in existing.left_out.items())
        notes.append(f"clips left out, of classes that {existing.name} does not have: {clips}")
    if existing.coverage is not None and existing.coverage < 1:
        note = f"accepted {existing.coverage:.1%} of the clips, the others were uncertain"
        if existing.accepted:
            note += f"; on accepted clips UAR {existing.accepted['UAR']:.3f}"
        notes.append(note)
    return notes
