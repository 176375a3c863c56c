"""ASED: ``05Angry/a5-06-02-02-60.wav``.

The parts of a name: emotion and number of its folder, sentence, repetition, gender (01 female,
02 male), speaker.
"""

import re
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {"a": "anger", "f": "fear", "h": "happiness", "n": "neutral", "s": "sadness"}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`."""
    return LoadedExamples(by_name(root, parse, "ASED", "05Angry/a5-06-02-02-60.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse speaker and emotion."""
    match = re.fullmatch(r"([afhns])\d-(\d\d)-\d\d-0([12])-(\d\d)", path.stem, re.IGNORECASE)
    if not match:
        return None
    emotion, text, gender, speaker = match.groups()
    emotion = emotion.lower()  # each emotion has its own sentences
    return Name(EMOTIONS[emotion], speaker, "female" if gender == "1" else "male", emotion + text)


CORPUS = PublishedCorpus(
    title="ASED (Retta et al., 2023)",
    about="Amharic, 65 volunteers, 27 sentences",
    license="ASED: free for research; its repository states no license.",
    obtain="Free: https://github.com/Ethio2021/ASED_V1",
    counts={},
    load=load,
    folds=5,
)
