import numpy as np
import pytest
from sklearn import metrics as reference

from affekt.metrics import (
    calibration_error,
    ccc,
    ccc_of,
    confusion_by_speaker,
    dimension_intervals,
    distribution_scores,
    intervals,
    mean_interval,
    moments,
    risk_coverage,
    rmse_of,
    scores,
    standard_deviation,
    uar,
)


def test_scores_by_hand():
    # a: 3 of 4 right, b: 1 of 2, c: never predicted
    values = scores(np.array([[3, 1, 0], [1, 1, 0], [2, 0, 0]]))
    assert values["WA"] == pytest.approx(4 / 8)
    assert values["UAR"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert values["MAP"] == pytest.approx((3 / 6 + 1 / 2 + 0) / 3)
    assert values["macro_f1"] == pytest.approx((2 * 3 / 10 + 2 * 1 / 4 + 0) / 3)


def test_risk_at_each_coverage_by_hand():
    p = np.array([[0.6, 0.4], [0.1, 0.9], [0.7, 0.3], [0.45, 0.55]])  # right, right, wrong, wrong
    coverage, risk = risk_coverage(p, np.array([0, 1, 1, 0]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])


def test_calibration_error_by_hand():
    # three clips near 0.9, two right; one clip at 0.6, wrong
    p = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.6, 0.4]])
    error = calibration_error(p, np.array([0, 1, 1, 1]))
    assert error == pytest.approx(3 / 4 * (0.9 - 2 / 3) + 1 / 4 * 0.6)


def test_scores_equal_scikit_learn():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 5, 200), rng.integers(0, 4, 200)
    values = scores(reference.confusion_matrix(truth, said))
    assert values["WA"] == pytest.approx(reference.accuracy_score(truth, said))
    assert values["UAR"] == pytest.approx(reference.balanced_accuracy_score(truth, said))
    assert values["UAR"] == pytest.approx(uar(truth, said))
    many = {"average": "macro", "zero_division": 0}
    assert values["macro_f1"] == pytest.approx(reference.f1_score(truth, said, **many))
    assert values["MAP"] == pytest.approx(reference.precision_score(truth, said, **many))


def test_absent_classes_do_not_count():
    assert scores(np.diag([5, 0, 5]))["UAR"] == 1
    assert uar([0, 0, 2, 2], [0, 0, 2, 1]) == pytest.approx(0.75)


def test_intervals_are_over_speakers_and_not_over_clips():
    good, bad = np.diag([50, 50]), np.array([[0, 50], [50, 0]])
    same = np.array([[good + bad]] * 10)  # (speakers, seeds, classes, classes)
    assert intervals(same)["UAR"] == [0.5, 0.5]
    different = np.array([[good], [bad]] * 5)
    low, high = intervals(different)["UAR"]
    # the mean of ten fair coins: 0.2 to 0.8 with 95 % probability or slightly more
    assert low == pytest.approx(0.2, abs=0.01)
    assert high == pytest.approx(0.8, abs=0.01)


def test_of_one_speaker_or_seed_no_spread_is_known():
    one = np.array([[np.diag([5, 5])]])
    assert intervals(one)["UAR"] is None
    assert standard_deviation(np.array([0.5])) is None
    assert standard_deviation(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.1)


def test_confusions_of_each_speaker():
    by_speaker = confusion_by_speaker("ab", list("aabb"), list("abbb"), ["x", "x", "x", "y"])
    assert by_speaker["x"].tolist() == [[1, 1], [0, 1]]
    assert by_speaker["y"].tolist() == [[0, 0], [0, 1]]


def test_scores_of_distributions_by_hand():
    shares, p = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.25, 0.75], [1.0, 0.0]])
    found = distribution_scores(shares, p)
    first = -0.5 * np.log(0.25) - 0.5 * np.log(0.75)
    assert found["cross_entropy"] == pytest.approx([first, 0])
    assert found["kl_divergence"] == pytest.approx([first - np.log(2), 0])


def test_the_interval_of_a_mean_is_over_groups():
    values, groups = np.array([0.0, 0.0, 0.0, 1.0]), np.array(["a", "a", "a", "b"])
    assert mean_interval(values, groups) == [0, 1]  # a draw may have one of the groups only
    assert mean_interval(values, np.zeros(4)) is None
    assert mean_interval(np.ones(4), groups) == [1, 1]


def test_concordance_by_hand():
    # Means 2 and 3, variances (1/n) 2/3 and 8/3, covariance 4/3: 2 * 4/3 / (2/3 + 8/3 + 1)
    assert ccc([1, 2, 3], [1, 3, 5]) == pytest.approx(8 / 13)
    assert ccc([1, 2, 3], [1, 2, 3]) == pytest.approx(1)
    assert ccc([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert ccc([1, 2, 3], [11, 12, 13]) < 0.02  # correlated, but not equal
    assert ccc([1, 2, 3], [2, 2, 2]) == 0
    assert ccc([2, 2], [2, 2]) == 0  # nothing varies


def test_sums_of_groups_give_the_scores_of_all():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    together = moments(x[:10], y[:10]) + moments(x[10:], y[10:])
    assert ccc_of(together) == pytest.approx(ccc(x, y))
    assert rmse_of(together) == pytest.approx(np.sqrt(((x - y) ** 2).mean()))


def test_intervals_of_dimensions_are_over_speakers():
    good, bad = moments([1, 2, 3], [1, 2, 3]), moments([1, 2, 3], [3, 2, 1])
    found = dimension_intervals(np.array([[good], [bad]]))
    assert found["CCC"] == [-1, 1]  # a draw may have one of the speakers only
    assert found["RMSE"] == [0, round(np.sqrt(8 / 3), 4)]
    assert dimension_intervals(good[None, None]) == {"CCC": None, "RMSE": None}
