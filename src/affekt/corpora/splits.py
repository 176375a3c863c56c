"""Splits by speaker, never by clip or segment."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import CorpusError
from ..plural import counted
from ..types import ANONYMOUS, Example

CANDIDATES = 8  # random validation sets, of which the best stratified one is used


class Fold(NamedTuple):
    """The examples of one fold, by their part."""

    train: Sequence[Example]
    val: Sequence[Example]
    test: Sequence[Example]

    @property
    def test_speakers(self) -> list[str]:
        """Speakers of the test part, sorted."""
        return sorted({e.speaker for e in self.test})

    @property
    def trained_test_speakers(self) -> list[str]:
        """Test speakers that are also in the training or validation part, sorted."""
        return sorted({e.speaker for e in (*self.train, *self.val)} & set(self.test_speakers))


class FoldTable(NamedTuple):
    """Folds that a table prescribes, and the name of the table."""

    name: str
    folds: Sequence[Fold]


def official(examples: Sequence[Example], part: str) -> set[str]:
    """Speakers of the official ``val`` or ``test`` part; an empty set where there is none.

    Raises:
        CorpusError: One of them also has examples in another part.
    """
    inside = {e.speaker for e in examples if e.split == part}
    outside = {e.speaker for e in examples if e.split != part}
    if both := sorted(inside & outside):
        raise CorpusError(
            f"speaker {both[0].replace(ANONYMOUS, 'of ')} is in the official part {part!r} and in "
            f"another part too ({len(both)} such speakers); put each speaker into one part"
        )
    return inside


def speaker_folds(
    examples: Sequence[Example], folds: int, predefined_folds: Sequence[Sequence[str]] = ()
) -> list[list[str]]:
    """Choose the test speakers of each fold.

    The official test part, if there is one, is the only fold. Otherwise the sorted speakers are
    divided into consecutive groups of similar size. If that would remove most examples of a class
    from the training part of some fold, speakers are distributed so that each fold has about its
    share of each class.

    Args:
        examples: All examples of the corpus.
        folds: Number of folds.
        predefined_folds: Test speakers of the first folds; used if all of them are present.

    Returns:
        The test speakers of each fold.

    Raises:
        CorpusError: There are fewer speakers than folds.
    """
    if test_speakers := official(examples, "test"):
        return [sorted(test_speakers)]
    speakers = sorted({e.speaker for e in examples})
    if len(speakers) < folds:
        raise CorpusError(
            f"{len(speakers)} speakers cannot fill {folds} folds; "
            f"set --protocol.folds {len(speakers)} or lower"
            if len(speakers) > 1
            else "only one speaker: a score on unseen speakers needs at least two"
        )
    first = [list(group) for group in predefined_folds if set(group) <= set(speakers)][: folds - 1]
    rest = [s for s in speakers if not any(s in group for group in first)]
    if len(rest) < folds - len(first):  # too many folds to keep the predefined ones
        first, rest = [], speakers
    groups = first + [g.tolist() for g in np.array_split(rest, folds - len(first))]
    if _class_lacks_training_data(examples, groups):
        groups = first + _stratified(examples, rest, folds - len(first))
    return groups


def _class_lacks_training_data(
    examples: Sequence[Example], groups: Sequence[Sequence[str]]
) -> bool:
    """Whether in some fold a class has less than half of its expected training examples."""
    total = Counter(e.label for e in examples)
    share = 1 - 1 / len(groups)
    for group in groups:
        training = Counter(e.label for e in examples if e.speaker not in group)
        if any(training[label] < share * count / 2 for label, count in total.items()):
            return True
    return False


def _stratified(examples: Sequence[Example], speakers: list[str], folds: int) -> list[list[str]]:
    """Assign speakers to folds, largest first, each to the fold that most lacks its classes."""
    labels = sorted({e.label for e in examples})
    counts = {s: np.zeros(len(labels)) for s in speakers}
    for e in examples:
        if e.speaker in counts:
            counts[e.speaker][labels.index(e.label)] += 1
    share = sum(counts.values(), np.zeros(len(labels))) / folds
    groups: list[list[str]] = [[] for _ in range(folds)]
    lacking = [share.copy() for _ in range(folds)]
    order = sorted(speakers, key=lambda s: (-counts[s].sum(), s))
    for remaining, speaker in zip(range(len(order), 0, -1), order, strict=True):
        empty = [g for g in range(folds) if not groups[g]]
        allowed = empty if len(empty) == remaining else range(folds)
        own = counts[speaker]
        best = min(allowed, key=lambda g: (((lacking[g] - own) ** 2 - lacking[g] ** 2).sum(), g))
        groups[best].append(speaker)
        lacking[best] = lacking[best] - own
    return [sorted(group) for group in groups]


def marked_fold(training: Sequence[Example], test: Sequence[Example]) -> Fold:
    """A fold whose training part is divided by the official split."""
    validation = official(training, "val")
    train = tuple(e for e in training if e.speaker not in validation)
    return Fold(train, tuple(e for e in training if e.speaker in validation), tuple(test))


def corpus_folds(examples: Sequence[Example]) -> list[Fold]:
    """One fold for each corpus, which trains on the others.

    Of a corpus with an official test part only this part is tested; no fold trains on it. Nothing
    of the tested corpus is trained on.

    Raises:
        CorpusError: A speaker of an official part is in another part too.
    """
    test = official(examples, "test")
    folds = []
    for name in dict.fromkeys(e.corpus for e in examples):
        own = [e for e in examples if e.corpus == name]
        others = [e for e in examples if e.corpus != name and e.speaker not in test]
        folds.append(marked_fold(others, [e for e in own if e.speaker in test] or own))
    return folds


def fold_notes(
    examples: Sequence[Example], folds: Sequence[Fold], *, inner_validation: bool = True
) -> list[str]:
    """Caveats of scores on these folds: shared speakers, missing classes, speakers of one class.

    `inner_validation` says whether epochs are selected inside the training part.
    """
    notes = []
    labels = {e.label for e in examples}
    if leaking := [fold for fold in folds if fold.trained_test_speakers]:
        shared = len({s for fold in leaking for s in fold.trained_test_speakers})
        notes.append(
            f"folds that also train on test speakers: {len(leaking)} of {len(folds)} "
            f"({counted(shared, 'speaker')})"
        )
    for number, fold in enumerate(folds, 1):
        training = (*fold.train, *fold.val)
        trained, tested = {e.label for e in training}, {e.label for e in fold.test}
        if inner_validation and single_speaker(training):
            notes.append(f"fold {number}: one training speaker, whose clips also select the epoch")
        if lost := sorted(labels - trained):
            notes.append(f"fold {number}: no training example of {', '.join(lost)}")
        if lost := sorted(labels - tested):
            notes.append(f"fold {number}: no test example of {', '.join(lost)}")
    if single := one_class_speakers(examples):
        speakers = len({e.speaker for e in examples})
        notes.append(
            f"{len(single)} of {speakers} speakers have examples of one class only: a model may "
            "recognise the speaker instead of the emotion"
        )
    return notes


def one_class_speakers(examples: Sequence[Example]) -> list[str]:
    """Speakers whose examples are all of one class.

    An empty list if speakers are unknown, or targets are no classes.
    """
    if anonymous(examples) or not any(e.label for e in examples):
        return []
    classes: dict[str, set[str]] = {}
    for e in examples:
        classes.setdefault(e.speaker, set()).add(e.label)
    return sorted(s for s, labels in classes.items() if len(labels) == 1)


def inner_validation(examples: Sequence[Example], share: float, seed: int) -> set[str]:
    """Choose the validation speakers among the training speakers.

    They are those of the official ``val`` part, if that leaves other speakers to train on. Where no
    corpus, or only some, have such a part, several random sets of speakers of the other corpora are
    drawn, and the one with which classes and genders are distributed most like the whole is used. A
    set that holds all examples of a class is used only if every set drawn does.

    Args:
        examples: The training part.
        share: Share of the speakers; at least one is chosen.
        seed: Seed of the random sets.

    Raises:
        CorpusError: There is only one training speaker.
    """
    speakers = {e.speaker for e in examples}
    if len(speakers) < 2:
        raise CorpusError(
            f"training needs at least 2 speakers, one of them for validation; got {len(speakers)}"
        )
    validation = official(examples, "val")
    if validation == speakers:
        validation = set()
    marked = {e.corpus for e in examples if e.speaker in validation}
    unmarked = [e for e in examples if e.corpus not in marked]
    if not unmarked:
        return validation
    strata = Counter((e.label, e.gender) for e in examples)
    labels = {e.label for e in examples}

    def misfit(group: set[str]) -> tuple[int, float]:
        inside = Counter((e.label, e.gender) for e in examples if e.speaker in group)
        lost = labels - {e.label for e in examples if e.speaker not in group}
        total = max(sum(inside.values()), 1)
        distance = sum(
            abs(inside[s] / total - count / len(examples)) for s, count in strata.items()
        )
        return len(lost), distance

    rng = np.random.default_rng(seed)
    groups = [validation | _drawn(unmarked, share, rng) for _ in range(CANDIDATES)]
    return min(groups, key=misfit) or {min(speakers)}  # if each corpus has a single speaker


def _drawn(examples: Sequence[Example], share: float, rng: np.random.Generator) -> set[str]:
    """Draw a share of the speakers of each corpus: at least one, but not all of them."""
    corpora: dict[str, set[str]] = {}
    for e in examples:
        corpora.setdefault(e.corpus, set()).add(e.speaker)
    drawn: set[str] = set()
    for speakers in corpora.values():
        size = min(max(1, round(share * len(speakers))), len(speakers) - 1)
        drawn |= set(rng.choice(sorted(speakers), size, replace=False).tolist())
    return drawn


def anonymous(examples: Sequence[Example]) -> bool:
    """Whether speakers are unknown, so that every clip counts as a speaker of its own."""
    return any(e.anonymous for e in examples)


def single_speaker(examples: Sequence[Example]) -> bool:
    """Whether all examples are of one speaker."""
    return len({e.speaker for e in examples}) == 1
