"""EMO-DB: ``wav/03a01Fa.wav`` is speaker 03, text a01, emotion F, version a."""

import re
from pathlib import Path

from ..published import Download, LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
MEN = {"03", "10", "11", "12", "15"}


def load(root: Path) -> LoadedExamples:
    """Load the examples below ``root/wav`` or `root`."""
    folder = root / "wav" if (root / "wav").is_dir() else root
    return LoadedExamples(by_name(folder, parse, "EMO-DB", "03a01Fa.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse speaker and emotion."""
    match = re.fullmatch(r"(\d\d)([ab]\d\d)([WLEAFTN])[a-z]", path.stem)
    if not match:
        return None
    speaker, text, emotion = match.groups()
    return Name(EMOTIONS[emotion], speaker, "male" if speaker in MEN else "female", text)


CORPUS = PublishedCorpus(
    title="EMO-DB (Burkhardt et al., 2005)",
    about="German, 10 actors, 10 sentences",
    license="EMO-DB, Technical University of Berlin: CC0-1.0 (also listed as CC BY 4.0).",
    obtain="Free: http://emodb.bilderbar.info/download/",
    counts={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    },
    load=load,
    folds=5,
    downloads=(Download("http://emodb.bilderbar.info/download/download.zip"),),
)
