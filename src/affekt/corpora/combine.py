"""Several corpora as one: trained together, or trained on some and tested on another.

Scores are of the classes that all tested corpora have. Training also takes the other classes;
what a corpus does not have it says nothing about (`affekt.training.targets`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import CorpusError
from ..types import Example
from .corpus import Corpus
from .registry import Source, load_corpus


def pool(sources: Sequence[Source], label_map: Mapping[str, str]) -> Corpus:
    """All of several corpora, to be trained on or tested by speaker; one stays as it is.

    Raises:
        CorpusError: As of `load_corpus`.
    """
    if len(sources) == 1:
        return load_corpus(sources[0], label_map)
    corpora = [_named(c) for c in _load(sources, label_map)]
    return _together(corpora, [u for c in corpora for u in c.examples])


def across(source: Source, test: Source, label_map: Mapping[str, str]) -> Corpus:
    """Train on one corpus, test on another, on the classes that both have.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    training, tested = _load([source, test], label_map)
    whole = _joined([training, tested])
    heard = {f"{training.name}/{s}" for s in training.speakers}
    marked = tuple(replace(u, split="" if u.speaker in heard else "test") for u in whole.examples)
    train_only = tuple(u for u in whole.train_only if u.speaker in heard)
    name = f"{training.name} to {tested.name}"
    return replace(whole, name=name, examples=marked, train_only=train_only)


def leave_one_corpus_out(
    sources: Sequence[Source], label_map: Mapping[str, str], also: Sequence[Source] = ()
) -> Corpus:
    """Each corpus is tested once by a model that learned from the others.

    Args:
        sources: Each is tested once.
        label_map: New names by label; "" leaves the class out.
        also: Further corpora, trained on in every fold and never tested.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    corpora = _load([*sources, *also], label_map)
    tested = corpora[: len(sources)]
    groups = tuple(tuple(f"{c.name}/{s}" for s in c.speakers) for c in tested)
    whole = _joined(tested, corpora[len(sources) :])
    present = set(whole.speakers)
    predefined_folds = tuple(tuple(s for s in group if s in present) for group in groups)
    return replace(whole, folds=len(tested), predefined_folds=predefined_folds)


def _load(sources: Sequence[Source], label_map: Mapping[str, str]) -> list[Corpus]:
    """Every corpus, its labels renamed where it has them."""
    corpora, used = [], set()
    for source in sources:
        known = set(load_corpus(source).labels)
        used |= known
        corpora.append(load_corpus(source, {k: v for k, v in label_map.items() if k in known}))
    if unknown := sorted(label_map.keys() - used):
        raise CorpusError(f"labels to rename that no corpus has: {', '.join(unknown)}")
    names = Counter(c.name for c in corpora)
    if twice := [name for name, times in names.items() if times > 1]:
        raise CorpusError(f"{twice[0]}: given twice; a corpus cannot be tested by itself")
    return corpora


def _joined(tested: Sequence[Corpus], also: Sequence[Corpus] = ()) -> Corpus:
    """One corpus of the classes that all tested ones have, the rest beside it."""
    common = set.intersection(*(set(c.labels) for c in tested))
    if len(common) < 2:
        classes = "; ".join(f"{c.name}: {', '.join(c.labels)}" for c in tested)
        raise CorpusError(
            f"fewer than two classes in common ({classes}); rename them with --labels.OLD NEW"
        )
    notes = []
    for c in tested:
        left = Counter(u.label for u in c.examples if u.label not in common)
        notes += [f"{c.name}: {n} clips of {label} not tested" for label, n in sorted(left.items())]
    everything = [u for c in tested for u in _named(c).examples]
    train_only = [u for u in everything if u.label not in common]
    train_only += [u for c in also for u in _named(c).examples]
    whole = _together([*tested, *also], [u for u in everything if u.label in common])
    return replace(whole, notes=(*whole.notes, *notes), train_only=tuple(train_only))


def _together(corpora: Sequence[Corpus], examples: Sequence[Example]) -> Corpus:
    names = " and ".join(c.name for c in corpora)
    license = " ".join(c.license for c in corpora)
    notes = [f"{c.name}: {note}" for c in corpora for note in c.notes]
    return Corpus(names, tuple(examples), license, tuple(notes))


def _named(corpus: Corpus) -> Corpus:
    """With the corpus' name in its ids and speakers, and no parts of its own."""
    name = corpus.name
    named = (
        replace(u, id=f"{name}/{u.id}", speaker=f"{name}/{u.speaker}", split="", corpus=name)
        for u in corpus.examples
    )
    return replace(corpus, examples=tuple(named))
