"""nEMO: ``samples/EB0_anger_1.wav`` is speaker, emotion, sentence."""

import re
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
MEN = {"KS0", "MP0", "SM0", "TP0", "WR0"}
WOMEN = {"EB0", "IC0", "KD0", "MK0"}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`."""
    return LoadedExamples(by_name(root, parse, "nEMO", "samples/EB0_anger_1.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse speaker and emotion."""
    match = re.fullmatch(rf"([A-Z]{{2}}\d)_({'|'.join(EMOTIONS)})_(\d+)", path.stem)
    if not match or match[1] not in MEN | WOMEN:
        return None
    return Name(EMOTIONS[match[2]], match[1], "male" if match[1] in MEN else "female", match[3])


CORPUS = PublishedCorpus(
    title="nEMO (Christop, 2024)",
    about="Polish, 9 actors, 90 sentences",
    license="nEMO: CC BY-NC-SA 4.0.",
    obtain="Free: https://github.com/amu-cai/nEMO",
    counts={
        "anger": 749,
        "fear": 736,
        "happiness": 749,
        "neutral": 809,
        "sadness": 769,
        "surprise": 669,
    },
    load=load,
    folds=3,
)
