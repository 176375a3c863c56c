"""How a score came about, in the words that stand beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import Config
from ..config import Protocol as ProtocolSettings
from ..corpora.corpus import Corpus
from ..corpora.splits import Fold, anonymous, fold_notes, single_speaker

PROTOCOL = (
    "Test {who} in no training, validation or statistic; {folds}; every choice (epochs, settings) "
    "inside the training part, on {validation}; "
)
PAPER_PROTOCOL = (
    "paper_protocol, NOT a score on unheard speakers: networks chose their epoch on the test fold, "
    "which flatters, and learned from all training {who}; {folds}; no test {who} are trained on; "
)
SHARED_SPEAKERS = "NOT a score on unseen speakers: the fold table also trains on test speakers; "
OWN_STATISTICS = (
    "Test {who} in no training and no choice, but their unlabelled clips gave the statistics that "
    "standardise them: a score on batches of one source; {folds}; every choice (epochs, settings) "
    "inside the training part, on {validation}; "
)
PEEKED = "paper_protocol: networks chose their epoch on the test fold; no score on unheard speakers"
SCORING = (
    "uniform segments at test; {seeds} seeds, mean over seeds of scores pooled over folds; "
    "intervals: 95 % percentile bootstrap over {who}."
)


def marked_title(
    title: str,
    training_info: Sequence[Mapping[str, Any]],
    settings: ProtocolSettings,
    corpus: Corpus,
) -> str:
    """A title, and what else must stand wherever the number does."""
    marks = [title]
    if training_info[0].get("encoder", "").startswith("random start"):
        marks.append("(random start)")
    if settings.paper_protocol:
        marks.append("(paper_protocol)")
    if settings.test_normalisation != "none":
        by = ", by speaker" if settings.test_normalisation == "speaker" else ""
        marks.append(f"(source statistics{by})")
    if corpus.fold_table:
        shared = any(fold.trained_test_speakers for fold in corpus.fold_table.folds)
        what = ", test speakers trained on" if shared else ""
        marks.append(f"(folds of {corpus.fold_table.name}{what})")
    return " ".join(marks).strip()


def notes(
    corpus: Corpus,
    folds: Sequence[Fold],
    training_info: Sequence[Mapping[str, Any]],
    peek: bool,
) -> list[str]:
    """What to know of corpus, folds and trainings when reading a score."""
    told = [PEEKED] if peek else []
    told += [*corpus.notes, *fold_notes(corpus.examples, folds)]
    for key, what in (
        ("validation_lacks", "no inner validation speaker spoke some class"),
        ("training_lacks", "only inner validation speakers spoke some class"),
    ):
        if number := sum(bool(fact.get(key)) for fact in training_info):
            told.append(f"in {number} of {len(training_info)} trainings {what}")
    return told


def protocol(corpus: Corpus, config: Config, folds: Sequence[Fold]) -> str:
    """How a score came about: who was tested, who chose, what the intervals are of."""
    who = "clips (who speaks is unknown)" if anonymous(corpus.examples) else "speakers"
    where = f"{len(folds)} folds by {'clip' if anonymous(corpus.examples) else 'speaker'}"
    if corpus.fold_table:
        where = f"{len(folds)} folds of {corpus.fold_table.name}"
    elif any(e.split == "test" for e in corpus.examples):
        where = f"one fold, the test {who} of the corpus"
    share = f"{config.protocol.validation:.0%}"
    validation = (
        f"inner validation {who} ({share} of the training part) or, for what is no network, on "
        "inner groups"
    )
    if any(fold.val for fold in folds):
        validation = f"the validation {who} of the corpus where they are in training"
    elif any(single_speaker([*fold.train, *fold.val]) for fold in folds):
        validation = f"some clips ({share}) where there is only one training speaker"
    kind = OWN_STATISTICS if config.protocol.test_normalisation != "none" else PROTOCOL
    if config.protocol.paper_protocol:
        kind = PAPER_PROTOCOL
    if any(fold.trained_test_speakers for fold in folds):
        kind = SHARED_SPEAKERS + kind.partition("; ")[2]
    text = kind + SCORING
    seeds = config.protocol.seeds
    return text.format(who=who, folds=where, validation=validation, seeds=seeds)
