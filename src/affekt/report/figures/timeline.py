"""Timeline of a recognised recording: waveform, log-mel, emotion and attention over time."""

import io
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ...sanitise import printable
from ...types import Prediction
from ..colours import colours
from .charts import draw
from .outline import Outline

ROWS = 8  # maximum; for longer recordings a row covers more time
STEPS = (30, 60, 120, 300, 600, 1800, 3600, 7200)  # seconds per row
COLUMNS = 1500  # of waveform and log-mel per row
HEIGHTS = (1.6, 1.6, 2.4, 1.0)  # inches of waveform, log-mel, emotion, attention
FADED = 0.25  # opacity of utterances whose label is "uncertain"


class Timeline(Figure):
    """A figure that a notebook displays."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        draw(self, buffer, "png")
        return buffer.getvalue()


def recognition(predictions: Sequence[Prediction], outline: Outline | None = None) -> Timeline:
    """Draw one recording, its utterances in the order of time.

    Up to 30 s take one row; a longer recording takes several, one below the other.

    Args:
        predictions: One prediction, or one for each utterance.
        outline: Outline of the recording; without it, waveform and log-mel are not drawn.
    """
    ends = (end for p in predictions for end in (p.start + p.duration, p.file_duration or 0.0))
    begin = 0.0 if outline else predictions[0].start
    duration = (outline.close() if outline else max(ends)) - begin
    row = next((s for s in STEPS if duration <= ROWS * s), duration / ROWS)
    rows = max(1, ceil(duration / row - 0.1))  # no row for a short rest
    row = duration if rows == 1 else max(row, duration / rows)
    speakers = list(dict.fromkeys(p.speaker for p in predictions if p.speaker))
    heights = HEIGHTS if outline else HEIGHTS[2:]
    if speakers:
        heights = (*heights[:-2], 0.25 * (1 + len(speakers)), *heights[-2:])
    height = (0.6 + sum(heights)) if rows == 1 else sum(heights) * rows * 0.52 + 0.4
    figure = Timeline(figsize=(10, height), layout="constrained")
    colour = colours(predictions[0].probabilities)
    figure.suptitle(_title(predictions), parse_math=False, fontsize=11)
    for number, part in enumerate(figure.subfigures(rows, 1, squeeze=False)[:, 0]):
        start = begin + number * row
        axes = part.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
        inside = [
            p
            for p in predictions
            if p.segments and p.start < start + row and p.start + p.duration > start
        ]
        if outline:
            _recording(axes[0], axes[1], outline, start, min(start + row, begin + duration))
            for label, shade in colour.items():
                _shade(axes[0], inside, label, shade)
        if speakers:
            _lanes(axes[-3], inside, speakers, colour)
        for uncertain in (False, True):
            if chosen := [p for p in inside if bool(p.rejection_reason) == uncertain]:
                _emotion(axes[-2], axes[-1], chosen, colour, FADED if uncertain else 1.0)
        axes[-2].set(ylim=(0, 1), ylabel="probability")
        axes[-1].set(ylabel="attention\n/ mean", xlim=(start, start + row))
        axes[-1].set_ylim(bottom=0)
        for each in axes:
            each.yaxis.label.set_fontsize(8)
    axes[-1].set_xlabel("time (s)")
    _legend(figure, colour)
    return figure


def _title(predictions: Sequence[Prediction]) -> str:
    first = predictions[0]
    name = Path(first.file).name + (f", channel {first.channel}" if first.channel else "")
    if len(predictions) > 1:
        return f"{name}: {len(predictions)} utterances (model {first.model})"
    certain = f"probability {first.confidence:.0%} (model {first.model})"
    return f"{name}: {first.label}, " + (first.rejection_reason or certain)


def _recording(wave: Axes, mel: Axes, outline: Outline, start: float, end: float) -> None:
    """Draw waveform and log-mel of an interval.

    Args:
        wave: Axes of the waveform.
        mel: Axes of the log-mel.
        outline: Outline of the recording.
        start: Start of the interval in seconds.
        end: End of the interval in seconds.
    """
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


def _shade(wave: Axes, predictions: Sequence[Prediction], label: str, shade: str) -> None:
    """Shade the waveform where a class is the most probable.

    All segments of a class are one artist; one for each segment would take minutes for an hour.

    Args:
        wave: Axes of the waveform.
        predictions: Utterances.
        label: The class.
        shade: Its colour.
    """
    spans = [
        (left, right - left)
        for p in predictions
        for s, left, right in zip(p.segments, p.edges()[:-1], p.edges()[1:], strict=True)
        if s.label == label
    ]
    transform = wave.get_xaxis_transform()
    wave.broken_barh(spans, (0, 1), transform=transform, color=shade, alpha=0.35, lw=0)


def _lanes(
    lanes: Axes, predictions: Sequence[Prediction], speakers: Sequence[str], colour: dict[str, str]
) -> None:
    """Draw who speaks: a lane for each speaker, with the colours of the utterances' labels.

    Args:
        lanes: The axes.
        predictions: Utterances.
        speakers: Names of the speakers, from the top.
        colour: Colour of each class.
    """
    for lane, speaker in enumerate(speakers):
        own = [p for p in predictions if p.speaker == speaker]
        spans = [(p.start, p.duration) for p in own]
        shades = [colour.get(p.label, "#bbbbbb") for p in own]
        lanes.broken_barh(spans, (lane - 0.4, 0.8), facecolors=shades, lw=0)
    lanes.set(ylim=(len(speakers) - 0.5, -0.5), yticks=range(len(speakers)))
    lanes.set_yticklabels([printable(s)[:20] for s in speakers], fontsize=7, parse_math=False)


def _emotion(
    emotion: Axes,
    attention: Axes,
    predictions: Sequence[Prediction],
    colour: dict[str, str],
    alpha: float,
) -> None:
    """Draw probabilities and attention of several utterances, with gaps between them.

    Args:
        emotion: Axes of the probabilities, stacked.
        attention: Axes of the attention.
        predictions: Utterances in the order of time.
        colour: Colour of each class, in the order of the probabilities.
        alpha: Opacity.
    """
    times, shares, edges, heights = [], [], [], []
    for p in predictions:
        corners = np.repeat(p.edges(), 2)[1:-1]
        bands = np.repeat([list(s.probabilities.values()) for s in p.segments], 2, axis=0)
        times.append(np.append(corners, corners[-1]))
        shares.append(np.vstack([bands, np.full(len(colour), np.nan)]))
        edges.append(p.edges())
        # Relative to the mean, so that utterances of any length can be compared.
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
