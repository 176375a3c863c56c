"""Load a folder of recordings: audiofolder, audformat, or one subfolder per class."""

from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from ..extras import optional_import
from ..plural import counted
from ..types import ANONYMOUS, Example
from . import manifest
from .published import LoadedExamples, recordings

SPLITS = {"train": "train", "dev": "val", "test": "test"}  # audformat's names: ours
UNKNOWN = (
    "speakers are unknown: every clip counts as a speaker of its own, and scores are "
    "not on unseen speakers"
)


def load(root: Path) -> LoadedExamples:
    """Load the examples of a folder.

    A folder with ``db.yaml`` is read as audformat, one with ``metadata.csv``, ``.jsonl`` or
    ``.parquet`` as Hugging Face's ``audiofolder``, any other as ``CLASS/SPEAKER/file`` or
    ``CLASS/file``.

    Raises:
        CorpusError: The folder has none of these forms.
    """
    if (root / "db.yaml").is_file():
        examples = _audformat(root)
    elif tables := [p for p in sorted(root.glob("metadata.*")) if p.suffix in manifest.SUFFIXES]:
        examples = manifest.load(tables[0], speaker_needed=False)
    else:
        examples = [_by_folders(root, path) for path in recordings(root)]
    return with_speakers(examples)


def with_speakers(examples: list[Example]) -> LoadedExamples:
    """Make each clip a speaker of its own if no speaker is known, and add a note.

    Raises:
        CorpusError: Only some examples have a speaker.
    """
    without = [e for e in examples if not e.speaker]
    if not without:
        return LoadedExamples(examples, [])
    if len(without) < len(examples):
        raise CorpusError(
            f"no speaker for {len(without)} of {counted(len(examples), 'clip')}, the first "
            f"{without[0].id}; name the speaker of every clip or of none"
        )
    return LoadedExamples([replace(e, speaker=ANONYMOUS + e.id) for e in examples], [UNKNOWN])


def _by_folders(root: Path, path: Path) -> Example:
    parts = path.relative_to(root).parts
    if not 2 <= len(parts) <= 3:
        raise CorpusError(f"{path}: not CLASS/file or CLASS/SPEAKER/file; use a manifest")
    speaker = parts[1] if len(parts) == 3 else ""
    return Example("/".join(parts), str(path), parts[0], speaker)


def _audformat(root: Path) -> list[Example]:
    with optional_import(f"{root}: an audformat folder"):
        import audformat
    try:
        database = audformat.Database.load(str(root))
    except Exception as error:  # audformat, pandas and yaml raise many types
        raise CorpusError(f"{root}: cannot be read as audformat ({error})") from error
    scheme = next((s for s in ("emotion", "label") if len(database.get(s))), None)
    if scheme is None:
        raise CorpusError(f"{root}: db.yaml has no labels of a scheme named emotion or label")
    frame = database.get(scheme, ["speaker", "gender"])
    if audformat.index_type(frame) != audformat.define.IndexType.FILEWISE:
        raise CorpusError(
            f"{root}: labels refer to parts of files; write one file for each labelled part"
        )
    split = {
        file: SPLITS[database.splits[name].type]
        for name in database.splits
        for file in database.get(scheme, splits=[name]).index
        if database.splits[name].type in SPLITS
    }
    examples = []
    for file, row in frame.astype(object).where(frame.notna(), "").iterrows():
        relative = Path(file).relative_to(root) if Path(file).is_absolute() else Path(file)
        values = (str(row[scheme]), str(row["speaker"]), str(row["gender"]))
        examples.append(
            Example(relative.as_posix(), str(root / relative), *values, split.get(file, ""))
        )
    if absent := [e.id for e in examples if not Path(e.path).is_file()]:
        raise CorpusError(f"{root}: {counted(len(absent), 'file')} missing, the first {absent[0]}")
    return examples
