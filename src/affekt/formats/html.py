"""HTML of a prediction for notebooks: a table of probabilities and the emotion over time."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from ..report.colours import colours
from ..types import Prediction

WIDTH, BANDS, ATTENTION = 600, 80, 30  # pixels: width, height of the bands, of the attention


def prediction_html(prediction: Prediction) -> str:
    """HTML with label, probabilities, timeline and warnings; all text is escaped.

    Args:
        prediction: Prediction of one recording or utterance.

    Returns:
        A ``<div>`` without scripts or references to other files.
    """
    p = prediction
    end = p.start + p.duration
    values = ", ".join(f"{name} {value:.3g}" for name, value in p.dimensions.items())
    result = p.rejection_reason or ("" if values else f"probability {p.confidence:.0%}")
    if second := p.second_label:
        result += f", or {second} {p.probabilities[second]:.0%}"
    heading = [f"<b>{escape(p.label or values)}</b>", *([escape(result)] if result else [])]
    parts = [
        f"<p>{', '.join(heading)}<br>"
        f"<small>{escape(p.file)}, {p.start:.2f} to {end:.2f} s, "
        f"model {escape(p.model)}</small></p>",
        _table(p),
    ]
    if p.segments:
        parts.append(_timeline(p))
    if p.warnings:
        items = "".join(f"<li>{escape(str(warning))}</li>" for warning in p.warnings)
        parts.append(f"<ul>{items}</ul>")
    return f'<div class="affekt">{"".join(parts)}</div>'


def _table(p: Prediction) -> str:
    shades = colours(p.probabilities)
    ranked = sorted(p.probabilities.items(), key=lambda item: -item[1])
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(label)}</td>'
        f'<td style="text-align:right">{share:.0%}</td>'
        f'<td style="width:200px;text-align:left"><span style="display:inline-block;height:0.8em;'
        f'width:{share * 100:.1f}%;background:{shades[label]}"></span></td></tr>'
        for label, share in ranked
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _timeline(p: Prediction) -> str:
    """Probabilities stacked over time, and the attention below them; nothing between utterances."""
    parts = p.utterances or [p]
    weights = [[s.attention * len(part.segments) for s in part.segments] for part in parts]
    most = max(map(max, weights)) or 1.0  # uniform attention has the weight 1
    bottom = BANDS + ATTENTION
    paths = []
    for part, own in zip(parts, weights, strict=True):
        x = [WIDTH * (edge - p.start) / p.duration for edge in part.edges()]
        floor = [0.0] * len(part.segments)
        opacity = 0.4 if part.rejection_reason else 1.0
        paths.append(f'<g opacity="{opacity}">')
        for label, shade in colours(p.probabilities).items():
            each = zip(floor, part.segments, strict=True)
            ceiling = [f + s.probabilities[label] for f, s in each]
            path = _area(x, [BANDS * (1 - c) for c in ceiling], [BANDS * (1 - f) for f in floor])
            paths.append(f'<path d="{path}" fill="{shade}"><title>{escape(label)}</title></path>')
            floor = ceiling
        heights = [bottom - (ATTENTION - 4) * weight / most for weight in own]
        path = _area(x, heights, [float(bottom)] * len(heights))
        paths.append(f'<path d="{path}" fill="#666666"><title>attention</title></path></g>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom}" width="{WIDTH}" height="{bottom}" role="img">'
        f"<title>Probabilities over time, and attention below</title>{''.join(paths)}</svg>"
    )


def _area(x: Sequence[float], top: Sequence[float], bottom: Sequence[float]) -> str:
    """SVG path between two step functions on the edges `x` ``(steps + 1,)``."""
    steps = list(pairwise(x))
    there = [f"{a:.1f},{y:.1f} {b:.1f},{y:.1f}" for (a, b), y in zip(steps, top, strict=True)]
    back = [f"{b:.1f},{y:.1f} {a:.1f},{y:.1f}" for (a, b), y in zip(steps, bottom, strict=True)]
    return f"M{' '.join(there)} {' '.join(back[::-1])}Z"
