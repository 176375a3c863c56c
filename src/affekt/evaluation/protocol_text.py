"""The protocol of a score in words: title marks, notes, and how the score was obtained."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import Config
from ..config import Protocol as ProtocolSettings
from ..corpora.corpus import Corpus
from ..corpora.splits import Fold, anonymous, fold_notes, single_speaker
from ..plural import counted
from ..types import unit_of

SELECTION = "epochs and settings are selected inside the training part, {validation}; "
PROTOCOL = (
    "Test {who} are not in any training or validation data or normalisation statistics; {folds}; "
    + SELECTION
)
OWN_CLIP = (
    "Test {who} are not in any training or validation data; each clip is standardised by its own "
    "unlabelled statistics alone; {folds}; " + SELECTION
)
OWN_STATISTICS = (
    "Test {who} are not in any training or validation data, but their unlabelled clips are "
    "standardised by their own statistics: the score holds for many clips of one domain or "
    "speaker together; {folds}; " + SELECTION
)
PAPER_PROTOCOL = (
    "paper_protocol, NOT a score on unseen speakers: networks select their epoch on the test "
    "fold, so the score is optimistic, and are trained on all training {who}; {folds}; test {who} "
    "are not trained on; "
)
SHARED_SPEAKERS = "NOT a score on unseen speakers: the fold table also trains on test speakers; "
TEST_FOLD_SELECTS = (
    "paper_protocol: networks select their epoch on the test fold; not a score on unseen speakers"
)
THINNED = (
    "training parts, validation {who} included, were thinned at random until the largest class has "
    "{ratio:g} times the clips of the smallest, test parts are whole; "
)
SCORING = (
    "uniform segments at test; {seeds}; scores are pooled over folds and averaged over seeds; "
    "intervals: 95 % percentile bootstrap over {who}."
)
NORMALISATION = {
    "clip": "(normalised by clip)",
    "speaker": "(speaker normalisation)",
    "fold": "(domain normalisation)",
}
LACKING = {
    "validation_lacks": "the validation {who} lack a class",
    "training_lacks": "a class occurs in validation {who} only",
}


def marked_title(
    title: str,
    training_info: Sequence[Mapping[str, Any]],
    settings: ProtocolSettings,
    corpus: Corpus,
) -> str:
    """The title of a system with marks for what the score depends on.

    Args:
        title: Name of the system in tables.
        training_info: Record of each training.
        settings: Protocol of the evaluation.
        corpus: The corpus.
    """
    marks = [title, *corpus_marks(corpus), *settings_marks(training_info, settings)]
    if corpus.fold_table:
        shared = any(fold.trained_test_speakers for fold in corpus.fold_table.folds)
        trained = ", test speakers trained on" if shared else ""
        marks.append(f"(folds of {corpus.fold_table.name}{trained})")
    return " ".join(marks).strip()


def settings_marks(
    training_info: Sequence[Mapping[str, Any]], settings: ProtocolSettings
) -> list[str]:
    """Marks of a title for a random encoder and for what the protocol allows."""
    marks = []
    if training_info and training_info[0].get("encoder", "").startswith("random start"):
        marks.append("(random start)")
    if settings.paper_protocol:
        marks.append("(paper_protocol)")
    if settings.training_imbalance:
        marks.append(f"(training {settings.training_imbalance:g} : 1)")
    if settings.test_normalisation != "none":
        marks.append(NORMALISATION[settings.test_normalisation])
    return marks


def corpus_marks(corpus: Corpus) -> list[str]:
    """Marks of a title for what the corpus lacks: speakers, published clips."""
    marks = ["(speakers unknown)"] if anonymous(corpus.examples) else []
    return [*marks, "(incomplete corpus)"] if corpus.incomplete else marks


def notes(
    corpus: Corpus,
    folds: Sequence[Fold],
    training_info: Sequence[Mapping[str, Any]],
    paper_protocol: bool,
) -> list[str]:
    """Notes on corpus, folds and trainings for readers of a score.

    Args:
        corpus: The corpus.
        folds: Its folds.
        training_info: Record of each training.
        paper_protocol: Whether networks select their epoch on the test fold.
    """
    result = [TEST_FOLD_SELECTS] if paper_protocol else []
    inner = not paper_protocol
    result += [*corpus.notes, *fold_notes(corpus.examples, folds, inner_validation=inner)]
    who = unit_of(corpus.speakers)
    for key, text in LACKING.items():
        if number := sum(bool(info.get(key)) for info in training_info):
            trainings = counted(len(training_info), "training")
            result.append(f"in {number} of {trainings} {text.format(who=who)}")
    return result


def protocol(corpus: Corpus, config: Config, folds: Sequence[Fold]) -> str:
    """How a score was obtained: test speakers, selection of epochs and settings, intervals."""
    unknown = anonymous(corpus.examples)
    unit = "file" if any(e.part for e in corpus.examples) else "clip"
    who = f"{unit}s (speakers are unknown)" if unknown else "speakers"
    where = f"{counted(len(folds), 'fold')} by {unit if unknown else 'speaker'}"
    if corpus.fold_table:
        where = f"{counted(len(folds), 'fold')} of {corpus.fold_table.name}"
    elif corpus.by_corpus:
        where = f"{counted(len(folds), 'fold')}, each of which tests one corpus"
    elif any(e.split == "test" for e in corpus.examples):
        where = f"one fold, the test {who} of the corpus"
    share = f"{config.protocol.validation:.0%}"
    validation = (
        f"for networks on validation {who} ({share} of the training part), for other systems by "
        "cross-validation"
    )
    if any(fold.val for fold in folds) or any(e.split == "val" for e in corpus.train_only):
        validation = f"on the validation {who} of the corpus where they are in training"
        if len({e.corpus for e in (*corpus.examples, *corpus.train_only)}) > 1:
            validation = f"on the validation {who} of the corpora that have them, on others drawn"
    elif any(single_speaker([*fold.train, *fold.val]) for fold in folds):
        validation = f"on some clips ({share}) where there is only one training speaker"
    kind = {"none": PROTOCOL, "clip": OWN_CLIP}.get(
        config.protocol.test_normalisation, OWN_STATISTICS
    )
    if config.protocol.paper_protocol:
        kind = PAPER_PROTOCOL
    if any(fold.trained_test_speakers for fold in folds):
        kind = SHARED_SPEAKERS + kind.partition("; ")[2]
    seeds = counted(config.protocol.seeds, "seed")
    ratio = config.protocol.training_imbalance
    kind += THINNED if ratio else ""
    return (kind + SCORING).format(
        who=who, folds=where, validation=validation, seeds=seeds, ratio=ratio
    )
