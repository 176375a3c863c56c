"""Figures: confusion matrix, balance plan, learning curves; and how figures are written.

Text of users is never interpreted as mathematical markup.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ...atomic import write
from ...audio.segmentation import SEGMENT
from ...errors import AffektError
from ...types import ClassBalance
from ..colours import colours

LANES = 5  # bars of one lane do not touch even at the smallest hop, 0.24 s
FONTS = [  # a character is drawn with the first font that has it
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
]


def save(figure: Figure, path: Path) -> None:
    """Write a figure atomically, in the format of the suffix: png, pdf or svg.

    Raises:
        AffektError: The suffix is another one, or the file cannot be written.
    """
    kind = kind_of(path)
    write(path, lambda part: draw(figure, part, kind))


def kind_of(path: Path) -> str:
    """The format of a figure, from the suffix of its file; png without one.

    Raises:
        AffektError: The suffix is not png, pdf or svg.
    """
    kind = path.suffix.lstrip(".").lower() or "png"
    if kind not in ("png", "pdf", "svg"):
        raise AffektError(f"{path}: the suffix of a figure is png, pdf or svg")
    return kind


def draw(figure: Figure, target: Path | BinaryIO, kind: str) -> None:
    """Draw a figure to a file, with fonts that have the characters of its text."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with rc_context({"font.family": FONTS}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(target, format=kind, dpi=130)


def confusion(labels: Sequence[str], counts: ArrayLike, title: str) -> Figure:
    """Confusion matrix in percent of the true class, which is in rows (Figures 4 and 5)."""
    matrix: NDArray[np.float64] = np.asarray(counts, dtype=float)
    share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    figure = Figure(
        figsize=(1.6 + 0.85 * len(labels), 1.4 + 0.75 * len(labels)), layout="constrained"
    )
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    for row in range(len(labels)):
        for column in range(len(labels)):
            dark = share[row, column] > 55
            axes.text(
                column, row, f"{share[row, column]:.1f}",
                ha="center", va="center", color="white" if dark else "black",
            )  # fmt: skip
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=40, ha="right", parse_math=False)
    axes.set_yticks(ticks, labels, parse_math=False)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(title, parse_math=False, fontsize=10)
    figure.colorbar(image, ax=axes, label="% of the true class", shrink=0.8)
    return figure


def balance(rows: Sequence[ClassBalance], title: str) -> Figure:
    """Segments of each class under a balance plan (the paper's Figures 2 and 3)."""
    labels = [row.label for row in rows]
    colour, places = colours(labels), np.arange(len(rows))
    figure = Figure(figsize=(12, 1.6 + 0.75 * len(rows)), layout="constrained")
    segments, bars = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [1.15, 1]})
    segments.barh(places, [r.median_seconds for r in rows], height=0.9, color="#EEEEEE")
    for place, row in zip(places, rows, strict=True):
        for k, start in enumerate(row.starts):
            lane = place - 0.32 + 0.64 * (k % LANES) / (LANES - 1)
            segments.barh(lane, SEGMENT, left=start, height=0.14, color=colour[row.label])
    segments.set_yticks(places, labels, parse_math=False)
    segments.invert_yaxis()
    segments.set_xlabel("time (s)")
    segments.set_title("segments of 0.96 s in the median clip of the class", fontsize=10)
    bars.barh(places - 0.2, [r.before for r in rows], height=0.38, color="#BBBBBB")
    bars.barh(places + 0.2, [r.after for r in rows], height=0.38, color=list(colour.values()))
    for place, row in zip(places, rows, strict=True):
        bars.text(row.before, place - 0.2, f" {row.before}", va="center", fontsize=8)
        bars.text(row.after, place + 0.2, f" {row.after}", va="center", fontsize=8)
    bars.margins(x=0.12)
    bars.set_xlabel("segments")
    bars.set_title("before (grey) and after", fontsize=10)
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def risk_coverage(curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    """Share of wrong answers by the share of clips that are answered, one line for each seed.

    Args:
        curves: Coverage and risk of each seed, as `affekt.metrics.risk_coverage` returns them.
    """
    figure = Figure(figsize=(4.4, 2.8), layout="constrained")
    axes = figure.subplots()
    for coverage, risk in curves:
        axes.plot(100 * coverage, 100 * risk, color="#0072B2", alpha=0.6, lw=1.2)
    axes.set(xlim=(0, 100), xlabel="coverage: the most confident clips (%)")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("risk: wrong (%)")
    return figure


def learning(folds: Sequence[Mapping[str, Mapping[str, Sequence[float]]]]) -> Figure:
    """Learning curves of all trainings: one row for each stage, one column for each quantity."""
    stages = list(folds[0])
    quantities = list(folds[0][stages[0]])
    figure = Figure(figsize=(3.6 * len(quantities), 2.6 * len(stages)), layout="constrained")
    grid = figure.subplots(len(stages), len(quantities), squeeze=False)
    for row, stage in zip(grid, stages, strict=True):
        for axes, quantity in zip(row, quantities, strict=True):
            for fold in folds:
                values = fold[stage][quantity]
                axes.plot(range(1, len(values) + 1), values, color="#0072B2", alpha=0.5, lw=0.9)
            axes.set_title(f"{stage}: {quantity.replace('_', ' ')}", fontsize=9)
            axes.set_xlabel("epoch", fontsize=8)
            axes.tick_params(labelsize=8)
    return figure
