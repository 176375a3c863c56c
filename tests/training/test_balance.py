"""The arithmetic of Tables 1 and 2: 0.24 s and 0.48 s are hops, not overlaps."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import affekt
from affekt import CorpusError
from affekt.audio.segmentation import hopped
from affekt.training.balance import ENDS, PRESETS, counts, cut, make_plan, summarise

TABLE_1 = {
    "anger": (144, 314), "disgust": (268, 522), "fear": (93, 326),
    "happiness": (491, 405), "sadness": (487, 345), "surprise": (83, 309),
}  # fmt: skip
TABLE_2 = {
    "anger": (3096, 3096), "anxiety": (1798, 3352), "disgust": (470, 1663),
    "happiness": (2597, 2597), "neutral": (5233, 2777), "sadness": (2433, 2433),
    "surprise": (468, 1580), "worry": (2345, 2345),
}  # fmt: skip


@given(st.lists(st.floats(0.96, 12), min_size=1, max_size=60))
def test_growth_by_a_hop_of_a_quarter_second_has_these_bounds(durations):
    before = sum(len(hopped(d, 0.96)) for d in durations)
    clips = len(durations)
    quarter = sum(len(hopped(d, 0.24)) for d in durations)
    assert 4 * before - 3 * clips <= quarter <= 4 * before
    overlap = sum(len(hopped(d, 0.96 - 0.24)) for d in durations)
    assert overlap <= 2 * before


@pytest.mark.parametrize(
    ("before", "after"),
    [TABLE_1["fear"], TABLE_1["surprise"], TABLE_2["disgust"], TABLE_2["surprise"]],
)
def test_the_tables_growth_is_that_of_a_hop_and_impossible_for_an_overlap(before, after):
    assert 2 * before < after <= 4 * before


def test_an_overlap_of_half_a_segment_is_the_same_as_a_hop_of_half_a_segment():
    before, after = TABLE_2["anxiety"]
    assert before < after <= 2 * before
    assert np.array_equal(hopped(7.3, 0.48), hopped(7.3, 0.96 - 0.48))


def test_hop_096_leaves_table_2s_large_classes_as_they_are():
    unchanged = {c for c, tier in PRESETS["cheavd2"].items() if tier == 0.96}
    assert unchanged == {c for c, (before, after) in TABLE_2.items() if before == after}


def test_class_ratios_of_the_tables():
    def ratio(table, column):
        values = [row[column] for row in table.values()]
        return max(values) / min(values)

    assert ratio(TABLE_1, 0) == pytest.approx(5.92, abs=0.005)
    assert ratio(TABLE_1, 1) == pytest.approx(1.69, abs=0.005)
    assert ratio(TABLE_2, 0) == pytest.approx(11.2, abs=0.1)
    assert ratio(TABLE_2, 1) == pytest.approx(2.1, abs=0.05)


@pytest.mark.parametrize(
    ("seconds", "tier", "starts"),
    [
        (0.7, 0.24, [0]),  # case 1: shorter than a segment, padded
        (3.0, ENDS, [0, 204]),  # case 2: undersampled
        (2.0, 0.48, [0, 48, 96]),  # case 2: oversampled
        (2.0, 0.24, [0, 24, 48, 72, 96]),
    ],
)
def test_the_three_cases_by_hand(seconds, tier, starts):
    assert cut(seconds, tier)[:, 0].tolist() == starts


def test_auto_brings_every_class_to_the_tier_nearest_the_median():
    lengths = [("rare", 1.92)] * 10 + [("middle", 1.92)] * 40 + [("common", 4.8)] * 80
    # hop 0.96: rare 20, middle 80, common 400; the target is 80
    plan = make_plan("auto", lengths)
    # rare: 20 / 20 / 30 / 50 segments; middle: 80 / 80 / 120 / 200; common: 160 / 400 / ...
    assert plan == {"common": ENDS, "middle": ENDS, "rare": 0.24}
    assert counts(lengths, plan) == {"common": 160, "middle": 80, "rare": 50}


def test_presets_know_common_spellings_and_refuse_foreign_classes():
    lengths = [("Angry", 2.0), ("joy", 2.0), ("Fear", 2.0)]
    assert make_plan("baum1s", lengths) == {"Angry": 0.48, "joy": ENDS, "Fear": 0.24}
    with pytest.raises(CorpusError, match="lacks the classes boredom"):
        make_plan("baum1s", [*lengths, ("boredom", 1.0)])
    with pytest.raises(ValueError, match="no balance plan"):
        make_plan("mine", lengths)


def test_the_summary_counts_by_hand():
    first, second = summarise("none", [("a", 2.0), ("a", 3.0), ("b", 1.0)])
    assert (first.label, first.clips, first.before, first.after) == ("a", 2, 5, 5)
    assert (first.rule, first.starts) == ("hop 0.96 s", (0.0, 0.96))
    assert (second.label, second.clips, second.before, second.after) == ("b", 1, 1, 1)


def test_only_training_and_reports_of_the_plan_import_it():
    """A class-dependent hop must not reach validation or test."""
    root = Path(affekt.__file__).parent
    others = ("cli/balance.py", "paper/experiments.py", "evaluation/systems/probes.py")
    for path in root.rglob("*.py"):
        if "training" not in path.parts and path not in [root / name for name in others]:
            assert ".balance import" not in path.read_text("utf-8"), path


def test_the_papers_rule_by_rank_gives_its_plan_for_its_table():
    before = {"anger": 144, "disgust": 268, "fear": 93, "joy": 491, "sadness": 487, "surprise": 83}
    lengths = [(label, 0.96 * count + 0.02) for label, count in before.items()]
    assert counts(lengths, dict.fromkeys(before, 0.96)) == before
    assert make_plan("paper-like", lengths) == make_plan("baum1s", lengths)
