"""Load a folder of recordings: audiofolder, audformat, Parquet, or one subfolder per class."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..audio.listing import LeftOut
from ..audio.source import shown
from ..errors import CorpusError
from ..extras import optional_import
from ..plural import counted
from ..types import ANONYMOUS, Example, part_name
from . import manifest
from .parts import part_fault, seconds
from .published import LoadedExamples, recordings
from .tables import SUFFIXES

SPLITS = {"train": "train", "dev": "val", "test": "test"}  # audformat's names: ours
SHARDS = {"train": "train", "validation": "val", "test": "test"}  # Hugging Face's names: ours
UNKNOWN = (
    "speakers are unknown: every {unit} counts as a speaker of its own, and scores are "
    "not on unseen speakers"
)


def load(root: Path) -> LoadedExamples:
    """Load the examples of a folder.

    A folder with ``db.yaml`` is read as audformat, one with ``metadata.csv``, ``.jsonl`` or
    ``.parquet`` as Hugging Face's ``audiofolder``, one with other Parquet files as their
    ``parquet``, any other as ``CLASS/SPEAKER/file`` or ``CLASS/file``.

    Raises:
        CorpusError: The folder has none of these forms.
    """
    if (root / "db.yaml").is_file():
        return with_speakers(_audformat(root))
    if table := metadata_table(root):
        examples, notes = manifest.load(table, speaker_needed=False)
        loaded = with_speakers(examples)
        return LoadedExamples(loaded.examples, notes + loaded.notes)
    if shards := sorted(root.glob("*.parquet")):
        return with_speakers([example for shard in shards for example in _of_shard(shard)])
    left_out = LeftOut()
    examples = [_by_folders(root, path) for path in recordings(root, left_out)]
    if {e.label for e in examples} == {root.resolve().name}:
        raise CorpusError(f"{root}: only one class, of the same name as the folder")
    loaded = with_speakers(examples)
    return LoadedExamples(loaded.examples, loaded.notes + [n for n in [left_out.note()] if n])


def metadata_table(root: Path) -> Path | None:
    """The table of an ``audiofolder``, or None: an audformat folder or any other."""
    if (root / "db.yaml").is_file():
        return None
    tables = (p for p in sorted(root.glob("metadata.*")) if p.suffix.lower() in SUFFIXES)
    return next(tables, None)


def with_speakers(examples: list[Example]) -> LoadedExamples:
    """Make each file a speaker of its own if no speaker is known, and add a note.

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
    files = {e.path: e.file for e in reversed(examples)}
    speakers = [replace(e, speaker=ANONYMOUS + files[e.path]) for e in examples]
    unit = "file" if any(e.part for e in examples) else "clip"
    return LoadedExamples(speakers, [UNKNOWN.format(unit=unit)])


def _of_shard(path: Path) -> list[Example]:
    """Examples of a file such as ``train-00000-of-00002.parquet``, whose name begins with a split.

    Their ids begin with its name, since other shards have rows of the same number.
    """
    examples, _ = manifest.load(path, speaker_needed=False)
    split = SHARDS.get(path.stem.split("-")[0], "")
    return [replace(e, id=f"{path.stem}/{e.id}", split=e.split or split) for e in examples]


def _by_folders(root: Path, path: Path) -> Example:
    parts = [shown(part) for part in path.relative_to(root).parts]
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
    frame = audformat.utils.to_segmented_index(database.get(scheme, ["speaker", "gender"]))
    split: dict[tuple[str, float, float | None], str] = {}
    for name in database.splits:
        kind = SPLITS.get(database.splits[name].type, "")
        rows = audformat.utils.to_segmented_index(database.get(scheme, splits=[name]))
        for part in map(_part, rows.index) if kind else ():
            if split.setdefault(part, kind) != kind:
                raise CorpusError(f"{root}: {part[0]} is in two splits: {split[part]} and {kind}")
    examples = []
    for index, row in frame.astype(object).where(frame.notna(), "").iterrows():
        file, start, end = part = _part(index)
        relative = Path(file).relative_to(root) if Path(file).is_absolute() else Path(file)
        id = relative.as_posix() + part_name(start, end)
        if fault := part_fault(start, end):
            raise CorpusError(f"{root}: {id}: {fault}")
        values = (str(row[scheme]), str(row["speaker"]), str(row["gender"]))
        place = str(root / relative)
        examples.append(Example(id, place, *values, split.get(part, ""), start=start, end=end))
    if empty := [e.id for e in examples if not e.label]:
        raise CorpusError(
            f"{root}: no label in {counted(len(empty), 'row')} of the scheme {scheme}, the first "
            f"{empty[0]}"
        )
    if absent := [e.id for e in examples if not Path(e.path).is_file()]:
        raise CorpusError(f"{root}: {counted(len(absent), 'file')} missing, the first {absent[0]}")
    return examples


def _part(index: tuple[str, Any, Any]) -> tuple[str, float, float | None]:
    """File, start and end in seconds of a row of a segmented index."""
    file, start, end = index
    return file, seconds(start) or 0.0, seconds(end)
