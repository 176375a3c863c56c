"""Data balance: segments of training clips at a hop of each class (section 1.1, Tables 1, 2).

For training only. The number of segments of a clip depends on its class here, and would reveal it
in validation, test or inference; these use ``affekt.audio.segmentation.uniform``.

The paper calls 0.24 s and 0.48 s "overlap length". In its tables the number of segments grows up to
3.5 times. An overlap of 0.24 s (a hop of 0.72 s) gives at most 4/3 times as many. Both values are
therefore hops.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median, median_low

from ..audio.segmentation import SEGMENT, Spans, head_and_tail, hopped, to_seconds
from ..errors import CorpusError
from ..types import ClassBalance

Tier = float | str  # hop in seconds, or `ENDS`
ENDS = "ends"  # the first and the last segment only
TIERS: tuple[Tier, ...] = (ENDS, 0.96, 0.48, 0.24)
Plan = dict[str, Tier]

BY_RANK: tuple[Tier, ...] = (ENDS, 0.48, 0.24)  # largest, middle and smallest third of classes

PRESETS: dict[str, Plan] = {
    "baum1s": {  # the text of section 1.1
        "happiness": ENDS,
        "sadness": ENDS,
        "anger": 0.48,
        "disgust": 0.48,
        "fear": 0.24,
        "surprise": 0.24,
    },
    "cheavd2": {  # from Table 2
        "neutral": ENDS,
        "anger": 0.96,
        "happiness": 0.96,
        "sadness": 0.96,
        "worry": 0.96,
        "anxiety": 0.48,
        "disgust": 0.24,
        "surprise": 0.24,
    },
}
SPELLINGS = {
    "angry": "anger", "joy": "happiness", "happy": "happiness", "sad": "sadness",
    "surprised": "surprise", "fearful": "fear", "disgusted": "disgust",
    "worried": "worry", "anxious": "anxiety",
}  # fmt: skip


def cut(seconds: float, tier: Tier) -> Spans:
    """Training segments ``(segments, 2)`` of a clip of `seconds` whose class has a tier."""
    return head_and_tail(seconds) if tier == ENDS else hopped(seconds, float(tier))


def counts(lengths: Iterable[tuple[str, float]], plan: Plan) -> Counter[str]:
    """Number of segments of each class under a plan, from ``(label, seconds)`` of each clip."""
    total: Counter[str] = Counter()
    for label, seconds in lengths:
        total[label] += len(cut(seconds, plan[label]))
    return total


def make_plan(name: str, lengths: Sequence[tuple[str, float]]) -> Plan:
    """Choose a tier for each class of the training clips.

    Args:
        name: ``none``: hop 0.96 s for all classes. ``baum1s`` and ``cheavd2``: the paper's plans.
            ``auto``: for each class the tier whose number of segments is nearest to that of the
            median class at hop 0.96 s. ``paper-like``: the paper's rule for BAUM-1s applied to any
            classes by rank: first and last segment for the largest third, hop 0.48 s for the
            middle third, 0.24 s for the smallest.
        lengths: ``(label, seconds)`` of each training clip.

    Raises:
        ValueError: The name is unknown.
        CorpusError: A preset lacks a class of the clips.
    """
    labels = sorted({label for label, _ in lengths})
    if name == "none":
        return dict.fromkeys(labels, SEGMENT)
    if name == "auto":
        by_tier = {tier: counts(lengths, dict.fromkeys(labels, tier)) for tier in TIERS}
        target = median(by_tier[SEGMENT].values())
        return {c: min(TIERS, key=lambda t: abs(by_tier[t][c] - target)) for c in labels}
    if name == "paper-like":
        evenly = counts(lengths, dict.fromkeys(labels, SEGMENT))
        ranked = sorted(labels, key=lambda c: -evenly[c])
        return {c: BY_RANK[ranked.index(c) * len(BY_RANK) // len(ranked)] for c in labels}
    if name not in PRESETS:
        raise ValueError(
            f"no balance plan {name!r}; choose none, auto, paper-like, {', '.join(PRESETS)}"
        )
    preset = PRESETS[name]
    known = {c: SPELLINGS.get(c.lower(), c.lower()) for c in labels}
    if missing := [c for c in labels if known[c] not in preset]:
        raise CorpusError(
            f"balance plan {name!r} lacks the classes {', '.join(missing)}; it has "
            f"{', '.join(preset)}. Use auto, or rename the labels"
        )
    return {c: preset[known[c]] for c in labels}


def summarise(name: str, lengths: Sequence[tuple[str, float]]) -> list[ClassBalance]:
    """Number of segments of each class before and after balancing, as in Tables 1 and 2.

    Args:
        name: See `make_plan`.
        lengths: See `make_plan`.
    """
    plan = make_plan(name, lengths)
    before, after = counts(lengths, dict.fromkeys(plan, SEGMENT)), counts(lengths, plan)
    rows = []
    for label, tier in plan.items():
        durations = [seconds for c, seconds in lengths if c == label]
        middle = median_low(durations)
        rows.append(
            ClassBalance(
                label,
                "first and last segment" if tier == ENDS else f"hop {tier:.2f} s",
                len(durations),
                before[label],
                after[label],
                middle,
                tuple(to_seconds(cut(middle, tier))[:, 0].tolist()),
            )
        )
    return rows
