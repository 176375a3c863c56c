"""EMO-DB (Burkhardt et al., 2005): 535 German utterances, 10 actors, 7 emotions.

File names are ``03a01Fa``: speaker 03, text a01, emotion F, version a. Folder ``wav``.
"""

from pathlib import Path

from ..errors import CorpusError
from ..types import Utterance

TERMS = "EMO-DB, Technical University of Berlin: CC0-1.0 (also listed as CC BY 4.0)."
OFFICIAL_COUNT = 535
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


def load(root: Path) -> list[Utterance]:
    """The utterances under `root` or ``root/wav``, any audio suffix.

    Raises:
        CorpusError: No recordings, or a file whose name is not of this corpus.
    """
    folder = root / "wav" if (root / "wav").is_dir() else root
    utterances = []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        stem = path.stem
        if len(stem) != 7 or not stem[:2].isdigit() or stem[5] not in EMOTIONS:
            raise CorpusError(
                f"{path}: not a name of EMO-DB such as 03a01Fa.wav; remove it or use a manifest"
            )
        gender = "male" if stem[:2] in MEN else "female"
        utterances.append(Utterance(path.name, str(path), EMOTIONS[stem[5]], stem[:2], gender))
    return utterances
