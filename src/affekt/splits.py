"""Splits by speaker, never by clip or segment."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .errors import CorpusError
from .types import Utterance

CANDIDATES = 8  # inner splits drawn; the best stratified is taken


def official(utterances: Sequence[Utterance], part: str) -> set[str]:
    """Speakers that the corpus itself marks as ``val`` or ``test``; none if it marks nobody.

    Raises:
        CorpusError: One of them speaks in another part too.
    """
    inside = {u.speaker for u in utterances if u.split == part}
    outside = {u.speaker for u in utterances if u.split != part}
    if both := sorted(inside & outside):
        raise CorpusError(
            f"speaker {both[0]} is marked {part} and stands in another part too "
            f"({len(both)} such speakers); a speaker belongs to one part of the split"
        )
    return inside


def speaker_folds(
    utterances: Sequence[Utterance], folds: int, fixed: Sequence[Sequence[str]] = ()
) -> list[list[str]]:
    """Test speakers of each fold: the sorted speakers in consecutive groups of like size.

    A corpus that marks its test speakers has one fold, theirs. Groups in `fixed` come first
    if all their speakers are there.

    Raises:
        CorpusError: There are fewer speakers than folds.
    """
    if marked := official(utterances, "test"):
        return [sorted(marked)]
    speakers = sorted({u.speaker for u in utterances})
    if len(speakers) < folds:
        raise CorpusError(
            f"{len(speakers)} speakers cannot fill {folds} folds; "
            f"set --protocol.folds {len(speakers)} or lower"
            if len(speakers) > 1
            else "only one speaker: no score on unheard voices can be given"
        )
    first = [list(group) for group in fixed if set(group) <= set(speakers)][: folds - 1]
    rest = [s for s in speakers if not any(s in group for group in first)]
    return first + [list(group) for group in np.array_split(rest, folds - len(first))]


def inner_validation(utterances: Sequence[Utterance], share: float, seed: int) -> set[str]:
    """Speakers of the training part that stop training and make every choice.

    Those that the corpus marks as ``val``, if that leaves any to train on. Otherwise, of a
    few random groups of about `share` of the speakers (at least one), the one whose classes
    and genders are mixed most like the whole. A group without which a class would vanish
    from training is taken only if all that were drawn are such.

    Raises:
        CorpusError: There is only one training speaker.
    """
    speakers = sorted({u.speaker for u in utterances})
    if len(speakers) < 2:
        raise CorpusError(
            f"training needs 2 speakers or more, one of them for validation; got {len(speakers)}"
        )
    if (marked := official(utterances, "val")) and len(marked) < len(speakers):
        return marked
    size = min(max(1, round(share * len(speakers))), len(speakers) - 1)
    strata = Counter((u.label, u.gender) for u in utterances)
    labels = {u.label for u in utterances}

    def misfit(group: set[str]) -> tuple[int, float]:
        inside = Counter((u.label, u.gender) for u in utterances if u.speaker in group)
        lost = labels - {u.label for u in utterances if u.speaker not in group}
        total = max(sum(inside.values()), 1)
        distance = sum(
            abs(inside[s] / total - count / len(utterances)) for s, count in strata.items()
        )
        return len(lost), distance

    rng = np.random.default_rng(seed)
    groups = [set(rng.choice(speakers, size, replace=False).tolist()) for _ in range(CANDIDATES)]
    return min(groups, key=misfit)
