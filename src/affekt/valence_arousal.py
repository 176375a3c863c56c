"""Arousal and valence of class probabilities, by published positions of the emotion words.

They are derived from the classes, not trained on dimensional annotations: the mean position of the
classes, weighted by their probabilities. No model says more by them than by its probabilities.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Position(NamedTuple):
    """A point of the valence-arousal plane.

    Attributes:
        valence: From -1 (unpleasant) to 1 (pleasant).
        arousal: From -1 (calm) to 1 (excited).
    """

    valence: float
    arousal: float


# Mean ratings of pleasure and arousal in the table of 151 terms of J. A. Russell and A. Mehrabian,
# Evidence for a three-factor theory of emotions, Journal of Research in Personality 11 (1977),
# 273-294, on scales from -1 to 1. "neutral" is no term of the table; it stands at the midpoint of
# both scales.
POSITIONS = {
    "angry": Position(-0.51, 0.59),
    "anxious": Position(0.01, 0.59),
    "bored": Position(-0.65, -0.62),
    "contemptuous": Position(-0.24, 0.31),
    "disgusted": Position(-0.60, 0.35),
    "excited": Position(0.62, 0.75),
    "fearful": Position(-0.64, 0.60),
    "frustrated": Position(-0.64, 0.52),
    "happy": Position(0.81, 0.51),
    "joyful": Position(0.76, 0.48),
    "neutral": Position(0.0, 0.0),
    "sad": Position(-0.63, -0.27),
    "surprised": Position(0.40, 0.67),
}
TERMS = {  # classes of corpora: the term of the table
    "anger": "angry",
    "anxiety": "anxious",
    "boredom": "bored",
    "contempt": "contemptuous",
    "disgust": "disgusted",
    "excitement": "excited",
    "fear": "fearful",
    "frustration": "frustrated",
    "happiness": "happy",
    "joy": "joyful",
    "sadness": "sad",
    "surprise": "surprised",
}


def position(probabilities: Mapping[str, float]) -> Position | None:
    """Mean position of the classes, weighted by their probabilities; rounded to four decimals.

    Args:
        probabilities: By class, summing to 1.

    Returns:
        The position; None if a class has none, such as a class that a user named.
    """
    found = [POSITIONS.get(TERMS.get(label.lower(), label.lower())) for label in probabilities]
    known = [each for each in found if each]
    if len(known) < len(found) or not known:
        return None
    shares = list(probabilities.values())
    valence, arousal = (
        round(sum(value * share for value, share in zip(axis, shares, strict=True)), 4)
        for axis in zip(*known, strict=True)
    )
    return Position(valence, arousal)
