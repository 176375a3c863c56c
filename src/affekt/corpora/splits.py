"""Splits by speaker, never by clip or segment."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..errors import CorpusError
from ..types import Example

CANDIDATES = 8  # inner splits drawn; the best stratified is taken


def official(examples: Sequence[Example], part: str) -> set[str]:
    """Speakers that the corpus itself marks as ``val`` or ``test``; none if it marks nobody.

    Raises:
        CorpusError: One of them speaks in another part too.
    """
    inside = {u.speaker for u in examples if u.split == part}
    outside = {u.speaker for u in examples if u.split != part}
    if both := sorted(inside & outside):
        raise CorpusError(
            f"speaker {both[0]} is marked {part} and stands in another part too "
            f"({len(both)} such speakers); a speaker belongs to one part of the split"
        )
    return inside


def speaker_folds(
    examples: Sequence[Example], folds: int, predefined_folds: Sequence[Sequence[str]] = ()
) -> list[list[str]]:
    """Test speakers of each fold: the sorted speakers in consecutive groups of like size.

    A corpus that marks its test speakers has one fold, theirs. Groups in `predefined_folds` come
    first if all their speakers are there. Where consecutive groups would take most of a class from
    a training part, since speakers differ in what they speak, the speakers are dealt out so
    that every group has about its share of each class.

    Raises:
        CorpusError: There are fewer speakers than folds.
    """
    if marked := official(examples, "test"):
        return [sorted(marked)]
    speakers = sorted({u.speaker for u in examples})
    if len(speakers) < folds:
        raise CorpusError(
            f"{len(speakers)} speakers cannot fill {folds} folds; "
            f"set --protocol.folds {len(speakers)} or lower"
            if len(speakers) > 1
            else "only one speaker: no score on unheard voices can be given"
        )
    first = [list(group) for group in predefined_folds if set(group) <= set(speakers)][: folds - 1]
    rest = [s for s in speakers if not any(s in group for group in first)]
    if len(rest) < folds - len(first):  # so many folds leave no room for large fixed groups
        first, rest = [], speakers
    groups = first + [g.tolist() for g in np.array_split(rest, folds - len(first))]
    if _robs_training(examples, groups):
        groups = first + _mixed(examples, rest, folds - len(first))
    return groups


def _robs_training(examples: Sequence[Example], groups: Sequence[Sequence[str]]) -> bool:
    """Whether some fold leaves less than half of what it should of a class to train on."""
    total = Counter(u.label for u in examples)
    share = 1 - 1 / len(groups)
    for group in groups:
        left = Counter(u.label for u in examples if u.speaker not in group)
        if any(left[label] < share * count / 2 for label, count in total.items()):
            return True
    return False


def _mixed(examples: Sequence[Example], speakers: list[str], folds: int) -> list[list[str]]:
    """Speakers dealt out, those with most clips first, each where its classes are missed most."""
    labels = sorted({u.label for u in examples})
    counts = {s: np.zeros(len(labels)) for s in speakers}
    for u in examples:
        if u.speaker in counts:
            counts[u.speaker][labels.index(u.label)] += 1
    share = sum(counts.values(), np.zeros(len(labels))) / folds
    groups: list[list[str]] = [[] for _ in range(folds)]
    missed = [share.copy() for _ in range(folds)]
    order = sorted(speakers, key=lambda s: (-counts[s].sum(), s))
    for left, speaker in zip(range(len(order), 0, -1), order, strict=True):
        empty = [g for g in range(folds) if not groups[g]]
        open_to = empty if len(empty) == left else range(folds)
        took = counts[speaker]
        best = min(open_to, key=lambda g: (((missed[g] - took) ** 2 - missed[g] ** 2).sum(), g))
        groups[best].append(speaker)
        missed[best] = missed[best] - took
    return [sorted(group) for group in groups]


def fold_notes(examples: Sequence[Example], groups: Sequence[Sequence[str]]) -> list[str]:
    """What a reader of a score on these folds should know of speakers and classes."""
    notes = []
    labels = {u.label for u in examples}
    for number, group in enumerate(groups, 1):
        trained = {u.label for u in examples if u.speaker not in group}
        tested = {u.label for u in examples if u.speaker in group}
        if one_voice([u for u in examples if u.speaker not in group]):
            notes.append(f"fold {number}: one training speaker, whose clips also choose the epoch")
        if lost := sorted(labels - trained):
            notes.append(f"fold {number}: nobody in training speaks {', '.join(lost)}")
        if lost := sorted(labels - tested):
            notes.append(f"fold {number}: no test clip of {', '.join(lost)}")
    if single := one_class_speakers(examples):
        speakers = len({u.speaker for u in examples})
        notes.append(
            f"{len(single)} of {speakers} speakers speak one class only: a model that knows voices "
            "could pass for one that hears emotion"
        )
    return notes


def one_class_speakers(examples: Sequence[Example]) -> list[str]:
    """Speakers of whom only one class is known; none where who speaks is unknown."""
    if anonymous(examples):
        return []
    spoken: dict[str, set[str]] = {}
    for u in examples:
        spoken.setdefault(u.speaker, set()).add(u.label)
    return sorted(s for s, labels in spoken.items() if len(labels) == 1)


def inner_validation(examples: Sequence[Example], share: float, seed: int) -> set[str]:
    """Speakers of the training part that stop training and make every choice.

    Those that the corpus marks as ``val``, if that leaves any to train on. Otherwise, of a
    few random groups of about `share` of the speakers (at least one), the one whose classes
    and genders are mixed most like the whole. A group without which a class would vanish
    from training is taken only if all that were drawn are such.

    Raises:
        CorpusError: There is only one training speaker.
    """
    speakers = sorted({u.speaker for u in examples})
    if len(speakers) < 2:
        raise CorpusError(
            f"training needs 2 speakers or more, one of them for validation; got {len(speakers)}"
        )
    if (marked := official(examples, "val")) and len(marked) < len(speakers):
        return marked
    strata = Counter((u.label, u.gender) for u in examples)
    labels = {u.label for u in examples}

    def misfit(group: set[str]) -> tuple[int, float]:
        inside = Counter((u.label, u.gender) for u in examples if u.speaker in group)
        lost = labels - {u.label for u in examples if u.speaker not in group}
        total = max(sum(inside.values()), 1)
        distance = sum(
            abs(inside[s] / total - count / len(examples)) for s, count in strata.items()
        )
        return len(lost), distance

    rng = np.random.default_rng(seed)
    groups = [_drawn(examples, share, rng) for _ in range(CANDIDATES)]
    return min(groups, key=misfit)


def _drawn(examples: Sequence[Example], share: float, rng: np.random.Generator) -> set[str]:
    """A share of the speakers of each corpus, at least one where that leaves another."""
    corpora: dict[str, set[str]] = {}
    for u in examples:
        corpora.setdefault(u.corpus, set()).add(u.speaker)
    drawn: set[str] = set()
    for speakers in corpora.values():
        size = min(max(1, round(share * len(speakers))), len(speakers) - 1)
        drawn |= set(rng.choice(sorted(speakers), size, replace=False).tolist())
    return drawn


def anonymous(examples: Sequence[Example]) -> bool:
    """Whether the corpus does not say who speaks, so that every clip is a speaker of its own."""
    return any(u.anonymous for u in examples)


def one_voice(examples: Sequence[Example]) -> bool:
    """Whether a single speaker is known."""
    return len({u.speaker for u in examples}) == 1
