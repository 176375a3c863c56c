"""TESS: ``OAF_back_angry.wav`` is actress, word, emotion (``ps``: pleasant surprise)."""

import re
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`, in any folders."""
    return LoadedExamples(by_name(root, parse, "TESS", "OAF_back_angry.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse actress and emotion; one file of the corpus has OA for OAF."""
    match = re.fullmatch(rf"(OAF?|YAF)_([a-z]+)_({'|'.join(EMOTIONS)})", path.stem, re.IGNORECASE)
    if not match:
        return None
    return Name(
        EMOTIONS[match[3].lower()], "YAF" if match[1] == "YAF" else "OAF", "female", match[2]
    )


CORPUS = PublishedCorpus(
    title="TESS (Pichora-Fuller & Dupuis, 2020)",
    about="English, 2 actresses, 'Say the word ...'",
    license="Toronto emotional speech set: CC BY-NC-ND 4.0.",
    obtain="Free: https://doi.org/10.5683/SP2/E8H2MF",
    counts=dict.fromkeys(EMOTIONS.values(), 400),
    load=load,
    folds=2,
)
