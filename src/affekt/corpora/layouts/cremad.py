"""CREMA-D: ``AudioWAV/1001_DFA_ANG_XX.wav``, actor, sentence, intended emotion, intensity."""

import csv
import re
from dataclasses import replace
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
ACTORS = "VideoDemographics.csv"


def load(root: Path) -> LoadedExamples:
    """Load the examples below ``root/AudioWAV`` or `root`; genders from the owner's table."""
    folder = root / "AudioWAV" if (root / "AudioWAV").is_dir() else root
    examples = by_name(folder, parse, "CREMA-D", "AudioWAV/1001_DFA_ANG_XX.wav")
    if not (root / ACTORS).is_file():
        return LoadedExamples(examples, [f"{ACTORS} is missing: genders unknown"])
    with (root / ACTORS).open(encoding="utf-8-sig", newline="") as file:
        gender = {row["ActorID"]: row["Sex"].lower() for row in csv.DictReader(file)}
    return LoadedExamples([replace(e, gender=gender.get(e.speaker, "")) for e in examples], [])


def parse(path: Path) -> Name | None:
    """Parse actor and emotion."""
    match = re.fullmatch(rf"(1\d{{3}})_([A-Z]{{3}})_({'|'.join(EMOTIONS)})_[A-Z]{{1,2}}", path.stem)
    return Name(EMOTIONS[match[3]], match[1], text=match[2]) if match else None


CORPUS = PublishedCorpus(
    title="CREMA-D (Cao et al., 2014)",
    about="English, 91 actors, 12 sentences, emotion as intended",
    license="CREMA-D: Open Database License 1.0, contents Database Contents License 1.0.",
    obtain="Free: https://github.com/CheyneyComputerScience/CREMA-D (needs git-lfs)",
    counts=dict.fromkeys(EMOTIONS.values(), 1271) | {"neutral": 1087},
    load=load,
    folds=5,
)
