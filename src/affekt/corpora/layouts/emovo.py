"""EMOVO: ``f1/dis-f1-b1.wav`` is emotion, speaker (f female, m male), sentence."""

import re
from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`."""
    return LoadedExamples(by_name(root, parse, "EMOVO", "f1/dis-f1-b1.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse speaker, emotion and sentence."""
    match = re.fullmatch(rf"({'|'.join(EMOTIONS)})-([fm][123])-([bdln]\d)", path.stem)
    if not match:
        return None
    emotion, speaker, text = match.groups()
    return Name(EMOTIONS[emotion], speaker, "female" if speaker[0] == "f" else "male", text)


CORPUS = PublishedCorpus(
    title="EMOVO (Costantini et al., 2014)",
    about="Italian, 6 actors, 14 sentences",
    license="EMOVO, Fondazione Ugo Bordoni: none stated with the files; used for research.",
    obtain="Ask its owner, Fondazione Ugo Bordoni (Costantini et al., LREC 2014).",
    counts=dict.fromkeys(EMOTIONS.values(), 84),
    load=load,
    folds=6,
)
