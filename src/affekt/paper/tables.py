"""The paper's tables next to our results, with marks where they disagree."""

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
    "Accuracy and UAR in percent. Ours: epochs and settings are selected inside the training part; "
    "pooled over folds, mean and standard deviation over seeds, interval over {unit}. "
    "paper_protocol: trained on all training {unit} (ours: without the validation {unit}), "
    "with the epoch selected on the test fold; mean over folds, as in the paper; not a score on "
    "unseen speakers. The last column tells whether the paper's number is inside, above or below "
    "our confidence interval."
)
GAIN_HEAD = ("gain", "paper", "ours", "p", "paper_protocol")
CLAIMS = (
    ("of attention, without balance", "vggish-mean", "vggish-attention"),
    ("of attention, with balance", "vggish-mean-balance", OURS),
    ("of balance, without attention", "vggish-mean", "vggish-mean-balance"),
    ("of balance, with attention", "vggish-attention", OURS),
)
CLOSE_COUNT = 0.02  # relative difference of numbers of segments that counts as equal
CLOSE_RECALL = 5.0  # difference of recalls in points that counts as equal
MISSING = "–"


@dataclass(frozen=True)
class Table:
    """A table of the paper with our results.

    Attributes:
        title: Title, with the number that the table has in the paper.
        head: Titles of the columns.
        rows: Cells of each row.
        notes: Notes for readers.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Name of its file: ``table4``, ``figure5``."""
        return "".join(c for c in self.title.split(":")[0].lower() if c.isalnum())


@dataclass(frozen=True)
class Results:
    """The paper's results and ours.

    Attributes:
        paper: The paper's results.
        balance: Our segments of each class, in the training part of the first fold.
        ours: Finished runs by system, under our protocol.
        paper_protocol: The same under the paper's protocol.
    """

    paper: Published
    balance: Sequence[ClassBalance]
    ours: Mapping[str, Run]
    paper_protocol: Mapping[str, Run]

    @property
    def unit(self) -> str:
        """What the intervals are over: "speakers", or "clips" where speakers are unknown."""
        return next((run.metrics.unit for run in self.ours.values()), "speakers")


def decisions(results: Results) -> list[str]:
    """What is ours in these results, where the paper gives no detail."""
    runs = [results.ours.get(OURS), results.paper_protocol.get(OURS), *results.ours.values()]
    run = next(run for run in runs if run)
    settings = run.metrics.settings
    level = {
        "rms": "every recording is scaled to the same RMS level",
        "none": "recordings keep their level",
    }
    padding = {"wave": "zero samples", "log-mel": "zero log-mel frames"}
    return [
        f"Level (audio.normalisation): {level[settings.audio.normalisation]}. The paper names no "
        "such step.",
        f"Test hop (segments.hop): test and validation clips are cut every {settings.segments.hop} "
        "s, whatever their class. The paper does not say how they are cut; its hops by class would "
        "reveal the class.",
        f"Short clips (encoder.padding): padded with {padding[settings.encoder.padding]}.",
        f"Selection (protocol.validation): {settings.protocol.validation:.0%} of the training "
        f"{results.unit} select the epoch in the column ours.",
        "Epochs, learning rates, batch sizes, hidden units and dropout: the paper states none; "
        "ours are the defaults of each system, or what the command set.",
    ]


