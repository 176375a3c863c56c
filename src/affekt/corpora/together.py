"""Several corpora as one: trained on some, tested on another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..errors import CorpusError
from . import Corpus, load_corpus


def across(source: str, test: str, label_map: dict[str, str]) -> Corpus:
    """Train on one corpus, test on another, on the classes that both have.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    training, tested = _load([source, test], label_map)
    whole = _joined([training, tested])
    heard = {f"{training.name}/{s}" for s in training.speakers}
    marked = tuple(replace(u, split="" if u.speaker in heard else "test") for u in whole.utterances)
    return replace(whole, name=f"{training.name} to {tested.name}", utterances=marked)


def leave_one_corpus_out(sources: Sequence[str], label_map: dict[str, str]) -> Corpus:
    """Each corpus is tested once by a model that learned from the others.

    Raises:
        CorpusError: As of `load_corpus`, or fewer than two classes in common.
    """
    corpora = _load(sources, label_map)
    groups = tuple(tuple(f"{c.name}/{s}" for s in c.speakers) for c in corpora)
    whole = _joined(corpora)
    present = set(whole.speakers)
    fixed = tuple(tuple(s for s in group if s in present) for group in groups)
    return replace(whole, folds=len(corpora), fixed=fixed)


def _load(sources: Sequence[str], label_map: dict[str, str]) -> list[Corpus]:
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


def _joined(corpora: Sequence[Corpus]) -> Corpus:
    """One corpus of the classes that all have; speakers and ids carry their corpus' name."""
    common = set.intersection(*(set(c.labels) for c in corpora))
    if len(common) < 2:
        classes = "; ".join(f"{c.name}: {', '.join(c.labels)}" for c in corpora)
        raise CorpusError(
            f"fewer than two classes in common ({classes}); rename them with --labels.OLD NEW"
        )
    notes, utterances = [], []
    for c in corpora:
        notes += [f"{c.name}: {note}" for note in c.notes]
        left = Counter(u.label for u in c.utterances if u.label not in common)
        notes += [f"{c.name}: {n} clips of {label} left out" for label, n in sorted(left.items())]
        utterances += [
            replace(u, id=f"{c.name}/{u.id}", speaker=f"{c.name}/{u.speaker}", split="")
            for u in c.utterances
            if u.label in common
        ]
    terms = " ".join(c.terms for c in corpora)
    return Corpus(" and ".join(c.name for c in corpora), tuple(utterances), terms, tuple(notes))
