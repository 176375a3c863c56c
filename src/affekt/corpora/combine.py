"""Combine corpora: pool them, test on another corpus, or leave one corpus out at a time.

Scores cover the classes that all tested corpora have. Training also uses the other classes; a
corpus gives no information on classes that it does not have (`affekt.training.targets`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from ..plural import counted
from ..types import Example
from .corpus import Corpus
from .fold_table import with_fold_table
from .registry import Source, load_corpus


def pool(sources: Sequence[Source], label_map: Mapping[str, str]) -> Corpus:
    """Pool the examples of several corpora; a single corpus stays as it is.

    Raises:
        CorpusError: As of `load_corpus`.
    """
    if len(sources) == 1:
        return load_corpus(sources[0], label_map)
    corpora = [_named(c) for c in _load(sources, label_map)]
    return _concatenated(corpora, [e for c in corpora for e in c.examples])


def across(source: Source, test: Source, label_map: Mapping[str, str]) -> Corpus:
    """Train on one corpus and test on another, on the classes that both have.

    Returns:
        One corpus, in which the examples of `test` are the official test part.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    training, tested = _load([source, test], label_map)
    joined = _joined([training, tested])
    examples = tuple(
        replace(e, split="" if e.corpus == training.name else "test") for e in joined.examples
    )
    train_only = tuple(e for e in joined.train_only if e.corpus == training.name)
    name = f"{training.name} to {tested.name}"
    return replace(joined, name=name, examples=examples, train_only=train_only)


def with_training_corpora(
    source: Source, train_only: Sequence[Source], label_map: Mapping[str, str]
) -> Corpus:
    """A corpus whose folds also train on further corpora.

    Args:
        source: Corpus to test; its folds by speaker stay as they are.
        train_only: Further corpora, used for training in every fold and never tested.
        label_map: New names by label; "" drops the class.

    Raises:
        CorpusError: As of `load_corpus`.
    """
    tested, *further = _load([source, *train_only], label_map)
    groups = (tuple(f"{tested.name}/{s}" for s in group) for group in tested.predefined_folds)
    joined = _joined([tested], further)
    examples = tuple(
        replace(e, split=own.split) for e, own in zip(joined.examples, tested.examples, strict=True)
    )
    return replace(joined, examples=examples, folds=tested.folds, predefined_folds=tuple(groups))


def leave_one_corpus_out(
    sources: Sequence[Source], label_map: Mapping[str, str], train_only: Sequence[Source] = ()
) -> Corpus:
    """Test each corpus with a model trained on the others, one fold for each corpus.

    Args:
        sources: Corpora to test.
        label_map: New names by label; "" drops the class.
        train_only: Further corpora, used for training in every fold and never tested.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    corpora = _load([*sources, *train_only], label_map)
    tested = corpora[: len(sources)]
    groups = tuple(tuple(f"{c.name}/{s}" for s in c.speakers) for c in tested)
    joined = _joined(tested, corpora[len(sources) :])
    present = set(joined.speakers)
    predefined_folds = tuple(tuple(s for s in group if s in present) for group in groups)
    return replace(joined, folds=len(tested), predefined_folds=predefined_folds)


def corpus_with_folds(
    source: Source,
    label_map: Mapping[str, str],
    test: Source | None = None,
    leave_out: Sequence[Source] = (),
    train_only: Sequence[Source] = (),
    folds: str | Path | None = None,
) -> Corpus:
    """The corpus of an evaluation, with what is tested and what is trained on.

    Args:
        source: A corpus; tested on folds by speaker unless one of the following is given.
        label_map: New names by label; "" drops the class.
        test: As of `across`.
        leave_out: As of `leave_one_corpus_out`.
        train_only: As of `leave_one_corpus_out` or `with_training_corpora`.
        folds: As of `with_fold_table`.

    Raises:
        CorpusError: As of these functions, or arguments that exclude each other.
    """
    if sum((test is not None, bool(leave_out), folds is not None)) > 1:
        raise CorpusError("test, leave-out and folds each choose the test part: give one of them")
    if train_only and (test is not None or folds is not None):
        raise CorpusError("train-only goes with folds by speaker or with leave-out")
    if test is not None:
        return across(source, test, label_map)
    if leave_out:
        return leave_one_corpus_out([source, *leave_out], label_map, train_only)
    if train_only:
        return with_training_corpora(source, train_only, label_map)
    corpus = load_corpus(source, label_map)
    return with_fold_table(corpus, Path(folds)) if folds else corpus


def _load(sources: Sequence[Source], label_map: Mapping[str, str]) -> list[Corpus]:
    """Load corpora with different names; a label is renamed in each corpus that has it."""
    loaded = [load_corpus(source) for source in sources]
    labels = {label for corpus in loaded for label in corpus.labels}
    if unknown := sorted(label_map.keys() - labels):
        raise CorpusError(f"no corpus has the labels to rename: {', '.join(unknown)}")
    names = Counter(corpus.name for corpus in loaded)
    if repeated := [name for name, times in names.items() if times > 1]:
        raise CorpusError(f"{repeated[0]}: given twice; list each corpus once")
    return [
        load_corpus(corpus, {k: v for k, v in label_map.items() if k in corpus.labels})
        for corpus in loaded
    ]


def _joined(tested: Sequence[Corpus], further: Sequence[Corpus] = ()) -> Corpus:
    """Join the examples of the common classes; all others become `Corpus.train_only`."""
    common = set.intersection(*(set(c.labels) for c in tested))
    if len(common) < 2:
        classes = "; ".join(f"{c.name}: {', '.join(c.labels)}" for c in tested)
        raise CorpusError(
            f"fewer than two classes in common ({classes}); rename them with --labels.OLD NEW"
        )
    notes = []
    for c in tested:
        other = Counter(e.label for e in c.examples if e.label not in common)
        notes += [
            f"{c.name}: {counted(n, 'clip')} of {label} not tested"
            for label, n in sorted(other.items())
        ]
    examples = [e for c in tested for e in _named(c).examples]
    train_only = [e for e in examples if e.label not in common]
    train_only += [e for c in further for e in _named(c).examples]
    joined = _concatenated([*tested, *further], [e for e in examples if e.label in common])
    return replace(joined, notes=(*joined.notes, *notes), train_only=tuple(train_only))


def _concatenated(corpora: Sequence[Corpus], examples: Sequence[Example]) -> Corpus:
    names = " and ".join(c.name for c in corpora)
    license = " ".join(c.license for c in corpora)
    notes = [f"{c.name}: {note}" for c in corpora for note in c.notes]
    return Corpus(names, tuple(examples), license, tuple(notes))


def _named(corpus: Corpus) -> Corpus:
    """Prefix ids and speakers with the name of the corpus; drop its official split."""
    name = corpus.name
    examples = (
        replace(e, id=f"{name}/{e.id}", speaker=f"{name}/{e.speaker}", split="", corpus=name)
        for e in corpus.examples
    )
    return replace(corpus, examples=tuple(examples))
