"""Indian EmoSpeech Command Dataset: ``go-safe-calm-1563256944476-9dd2014c.wav``.

The parts of a name: keyword, environment (safe, scream), emotion, time, hash of the speaker.
"""

import re
from pathlib import Path

from ...plural import counted
from ..published import LoadedExamples, Name, PublishedCorpus, by_name

EMOTIONS = {"angry": "anger", "calm": "calm", "fearful": "fear", "happy": "happiness"}
HASH = 12  # characters of the speaker's hash that identify a speaker


def load(root: Path) -> LoadedExamples:
    """Load the examples below `root` whose speaker is known."""
    example = "webservice/go-safe-calm-1563256944476-9dd2014cc6e9.wav"
    examples = by_name(root, parse, "the Indian EmoSpeech Command Dataset", example)
    known = [e for e in examples if e.speaker]
    unknown = len(examples) - len(known)
    notes = [f"{counted(unknown, 'clip')} of unknown speakers left out"] if unknown else []
    return LoadedExamples(known, notes)


def parse(path: Path) -> Name | None:
    """Parse the speaker ("" if the name has no hash) and the emotion."""
    match = re.fullmatch(
        rf"([^-]+)-[^-]+-({'|'.join(EMOTIONS)})-[^-]+(?:-([0-9a-f]{{{HASH},}}|\w*))?", path.stem
    )
    if not match:
        return None
    speaker = match[3] or ""
    hashed = re.fullmatch(rf"[0-9a-f]{{{HASH},}}", speaker)
    return Name(EMOTIONS[match[2]], speaker[:HASH] if hashed else "", text=match[1])


CORPUS = PublishedCorpus(
    title="Indian EmoSpeech Command Dataset (Banga et al., 2019)",
    about="Command words of several Indian languages, recorded on phones in the wild",
    license="Indian EmoSpeech Command Dataset: CC BY-NC-SA 4.0.",
    obtain="Ask its authors: https://arxiv.org/abs/1910.13801",
    counts={},
    load=load,
    folds=5,
)
