"""A recognised recording: waveform, log-mel, emotion and attention on one time axis."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ...types import Prediction
from .charts import colours
from .outline import Outline

ROWS = 8  # at most; then a row holds more time
STEPS = (30, 60, 120, 300, 600, 1800, 3600, 7200)  # s in a row
COLUMNS = 1500


def recognition(told: Sequence[Prediction], outline: Outline) -> Figure:
    """Draw one recording, its utterances in the order of time.

    Up to half a minute takes one row, more takes several, one below the other.

    Args:
        told: One prediction, or one for each utterance.
        outline: Of the whole recording.
    """
    duration = outline.close()
    row = next((s for s in STEPS if duration <= ROWS * s), duration / ROWS)
    rows = max(1, ceil(duration / row - 1e-9))
    row = duration if rows == 1 else row
    height = 7.2 if rows == 1 else 3.4 * rows + 0.4
    figure = Figure(figsize=(10, height), layout="constrained")
    colour = colours(list(told[0].probabilities))
    figure.suptitle(_title(told), parse_math=False, fontsize=11)
    for number, part in enumerate(figure.subfigures(rows, 1, squeeze=False)[:, 0]):
        start = number * row
        axes = part.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": [1.6, 1.6, 2.4, 1]})
        _sound(axes[0], axes[1], outline, start, min(start + row, duration))
        ends = start + row
        here = [p for p in told if p.segments and p.start < ends and p.start + p.duration > start]
        for uncertain in (False, True):
            if some := [p for p in here if bool(p.rejection_reason) == uncertain]:
                _emotion(axes[2], axes[3], some, colour, 0.25 if uncertain else 1.0)
        for label, shade in colour.items():
            _speech(axes[0], here, label, shade)
        axes[2].set(ylim=(0, 1), ylabel="probability")
        axes[3].set(ylabel="attention", xlim=(start, start + row))
        axes[3].set_ylim(bottom=0)
        for each in axes:
            each.yaxis.label.set_fontsize(8)
    axes[3].set_xlabel("time (s)")
    _legend(figure, colour)
    return figure


def _title(told: Sequence[Prediction]) -> str:
    first = told[0]
    name = Path(first.file).name + (f", channel {first.channel}" if first.channel else "")
    if len(told) > 1 or first.start > 0:
        return f"{name}: {len(told)} utterances (model {first.model})"
    sure = f"probability {first.confidence:.0%} (model {first.model})"
    return f"{name}: {first.label}, " + (first.rejection_reason or sure)


def _sound(wave: Axes, mel: Axes, outline: Outline, start: float, end: float) -> None:
    edges, extremes, log = outline.columns(start, end, COLUMNS)
    low, high = extremes.T
    wave.fill_between(edges[:-1], low, high, color="#222222", lw=0.4, step="post")
    peak = max(float(np.abs(extremes).max()), 1e-3)
    wave.set(ylim=(-peak, peak), yticks=[], ylabel="waveform")
    dark, bright = np.percentile(log, (5, 99.5))
    mel.pcolormesh(
        edges, np.arange(log.shape[1] + 1), log.T, vmin=dark, vmax=max(bright, dark + 1),
        cmap="magma", rasterized=True,
    )  # fmt: skip
    mel.set(yticks=[], ylabel="log-mel")


def _speech(wave: Axes, told: Sequence[Prediction], label: str, shade: str) -> None:
    """A class behind the waveform, in one drawing: one for each segment takes minutes an hour."""
    spans = [
        (left, right - left)
        for p in told
        for s, left, right in zip(p.segments, p.edges()[:-1], p.edges()[1:], strict=True)
        if s.label == label
    ]
    upright = wave.get_xaxis_transform()
    wave.broken_barh(spans, (0, 1), transform=upright, color=shade, alpha=0.35, lw=0)


def _emotion(
    emotion: Axes,
    attention: Axes,
    told: Sequence[Prediction],
    colour: dict[str, str],
    alpha: float,
) -> None:
    """The bands and the attention of several utterances, with gaps between them."""
    times, shares, edges, heights = [], [], [], []
    for p in told:
        corners = np.repeat(p.edges(), 2)[1:-1]
        bands = np.repeat([list(s.probabilities.values()) for s in p.segments], 2, axis=0)
        times.append(np.append(corners, corners[-1]))
        shares.append(np.vstack([bands, np.full(len(colour), np.nan)]))
        edges.append(p.edges())
        # In shares of the mean, so that utterances of any length can be compared.
        heights += [s.attention * len(p.segments) for s in p.segments] + [np.nan]
    emotion.stackplot(
        np.concatenate(times), np.concatenate(shares).T,
        colors=list(colour.values()), alpha=alpha, lw=0,
    )  # fmt: skip
    attention.stairs(heights[:-1], np.concatenate(edges), fill=True, color="#444444", alpha=alpha)


def _legend(figure: Figure, colour: dict[str, str]) -> None:
    handles = [Patch(color=c, label=label) for label, c in colour.items()]
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=8, frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
