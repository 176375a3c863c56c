"""URDU: ``Angry/SM1_F1_A01.wav`` is class, gender and speaker, file, and the class again."""

import re
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {"angry": "anger", "happy": "happiness", "neutral": "neutral", "sad": "sadness"}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`."""
    return LoadedExamples(by_name(root, parse, "URDU", "Angry/SM1_F1_A01.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse the speaker from the name and the emotion from the folder; the two must agree."""
    match = re.fullmatch(r"(S([MF])\d+)_F\d+_([AHNS])\d+", path.stem)
    folder = path.parent.name
    if not match or folder.lower() not in EMOTIONS or folder[0].upper() != match[3]:
        return None
    return Name(EMOTIONS[folder.lower()], match[1], "male" if match[2] == "M" else "female")


CORPUS = PublishedCorpus(
    title="URDU (Latif et al., 2018)",
    about="Urdu, unscripted talk shows; most speakers have clips of one class only",
    license="URDU-Dataset: for research only.",
    obtain="Free for research: https://github.com/siddiquelatif/URDU-Dataset",
    counts=dict.fromkeys(EMOTIONS.values(), 100),
    load=load,
    folds=5,
)
