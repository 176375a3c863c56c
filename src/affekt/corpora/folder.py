"""A folder that describes itself: audiofolder, audformat, or a folder for each class."""

from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from ..extras import optional_import
from ..types import ANONYMOUS, Example
from . import manifest
from .published import LoadedExamples, recordings

SPLITS = {"train": "train", "dev": "val", "test": "test"}  # audformat's types and ours
UNKNOWN = (
    "speakers are unknown: every clip counts as a speaker of its own, and scores are "
    "not on unheard voices"
)


def load(root: Path) -> LoadedExamples:
    """The utterances of a folder.

    It is read as Hugging Face's ``audiofolder`` if it has ``metadata.csv``, ``.jsonl`` or
    ``.parquet``, as audformat if it has ``db.yaml``, else as ``CLASS/SPEAKER/file`` or
    ``CLASS/file``.

    Raises:
        CorpusError: It is none of these.
    """
    if (root / "db.yaml").is_file():
        found = _audformat(root)
    elif tables := [p for p in sorted(root.glob("metadata.*")) if p.suffix in manifest.SUFFIXES]:
        found = manifest.load(tables[0], speaker_needed=False)
    else:
        found = [_by_folders(root, path) for path in recordings(root)]
    return with_speakers(found)


def with_speakers(examples: list[Example]) -> LoadedExamples:
    """Each clip its own speaker where none is known, and a note that says so.

    Raises:
        CorpusError: The speaker of some is known and of others not.
    """
    without = [u for u in examples if not u.speaker]
    if not without:
        return LoadedExamples(examples, [])
    if len(without) < len(examples):
        raise CorpusError(
            f"{len(without)} of {len(examples)} clips have no speaker, the first "
            f"{without[0].id}; give all of them one or none"
        )
    return LoadedExamples([replace(u, speaker=ANONYMOUS + u.id) for u in examples], [UNKNOWN])


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
    except Exception as error:  # whatever yaml, pandas and audformat meet
        raise CorpusError(f"{root}: not readable as audformat ({error})") from error
    scheme = next((s for s in ("emotion", "label") if len(database.get(s))), None)
    if scheme is None:
        raise CorpusError(f"{root}: no labels of a scheme emotion or label in db.yaml")
    frame = database.get(scheme, ["speaker", "gender"])
    if audformat.index_type(frame) != audformat.define.IndexType.FILEWISE:
        raise CorpusError(f"{root}: labels of parts of files; cut them, one file an utterance")
    part = {
        file: SPLITS[database.splits[name].type]
        for name in database.splits
        for file in database.get(scheme, splits=[name]).index
        if database.splits[name].type in SPLITS
    }
    examples = []
    for file, row in frame.astype(object).where(frame.notna(), "").iterrows():
        inside = Path(file).relative_to(root) if Path(file).is_absolute() else Path(file)
        values = (str(row[scheme]), str(row["speaker"]), str(row["gender"]))
        place = root / inside
        examples.append(Example(inside.as_posix(), str(place), *values, part.get(file, "")))
    if absent := [u.id for u in examples if not Path(u.path).is_file()]:
        raise CorpusError(f"{root}: {len(absent)} files do not exist, the first {absent[0]}")
    return examples
