"""Scores of emotion recognition, with intervals over speakers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix, recall_score

TINY = 1e-12  # a variance that is none
LEAST = 1e-6  # least probability in a cross-entropy
SCORES = ("WA", "UAR", "macro_f1", "MAP")


def uar(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Unweighted average recall: mean recall of the classes that occur in `targets`."""
    present = np.unique(np.asarray(targets))
    return float(recall_score(targets, predicted, labels=present, average="macro", zero_division=0))


def scores(confusion: NDArray[np.number]) -> dict[str, NDArray[np.float64]]:
    """All scores of confusion matrices ``(..., classes, classes)``, targets in rows.

    WA is accuracy, UAR the mean recall, MAP the macro average *precision* of MEC 2017 (not
    the area of retrieval). A class never predicted has precision 0; a class that does not
    occur is left out of the means.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    actual, predicted = confusion.sum(-1), confusion.sum(-2)
    occurs = actual > 0

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.where(occurs, values, 0).sum(-1) / np.maximum(occurs.sum(-1), 1))

    return {
        "WA": hits.sum(-1) / np.maximum(actual.sum(-1), 1),
        "UAR": mean(hits / np.maximum(actual, 1)),
        "macro_f1": mean(2 * hits / np.maximum(actual + predicted, 1)),
        "MAP": mean(hits / np.maximum(predicted, 1)),
    }


def confusion_by_speaker(
    labels: Sequence[str],
    targets: ArrayLike,
    predicted: ArrayLike,
    speakers: ArrayLike,
) -> dict[str, NDArray[np.int64]]:
    """Confusion matrix ``(classes, classes)`` of each speaker, targets in rows.

    Args:
        labels: Classes in the order of rows and columns.
        targets: ``(clips,)``.
        predicted: ``(clips,)``.
        speakers: ``(clips,)``.
    """
    targets_, predicted_, speakers_ = map(np.asarray, (targets, predicted, speakers))
    return {
        str(s): confusion_matrix(
            targets_[speakers_ == s], predicted_[speakers_ == s], labels=list(labels)
        )
        for s in np.unique(speakers_)
    }


def intervals(
    confusions: NDArray[np.number], draws: int = 2000, seed: int = 0
) -> dict[str, list[float] | None]:
    """95 % percentile intervals of every score, by bootstrap over speakers; None for one.

    Clips of one speaker resemble each other, so speakers are drawn, not clips.

    Args:
        confusions: ``(speakers, seeds, classes, classes)``; a draw's score is the mean
            over seeds of the score of its pooled matrix.
        draws: Bootstrap samples.
        seed: Seed of the bootstrap.
    """
    if len(confusions) == 1:
        return dict.fromkeys(SCORES)
    drawn = _bootstrap(confusions, draws, seed)
    bounds = {name: np.percentile(drawn[name].mean(-1), [2.5, 97.5]) for name in SCORES}
    return {name: [round(float(b), 4) for b in pair] for name, pair in bounds.items()}


def gain_interval(
    before: NDArray[np.number], after: NDArray[np.number], draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the gain in UAR, by bootstrap over groups.

    Args:
        before: Confusions ``(groups, classes, classes)``, targets in rows.
        after: Of the same clips.
        draws: Bootstrap samples.
        seed: Seed of the bootstrap.
    """
    first, second = (_bootstrap(c, draws, seed)["UAR"] for c in (before, after))
    low, high = np.percentile(second - first, [2.5, 97.5])
    return float(low), float(high)


