"""The paper's tables with ours beside them, and what disagrees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..evaluation.results import Run
from ..evaluation.significance import permutation_test
from ..evaluation.systems.registry import SYSTEMS
from ..types import ClassBalance
from .experiments import BEYOND
from .published import OURS, Published

SCORE_HEAD = (
    "system", "paper", "ours", "sd", "95 %", "paper_protocol", "UAR", "paper inside our 95 % CI",
)  # fmt: skip
SCORE_NOTE = (
    "Accuracy in percent, UAR beside it. Ours: every choice inside the training part, pooled over "
    "folds, mean and deviation over seeds, interval over speakers. paper_protocol: ours with the "
    "epoch chosen on the test fold and learned from all training speakers (ours: less those that "
    "choose), mean over folds as in the paper; not a score on unheard speakers. The last column "
    "says whether the paper's number is inside our confidence interval, above or below it."
)
GAIN_HEAD = ("gain", "paper", "ours", "p", "paper_protocol")
CLAIMS = (
    ("of attention, without balance", "vggish-mean", "vggish-attention"),
    ("of attention, with balance", "vggish-mean-balance", OURS),
    ("of balance, without attention", "vggish-mean", "vggish-mean-balance"),
    ("of balance, with attention", "vggish-attention", OURS),
)
CLOSE_COUNT = 0.02  # of a number of segments
CLOSE_RECALL = 5.0  # points
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """One table of the paper, ours beside it.

    Attributes:
        title: With the paper's number.
        head: Column titles.
        rows: Cells.
        notes: What to know when reading it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """For a file: ``table4``, ``figure5``."""
        return "".join(c for c in self.title.split(":")[0].lower() if c.isalnum())


@dataclass(frozen=True)
class Results:
    """Everything that `tables` and `figures` draw from.

    Attributes:
        paper: What it reports.
        balance: Ours, of the training part of the first fold.
        sound, peeked: Finished runs by system.
    """

    paper: Published
    balance: Sequence[ClassBalance]
    sound: Mapping[str, Run]
    peeked: Mapping[str, Run]


def tables(results: Results) -> list[Table]:
    """Tables 1 or 2, 3, 4 and 5, the recalls of Figure 4 or 5, and ours beyond the paper."""
    paper = results.paper
    others = dict(paper.compared) | {OURS: paper.balanced[OURS]}
    return [
        _segments(results),
        replace(_scores("Table 3: without balance", paper.unbalanced, results), notes=[SCORE_NOTE]),
        _scores("Table 4: with balance", paper.balanced, results),
        _scores("Table 5: beside the systems of others", others, results),
        _claims(results),
        _scores("Beyond the paper", dict.fromkeys(BEYOND), results),
        _recalls(results),
    ]


def _segments(results: Results) -> Table:
    paper = results.paper
    head = (
        "class", "before, paper", "before, ours", "after, paper", "after, ours", "growth, paper",
        "growth, ours", "cut",
    )  # fmt: skip
    rows, ours = [], {row.label: row for row in results.balance}
    for label, (before, after) in paper.segments.items():
        mark = " †" if label in paper.impossible else ""
        cells = [label, str(before), NOTHING, f"{after}{mark}", NOTHING, _ratio(after, before)]
        if row := ours.get(label):
            cells[2] = _count(row.before, before)
            cells[4] = _count(row.after, after)
            cells += [_ratio(row.after, row.before), row.rule]
        rows.append(cells + [NOTHING] * (len(head) - len(cells)))
    spreads = []
    for values in (paper.segments.values(), [(r.before, r.after) for r in results.balance]):
        spreads.append([_ratio(max(v), min(v)) for v in zip(*values, strict=True)])
    rows.append(
        ["largest / smallest", spreads[0][0], spreads[1][0], spreads[0][1], spreads[1][1]]
        + [NOTHING] * 3
    )
    notes = [f"† {label}: {why}" for label, why in paper.impossible.items()]
    notes.append(f"≠ differs from the paper's by more than {CLOSE_COUNT:.0%}.")
    return Table(f"Table {paper.numbers[0]}: segments of the training part", head, rows, notes)


