"""Colours of the classes in figures and pages.

They are the colours of Okabe and Ito, which are distinguishable with any colour vision.
"""

from collections.abc import Iterable

COLOURS = {
    "anger": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happiness": "#E69F00",
    "neutral": "#999999",
    "sadness": "#0072B2",
    "surprise": "#F0E442",
    "boredom": "#56B4E9",
}
SPARE = ("#000000", "#7F3C8D", "#11A579", "#A5AA99", "#66461F", "#E73F74")


def colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each class; classes without a fixed one take the spare colours in order."""
    labels = list(labels)
    others = (label for label in labels if label not in COLOURS)
    spare = {label: SPARE[i % len(SPARE)] for i, label in enumerate(others)}
    return {label: COLOURS.get(label) or spare[label] for label in labels}