def _bootstrap(
    confusions: NDArray[np.number], draws: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Scores of bootstrap samples over groups; the same seed draws the same groups.

    Args:
        confusions: ``(groups, ..., classes, classes)``.
        draws: Number of samples.
        seed: Seed of the draws.

    Returns:
        Each score ``(draws, ...)``.
    """
    times = group_draws(len(confusions), draws, seed)
    return scores(np.einsum("dg,g...->d...", times, confusions))


def distribution_scores(
    shares: NDArray[np.float64], p: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Cross-entropy to soft labels, and Kullback-Leibler divergence from them, of each clip.

    Probabilities count as at least `LEAST`, so that a class that is never predicted costs finitely
    much.

    Args:
        shares: Soft labels ``(clips, classes)``; rows sum to 1.
        p: Probabilities ``(clips, classes)``.

    Returns:
        Both in nats ``(clips,)``.
    """
    cross_entropy = -(shares * np.log(np.maximum(p, LEAST))).sum(1)
    entropy = -(shares * np.log(np.maximum(shares, LEAST))).sum(1)
    return {"cross_entropy": cross_entropy, "kl_divergence": cross_entropy - entropy}


def mean_interval(
    values: NDArray[np.float64], groups: NDArray[Any], draws: int = 2000, seed: int = 0
) -> list[float] | None:
    """95 % percentile interval of a mean, by bootstrap over groups; None for one group.

    Args:
        values: ``(items,)``.
        groups: Group of each item, such as its speaker ``(items,)``.
        draws: Bootstrap samples.
        seed: Seed of the bootstrap.
    """
    names, index = np.unique(groups, return_inverse=True)
    if len(names) == 1:
        return None
    times = group_draws(len(names), draws, seed)
    sums, counts = (times @ np.bincount(index, w) for w in (values, np.ones(len(values))))
    return [round(float(bound), 4) for bound in np.percentile(sums / counts, [2.5, 97.5])]


def group_draws(groups: int, draws: int, seed: int) -> NDArray[np.int64]:
    """How often each bootstrap sample has each group ``(draws, groups)``."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, [1 / groups] * groups, size=draws)


def ccc(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Concordance correlation coefficient (Lin, 1989): 1 for equal values, 0 for a constant."""
    return float(ccc_of(moments(targets, predicted)))


def moments(targets: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Sums ``(6,)`` over clips, from which `ccc_of` and `rmse_of` compute their scores.

    Sums of several groups of clips add up to those of their union.

    Args:
        targets: ``(clips,)``.
        predicted: ``(clips,)``.
    """
    x, y = np.asarray(targets, np.float64), np.asarray(predicted, np.float64)
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def ccc_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Concordance correlation coefficient of sums ``(..., 6)``; 0 where nothing varies."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    covariance, x, y = xy / n - x * y / n**2, x / n, y / n
    total = xx / n - x**2 + yy / n - y**2 + (x - y) ** 2
    return np.divide(2 * covariance, total, out=np.zeros_like(total), where=total > TINY)


def rmse_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of the mean squared error, of sums ``(..., 6)``."""
    n, _, _, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return np.sqrt(np.maximum(xx - 2 * xy + yy, 0) / n)


def dimension_intervals(
    sums: NDArray[np.float64], draws: int = 2000, seed: int = 0
) -> dict[str, list[float] | None]:
    """95 % percentile intervals of CCC and RMSE, by bootstrap over speakers; None for one.

    Args:
        sums: Of one dimension ``(speakers, seeds, 6)``; a draw's score is the mean over seeds.
        draws: Bootstrap samples.
        seed: Seed of the bootstrap.
    """
    if len(sums) == 1:
        return dict.fromkeys(DIMENSION_SCORES)
    drawn = np.einsum("dg,gsm->dsm", group_draws(len(sums), draws, seed), sums)
    bounds = {
        name: np.percentile(of(drawn).mean(-1), [2.5, 97.5])
        for name, of in DIMENSION_SCORES.items()
    }
    return {name: [round(float(b), 4) for b in pair] for name, pair in bounds.items()}


DIMENSION_SCORES = {"CCC": ccc_of, "RMSE": rmse_of}


def calibration_error(p: NDArray[np.float64], targets: NDArray[np.int64], bins: int = 15) -> float:
    """Expected calibration error of the top class (Guo et al., 2017).

    Args:
        p: Probabilities ``(clips, classes)``.
        targets: Class indices ``(clips,)``.
        bins: Of like width in confidence.

    Returns:
        Mean gap between confidence and share of right answers, each bin by its clips.
    """
    confidence, hit = p.max(1), p.argmax(1) == targets
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(hit[bin_of == b].mean() - confidence[bin_of == b].mean()) * np.mean(bin_of == b)
        for b in set(bin_of.tolist())
    ]
    return float(sum(gaps))


def risk_coverage(
    p: NDArray[np.float64], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of wrong answers if only the most confident ones are given (El-Yaniv & Wiener, 2010).

    Args:
        p: Probabilities ``(clips, classes)``.
        targets: Class indices ``(clips,)``.

    Returns:
        Coverage, the share of the clips that are answered ``(clips,)``, and the risk at each.
    """
    order = np.argsort(-p.max(1), kind="stable")
    wrong = (p.argmax(1) != targets)[order]
    answered = np.arange(1, len(p) + 1)
    return answered / len(p), np.cumsum(wrong) / answered


def standard_deviation(values: NDArray[np.floating]) -> float | None:
    """Standard deviation over seeds; None for one seed, of which nothing is known."""
    return round(float(values.std(ddof=1)), 4) if len(values) > 1 else None


def rounded(values: dict[str, Any]) -> dict[str, float]:
    """Scores for JSON."""
    return {name: round(float(value), 4) for name, value in values.items()}