def tables(results: Results) -> list[Table]:
    """Tables 1 or 2, 3, 4 and 5, the gains, systems that the paper lacks, and recalls by class."""
    paper = results.paper
    others = dict(paper.compared) | {OURS: paper.balanced[OURS]}
    return [
        _segments(results),
        replace(
            _scores("Table 3: without balance", paper.unbalanced, results),
            notes=[SCORE_NOTE.format(unit=results.unit)],
        ),
        _scores("Table 4: with balance", paper.balanced, results),
        _scores("Table 5: comparison with other systems", others, results),
        _claims(results),
        _scores("Systems that the paper lacks", dict.fromkeys(BEYOND), results),
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
        cells = [label, str(before), MISSING, f"{after}{mark}", MISSING, _ratio(after, before)]
        if row := ours.get(label):
            cells[2] = _count(row.before, before)
            cells[4] = _count(row.after, after)
            cells += [_ratio(row.after, row.before), row.rule]
        rows.append(cells + [MISSING] * (len(head) - len(cells)))
    ratios = []
    for values in (paper.segments.values(), [(r.before, r.after) for r in results.balance]):
        ratios.append([_ratio(max(v), min(v)) for v in zip(*values, strict=True)])
    rows.append(
        ["largest / smallest", ratios[0][0], ratios[1][0], ratios[0][1], ratios[1][1]]
        + [MISSING] * 3
    )
    notes = [f"† {label}: {why}" for label, why in paper.impossible.items()]
    notes.append(f"≠ differs from the paper by more than {CLOSE_COUNT:.0%}.")
    return Table(f"Table {paper.numbers[0]}: segments of the training part", head, rows, notes)


def _scores(title: str, published: Mapping[str, float | None], results: Results) -> Table:
    rows = []
    for system, number in published.items():
        run, as_paper = results.ours.get(system), results.paper_protocol.get(system)
        name = run.title if run else SYSTEMS[system].title or system
        cells = [name, MISSING if number is None else f"{number:.2f}"]
        cells += _own_cells(run, number) if run else [MISSING] * 5 + ["not run"]
        if as_paper:
            cells[5] = f"{_fold_mean(as_paper):.2f}"
        rows.append(cells)
    return Table(title, SCORE_HEAD, rows)


def _own_cells(run: Run, number: float | None) -> list[str]:
    """Cells of `SCORE_HEAD` after the paper's number; the cell of paper_protocol is left empty."""
    wa, sd = run.metrics.WA, run.metrics.sd["WA"]
    interval = run.metrics.ci95["WA"]
    inside = MISSING
    if interval and number is not None:
        low, high = (100 * end for end in interval)
        inside = "no, above" if number > high else "no, below" if number < low else "yes"
    return [
        f"{100 * wa:.2f}",
        MISSING if sd is None else f"{100 * sd:.2f}",
        MISSING if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
        MISSING,
        f"{100 * run.metrics.UAR:.2f}",
        inside,
    ]


def _claims(results: Results) -> Table:
    """Gains by attention and balance in the paper, and ours."""
    published = {**results.paper.unbalanced, **results.paper.balanced}
    rows = []
    for gain, without, with_ in CLAIMS:
        cells = [gain, f"{published[with_] - published[without]:+.2f}", MISSING, MISSING, MISSING]
        if {without, with_} <= results.ours.keys():
            one, other = results.ours[with_], results.ours[without]
            speakers = sorted(one.by_speaker)
            first, second = (
                np.array([run.by_speaker[s] for s in speakers]) for run in (one, other)
            )
            cells[2] = f"{100 * (one.metrics.WA - other.metrics.WA):+.2f}"
            cells[3] = f"{permutation_test(first, second, 'WA'):.3f}"
        if {without, with_} <= results.paper_protocol.keys():
            first_mean, second_mean = (
                _fold_mean(results.paper_protocol[name]) for name in (with_, without)
            )
            cells[4] = f"{first_mean - second_mean:+.2f}"
        rows.append(cells)
    note = (
        f"Points of accuracy; p of a paired permutation test over {results.unit}, without "
        "correction."
    )
    return Table("Gains by attention and balance", GAIN_HEAD, rows, [note])


def _recalls(results: Results) -> Table:
    paper = results.paper
    rows = []
    for label in paper.segments:
        number = paper.recalls.get(label)
        bound = paper.other_recalls
        cells = [label, f"below {bound:.0f}" if number is None else f"{number:.2f}"]
        for runs in (results.ours, results.paper_protocol):
            cells.append(_recall(runs, label, number, bound))
        rows.append(cells)
    title = f"Figure {paper.numbers[2]}: recall by class, in percent"
    note = f"≠ differs from the paper by more than {CLOSE_RECALL:.0f} points, or exceeds its bound."
    return Table(title, ("class", "paper", "ours", "ours, paper_protocol"), rows, [note])


def _recall(runs: Mapping[str, Run], label: str, number: float | None, bound: float) -> str:
    """Our recall of a class, marked where it disagrees with the paper.

    Args:
        runs: Finished runs by system.
        label: The class.
        number: Its recall in the paper; None if the paper gives only a bound.
        bound: The bound.
    """
    classes = runs[OURS].metrics.per_class if OURS in runs else {}
    if label not in classes:
        return MISSING
    recall = 100 * classes[label].recall
    differs = recall >= bound if number is None else abs(recall - number) > CLOSE_RECALL
    return f"{recall:.2f}" + (" ≠" if differs else "")


def _fold_mean(run: Run) -> float:
    """Mean accuracy of the folds in percent, as the paper computes it."""
    return 100 * float(np.mean([fold.WA for fold in run.metrics.folds]))


def _count(ours: int, paper: int) -> str:
    return f"{ours}" + (" ≠" if abs(ours - paper) > CLOSE_COUNT * paper else "")


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else MISSING
