"""CASIA: ``liuchanhg/angry/201.wav``, folders of speaker and emotion."""

from pathlib import Path

from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "angry": "anger",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
SPEAKERS = {
    "liuchanhg": "female",
    "wangzhe": "male",
    "zhaoquanyin": "female",
    "zhaozuoxiang": "male",
}


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root`."""
    return LoadedExamples(by_name(root, parse, "CASIA", "liuchanhg/angry/201.wav"), [])


def parse(path: Path) -> Name | None:
    """Parse speaker and emotion, the names of the two folders."""
    if len(path.parts) < 3:
        return None
    speaker, emotion = path.parts[-3:-1]
    if speaker.lower() not in SPEAKERS or emotion.lower() not in EMOTIONS:
        return None
    return Name(EMOTIONS[emotion.lower()], speaker, SPEAKERS[speaker.lower()])


CORPUS = PublishedCorpus(
    title="CASIA Mandarin emotional speech (CAS Institute of Automation)",
    about="Mandarin, 4 actors, the widely used part of 1200 clips",
    license="CASIA: unknown for the part of 1200 clips; the whole corpus is sold by Chinese-LDC.",
    obtain="On request and for a fee: Chinese Linguistic Data Consortium, CLDC-SPC-2005-010.",
    counts=dict.fromkeys(EMOTIONS.values(), 200),
    load=load,
    folds=4,
)
