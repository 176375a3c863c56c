"""TurEV-DB: ``Sound Source/Angry/1157_kz_acik.wav``: folder of the class, speaker, word."""

import re
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {"angry": "anger", "calm": "calm", "happy": "happiness", "sad": "sadness"}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`."""
    return LoadedExamples(
        by_name(root, parse, "TurEV-DB", "Sound Source/Angry/1157_kz_acik.wav"), []
    )


def parse(path: Path) -> Name | None:
    """Parse the speaker from the name and the emotion from the folder."""
    match = re.fullmatch(r"(\d{4})_[^_]+_(.+)", path.stem)
    emotion = EMOTIONS.get(path.parent.name.lower())
    return Name(emotion, match[1], text=match[2]) if match and emotion else None


CORPUS = PublishedCorpus(
    title="TurEV-DB (Canpolat et al., 2020)",
    about="Turkish, 6 amateur actors, single words; half of the clips are shorter than 0.96 s",
    license="TurEV-DB: CC BY-NC-ND 4.0 by its README, GPL-3.0 by its LICENSE.",
    obtain="Free: https://github.com/Xeonen/TurEV-DB",
    counts={"anger": 487, "calm": 408, "happiness": 357, "sadness": 483},
    load=load,
    folds=6,
)
