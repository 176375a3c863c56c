"""A corpus layout: files named ``SPEAKER_LABEL_TAKE.wav``."""

from pathlib import Path

from affekt import CorpusError, Example, LoadedExamples


def load(root: Path) -> LoadedExamples:
    """Read the recordings below a folder; label and speaker are in their names."""
    examples = []
    for path in sorted(root.rglob("*.wav")):
        parts = path.stem.split("_")
        if len(parts) != 3:
            raise CorpusError(f"{path}: not named SPEAKER_LABEL_TAKE.wav")
        speaker, label, _ = parts
        id = path.relative_to(root).as_posix()
        examples.append(Example(id, str(path), label, speaker))
    return LoadedExamples(examples, notes=[])
