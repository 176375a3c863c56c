"""IEMOCAP: turns cut from dialogues, in ``Session1`` to ``Session5``.

``dialog/EmoEvaluation/Ses01F_impro01.txt`` lists each turn with the majority label of its raters;
``sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav`` is its recording. The letter before the
number of the turn identifies the speaker of the pair.
"""

import re
from collections import Counter
from functools import partial
from pathlib import Path

from ...errors import CorpusError
from ...plural import counted
from ...types import Example
from ..published import LoadedExamples, PublishedCorpus, recordings

EMOTIONS = {  # the owner's codes; "oth" (other) and "xxx" (no majority) are left out
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "sur": "surprise",
}
FOUR = {"ang": "anger", "exc": "happiness", "hap": "happiness", "neu": "neutral", "sad": "sadness"}
SIX = {code: EMOTIONS[code] for code in ("ang", "exc", "fru", "hap", "neu", "sad")}
LINE = re.compile(r"^\[\d.*\]\t(Ses\d\d[FM]_\w+_([FM])\d+)\t(\w{3})\t", re.MULTILINE)


def load(root: Path, classes: dict[str, str]) -> LoadedExamples:
    """Load the turns of some classes.

    Args:
        root: Folder of the corpus.
        classes: Label by code of the emotion; other codes are left out.

    Raises:
        CorpusError: There are no evaluation files, or a turn that they list has no recording.
    """
    tables = sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt"))
    if not tables:
        raise CorpusError(f"{root}: no Session*/dialog/EmoEvaluation/Ses*.txt of IEMOCAP below it")
    files = {p.stem: p for p in recordings(root) if "sentences" in p.parts}
    examples, absent = [], []
    left_out: Counter[str] = Counter()
    for table in tables:
        for turn, who, code in LINE.findall(table.read_text("latin-1")):
            if code not in classes:
                left_out[code] += 1
            elif turn not in files:
                absent.append(turn)
            else:
                path = files[turn]
                gender = "female" if who == "F" else "male"
                examples.append(Example(turn, str(path), classes[code], turn[:5] + who, gender))
    if absent:
        raise CorpusError(
            f"{root}: no recording of {counted(len(absent), 'turn')}, the first {absent[0]}"
        )
    notes = [f"left out: {', '.join(f'{n} {c}' for c, n in sorted(left_out.items()))}"]
    return LoadedExamples(examples, notes if left_out else [])


def _published(classes: dict[str, str], counts: dict[str, int], which: str) -> PublishedCorpus:
    return PublishedCorpus(
        title=f"IEMOCAP, {which} (Busso et al., 2008)",
        about="English, 10 actors in 5 sessions of two, scripted and improvised dialogue",
        license="IEMOCAP: for research under the license of SAIL, University of Southern "
        "California.",
        obtain="On request: https://sail.usc.edu/iemocap/",
        counts=counts,
        load=partial(load, classes=classes),
        folds=5,  # one session each: the speakers of a session are adjacent when sorted
    )


FOUR_CLASSES = _published(
    FOUR,
    {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084},
    "4 classes, excitement counted as happiness",
)
SIX_CLASSES = _published(
    SIX,
    {
        "anger": 1103,
        "excitement": 1041,
        "frustration": 1849,
        "happiness": 595,
        "neutral": 1708,
        "sadness": 1084,
    },
    "5 emotions and neutral",
)