def _scores(title: str, published: Mapping[str, float | None], results: Results) -> Table:
    rows = []
    for system, number in published.items():
        run, peeked = results.sound.get(system), results.peeked.get(system)
        name = run.title if run else SYSTEMS[system].title or system
        cells = [name, NOTHING if number is None else f"{number:.2f}"]
        cells += _ours(run, number) if run else [NOTHING] * 5 + ["not run"]
        if peeked:
            cells[5] = f"{_fold_mean(peeked):.2f}"
        rows.append(cells)
    return Table(title, SCORE_HEAD, rows)


def _ours(run: Run, number: float | None) -> list[str]:
    """The cells of `SCORE_HEAD` after the paper's number; that of paper_protocol is left empty."""
    wa, sd = run.metrics.WA, run.metrics.sd["WA"]
    interval = run.metrics.ci95["WA"]
    where = NOTHING
    if interval and number is not None:
        low, high = (100 * end for end in interval)
        where = "no, **above**" if number > high else "no, **below**" if number < low else "yes"
    return [
        f"{100 * wa:.2f}",
        NOTHING if sd is None else f"{100 * sd:.2f}",
        NOTHING if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
        NOTHING,
        f"{100 * run.metrics.UAR:.2f}",
        where,
    ]


def _claims(results: Results) -> Table:
    """What the paper says that attention and balance gain, and what they gain here."""
    said = {**results.paper.unbalanced, **results.paper.balanced}
    rows = []
    for what, without, with_ in CLAIMS:
        cells = [what, f"{said[with_] - said[without]:+.2f}", NOTHING, NOTHING, NOTHING]
        if {without, with_} <= results.sound.keys():
            one, other = results.sound[with_], results.sound[without]
            speakers = sorted(one.by_speaker)
            first, second = (
                np.array([run.by_speaker[s] for s in speakers]) for run in (one, other)
            )
            cells[2] = f"{100 * (one.metrics.WA - other.metrics.WA):+.2f}"
            cells[3] = f"{permutation_test(first, second, 'WA'):.3f}"
        if {without, with_} <= results.peeked.keys():
            gain = _fold_mean(results.peeked[with_]) - _fold_mean(results.peeked[without])
            cells[4] = f"{gain:+.2f}"
        rows.append(cells)
    note = "Points of accuracy; p of a paired permutation test over speakers, not corrected."
    return Table("Gains: what the paper claims", GAIN_HEAD, rows, [note])


def _recalls(results: Results) -> Table:
    paper = results.paper
    rows = []
    for label in paper.segments:
        said = paper.recalls.get(label)
        cells = [label, f"below {paper.others_below:.0f}" if said is None else f"{said:.2f}"]
        for runs in (results.sound, results.peeked):
            cells.append(_recall(runs, label, said, paper.others_below))
        rows.append(cells)
    title = f"Figure {paper.numbers[2]}: recall by class, in percent"
    note = f"≠ more than {CLOSE_RECALL:.0f} points from the paper's, or not below its bound."
    return Table(title, ("class", "paper", "ours", "ours, paper_protocol"), rows, [note])


def _recall(runs: Mapping[str, Run], label: str, said: float | None, bound: float) -> str:
    classes = runs[OURS].metrics.per_class if OURS in runs else {}
    if label not in classes:
        return NOTHING
    recall = 100 * classes[label].recall
    unlike = recall >= bound if said is None else abs(recall - said) > CLOSE_RECALL
    return f"{recall:.2f}" + (" ≠" if unlike else "")


def _fold_mean(run: Run) -> float:
    """Accuracy in percent as the paper forms it, the mean of its folds'."""
    return 100 * float(np.mean([fold.WA for fold in run.metrics.folds]))


def _count(ours: int, theirs: int) -> str:
    return f"{ours}" + (" ≠" if abs(ours - theirs) > CLOSE_COUNT * theirs else "")


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else NOTHING
