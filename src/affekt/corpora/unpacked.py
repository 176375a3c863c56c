"""Folders around a corpus, as the unpacking of an archive leaves them."""

from collections.abc import Callable
from pathlib import Path

from ..audio.listing import is_hidden
from ..audio.source import shown
from ..errors import CorpusError
from .published import LoadedExamples

READ_FROM = "read from the only folder in the one given:"
NEXT_TO = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".txt", ".md", ".pdf", ".html"}


def load_unpacked(load: Callable[[Path], LoadedExamples], root: Path) -> LoadedExamples:
    """Load a folder or, if that is not possible, the only folder in it, with a note.

    Args:
        load: Loads a folder.
        root: The folder.

    Raises:
        CorpusError: As `load`, for `root`.
    """
    try:
        loaded = load(root)
        if loaded.examples:
            return loaded
        raise CorpusError(f"{root}: no recordings found")
    except CorpusError as error:
        inner = only_folder(root)
        if inner is None:
            raise
        try:
            loaded = load_unpacked(load, inner)
        except CorpusError:
            raise error from None
    if loaded.notes and loaded.notes[0].startswith(READ_FROM):
        return loaded
    return LoadedExamples(loaded.examples, [f"{READ_FROM} {shown(inner)}", *loaded.notes])


def only_folder(root: Path) -> Path | None:
    """The only folder in a folder, next to which are at most archives and texts."""
    inside = [p for p in root.iterdir() if not is_hidden(p.name)]
    folders = [p for p in inside if p.is_dir()]
    texts = all(p.suffix.lower() in NEXT_TO for p in inside if not p.is_dir())
    return folders[0] if len(folders) == 1 and texts else None
