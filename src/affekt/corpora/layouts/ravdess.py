"""RAVDESS: ``Actor_01/03-01-06-01-02-01-12.wav``.

The parts of a name: modality (03 audio only), channel (01 speech, 02 song), emotion, intensity,
statement, repetition, actor (women are even).
"""

import re
from pathlib import Path

from ...plural import counted
from ..published import Download, LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
SONG = "song"


def load(root: Path) -> LoadedExamples:
    """Load the speech below `root`; songs are left out."""
    examples = by_name(root, parse, "RAVDESS", "Actor_12/03-01-06-01-02-01-12.wav")
    speech = [e for e in examples if e.label != SONG]
    songs = len(examples) - len(speech)
    return LoadedExamples(speech, [f"{counted(songs, 'song')} left out"] if songs else [])


def parse(path: Path) -> Name | None:
    """Parse actor and emotion."""
    match = re.fullmatch(
        r"0[13]-0([12])-(0[1-8])-0[12]-(0[12])-0[12]-(0[1-9]|1\d|2[0-4])", path.stem
    )
    if not match:
        return None
    channel, emotion, text, actor = match.groups()
    gender = "male" if int(actor) % 2 else "female"
    return Name(EMOTIONS[emotion] if channel == "1" else SONG, actor, gender, text)


CORPUS = PublishedCorpus(
    title="RAVDESS, speech (Livingstone & Russo, 2018)",
    about="North American English, 24 actors, 2 sentences",
    license="RAVDESS: CC BY-NC-SA 4.0.",
    obtain="Free: https://zenodo.org/records/1188976 (Audio_Speech_Actors_01-24.zip)",
    counts=dict.fromkeys(EMOTIONS.values(), 192) | {"neutral": 96},
    load=load,
    folds=6,
    downloads=(
        Download(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            "bc696df654c87fed845eb13823edef8a",
        ),
    ),
)
