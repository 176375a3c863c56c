"""Combine corpora: pool them, test on another corpus, or leave one corpus out at a time.

Scores cover the classes that all tested corpora have. Training also uses the other classes; a
corpus gives no information on classes that it does not have (`affekt.training.targets`).

The official split of each corpus holds: rows marked ``test`` are never trained on, rows marked
``val`` are validation data where their corpus is trained on, and of a tested corpus with rows
marked ``test`` these alone are tested. Notes count what is left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from ..plural import counted
from ..types import LABELS, Example, TargetColumns
from .corpus import Corpus
from .fold_table import with_fold_table
from .registry import Source, load_corpus, read_corpus, require_targets
from .splits import official


def pool(
    sources: Sequence[Source],
    label_map: Mapping[str, str],
    columns: TargetColumns = LABELS,
) -> Corpus:
    """Pool the examples of several corpora; a single corpus stays as it is.

    Args:
        sources: The corpora.
        label_map: New names by label; "" drops the class.
        columns: Columns of manifests with the targets, in place of labels.

    Raises:
        CorpusError: As of `load_corpus`.
    """
    if len(sources) == 1:
        return load_corpus(sources[0], label_map, columns)
    corpora = _load(sources, label_map, columns)
    return _concatenated(corpora, [e for c in corpora for e in c.examples])


def across(
    source: Source,
    test: Source,
    label_map: Mapping[str, str],
    columns: TargetColumns = LABELS,
) -> Corpus:
    """Train on one corpus and test on another, on the classes that both have.

    Args:
        source: Corpus to train on.
        test: Corpus to test on.
        label_map: New names by label; "" drops the class.
        columns: Columns of manifests with the targets, in place of labels.

    Returns:
        One corpus, in which the tested examples of `test` are the official test part.

    Raises:
        CorpusError: As of `load_corpus`, fewer than two classes in common, or all examples of
            `source` are marked test.
    """
    training, tested = _load([source, test], label_map, columns)
    training, tested = _for_training(training), _for_test(tested)
    joined = _joined([training, tested])
    examples = tuple(
        e if e.corpus == training.name else replace(e, split="test") for e in joined.examples
    )
    train_only = tuple(e for e in joined.train_only if e.corpus == training.name)
    name = f"{training.name} to {tested.name}"
    return replace(joined, name=name, examples=examples, train_only=train_only)


def with_training_corpora(
    source: Source,
    train_only: Sequence[Source],
    label_map: Mapping[str, str],
    columns: TargetColumns = LABELS,
) -> Corpus:
    """A corpus whose folds also train on further corpora.

    Args:
        source: Corpus to test; its folds by speaker stay as they are.
        train_only: Further corpora, used for training in every fold and never tested.
        label_map: New names by label; "" drops the class.
        columns: Columns of manifests with the targets, in place of labels.

    Raises:
        CorpusError: As of `load_corpus`.
    """
    tested, *further = _load([source, *train_only], label_map, columns)
    groups = (tuple(f"{tested.name}/{s}" for s in group) for group in tested.predefined_folds)
    joined = _joined([tested], [_for_training(c) for c in further])
    return replace(joined, folds=tested.folds, predefined_folds=tuple(groups))


def leave_one_corpus_out(
    sources: Sequence[Source],
    label_map: Mapping[str, str],
    train_only: Sequence[Source] = (),
    columns: TargetColumns = LABELS,
) -> Corpus:
    """Test each corpus with a model trained on the others, one fold for each corpus.

    Nothing of a corpus is trained on in its own fold, also where only its rows marked ``test`` are
    tested.

    Args:
        sources: Corpora to test.
        label_map: New names by label; "" drops the class.
        train_only: Further corpora, used for training in every fold and never tested.
        columns: Columns of manifests with the targets, in place of labels.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    corpora = _load([*sources, *train_only], label_map, columns)
    tested, further = corpora[: len(sources)], corpora[len(sources) :]
    joined = _joined(tested, [_for_training(c) for c in further])
    notes = [
        f"{c.name}: tested on its {counted(number, 'clip')} marked test, which no fold trains on"
        for c in tested
        if (number := sum(e.speaker in official(c.examples, "test") for e in c.examples))
    ]
    joined = replace(
        joined,
        notes=(*joined.notes, *notes),
        folds=len(tested),
        train_only=tuple(e for e in joined.train_only if e.split != "test"),
        by_corpus=True,
    )
    for fold in joined.test_folds():
        if not (fold.train or fold.val):
            raise CorpusError(
                f"{fold.test[0].corpus}: all clips of the other corpora are marked test; there is "
                "nothing to train on"
            )
    return joined


def corpus_with_folds(
    source: Source,
    label_map: Mapping[str, str],
    test: Source | None = None,
    leave_out: Sequence[Source] = (),
    train_only: Sequence[Source] = (),
    folds: str | Path | None = None,
    columns: TargetColumns = LABELS,
) -> Corpus:
    """The corpus of an evaluation, with what is tested and what is trained on.

    Args:
        source: A corpus; tested on folds by speaker unless one of the following is given.
        label_map: New names by label; "" drops the class.
        test: As of `across`.
        leave_out: As of `leave_one_corpus_out`.
        train_only: As of `leave_one_corpus_out` or `with_training_corpora`.
        folds: As of `with_fold_table`.
        columns: Columns of manifests with the targets, in place of labels.

    Raises:
        CorpusError: As of these functions, or arguments that exclude each other.
    """
    if sum((test is not None, bool(leave_out), folds is not None)) > 1:
        raise CorpusError("test, leave-out and folds each choose the test part: give one of them")
    if train_only and (test is not None or folds is not None):
        raise CorpusError("train-only goes with folds by speaker or with leave-out")
    if test is not None:
        return across(source, test, label_map, columns)
    if leave_out:
        return leave_one_corpus_out([source, *leave_out], label_map, train_only, columns)
    if train_only:
        return with_training_corpora(source, train_only, label_map, columns)
    corpus = load_corpus(source, label_map, columns)
    return with_fold_table(corpus, Path(folds)) if folds else corpus


def _load(
    sources: Sequence[Source], label_map: Mapping[str, str], columns: TargetColumns
) -> list[Corpus]:
    """Load corpora of different names, with ids and speakers that differ too.

    A label is renamed in each corpus that has it.
    """
    loaded = [read_corpus(source, columns) for source in sources]
    require_targets(loaded, columns)
    labels = {label for corpus in loaded for label in corpus.labels}
    if unknown := sorted(label_map.keys() - labels):
        raise CorpusError(f"no corpus has the labels to rename: {', '.join(unknown)}")
    names = Counter(corpus.name for corpus in loaded)
    if repeated := [name for name, times in names.items() if times > 1]:
        raise CorpusError(f"{repeated[0]}: given twice; list each corpus once")
    return [
        _named(load_corpus(corpus, {k: v for k, v in label_map.items() if k in corpus.labels}))
        for corpus in loaded
    ]


def _joined(tested: Sequence[Corpus], further: Sequence[Corpus] = ()) -> Corpus:
    """Join the examples of the common classes; all others become `Corpus.train_only`."""
    common = set.intersection(*(set(c.labels) for c in tested))
    if any(c.dimensions for c in tested):  # no example has a label
        common = {""}
    elif len(common) < 2:
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
    examples = [e for c in tested for e in c.examples]
    train_only = [e for e in examples if e.label not in common]
    train_only += [e for c in further for e in c.examples]
    joined = _concatenated([*tested, *further], [e for e in examples if e.label in common])
    return replace(joined, notes=(*joined.notes, *notes), train_only=tuple(train_only))


def _for_training(corpus: Corpus) -> Corpus:
    """The corpus without its official test part, which a note counts.

    Raises:
        CorpusError: All of it is the test part.
    """
    training = corpus.training()
    if not training.examples:
        raise CorpusError(f"{corpus.name}: all clips are marked test; there is nothing to train on")
    return training


def _for_test(corpus: Corpus) -> Corpus:
    """The official test part of a corpus; all of it where it has none."""
    test = official(corpus.examples, "test")
    if not test:
        return corpus
    examples = tuple(e for e in corpus.examples if e.speaker in test)
    left_out = counted(len(corpus.examples) - len(examples), "clip")
    note = f"{left_out} not marked test left out"
    return replace(corpus, examples=examples, notes=(*corpus.notes, note))


def _concatenated(corpora: Sequence[Corpus], examples: Sequence[Example]) -> Corpus:
    names = " and ".join(c.name for c in corpora)
    license = " ".join(c.license for c in corpora)
    notes = [f"{c.name}: {note}" for c in corpora for note in c.notes]
    incomplete = any(c.incomplete for c in corpora)
    return Corpus(names, tuple(examples), license, tuple(notes), incomplete=incomplete)


def _named(corpus: Corpus) -> Corpus:
    """Prefix ids and speakers with the name of the corpus."""
    name = corpus.name
    examples = (
        replace(e, id=f"{name}/{e.id}", speaker=f"{name}/{e.speaker}", corpus=name)
        for e in corpus.examples
    )
    return replace(corpus, examples=tuple(examples))
