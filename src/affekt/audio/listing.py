"""The recordings of folders, and the files that are left out."""

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePath

from ..errors import AffektError
from ..plural import counted
from .kind import MAGIC, is_recording
from .source import shown

# Suffixes of recordings that libsndfile or PyAV opens.
SUFFIXES = {
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".ogv", ".ogx", ".spx",
    ".opus", ".mp3", ".mp2", ".mpga", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".m4a",
    ".m4b", ".m4v", ".mp4", ".aac", ".3gp", ".3gpp", ".3g2", ".amr", ".awb", ".wma", ".wmv",
    ".asf", ".ac3", ".eac3", ".mka", ".mkv", ".webm", ".weba", ".mov", ".avi", ".gsm", ".wv",
    ".ape", ".tta", ".sph", ".nist", ".voc", ".flv", ".mpg", ".mpeg", ".mts", ".m2ts",
}  # fmt: skip
# Suffixes of files that lie next to recordings; they are not opened.
OTHERS = {
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml",
    ".html", ".htm", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".png", ".jpg", ".jpeg",
    ".gif", ".svg", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".parquet", ".npy",
    ".npz", ".pkl", ".h5", ".pt", ".py", ".ipynb", ".lab", ".textgrid", ".eaf", ".rttm", ".srt",
    ".vtt", ".trs", ".ann", ".sh", ".log", ".ini", ".db",
}  # fmt: skip
SYSTEM = {"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"}  # of computers, not of users
KINDS = 5  # suffixes that a note names


class LeftOut:
    """The files that were left out because they are not recordings."""

    def __init__(self) -> None:
        self._suffixes: Counter[str] = Counter()
        self._first = ""

    def add(self, name: str) -> None:
        """Count a file."""
        self._first = self._first or shown(name)
        self._suffixes[shown(PurePath(name).suffix.lower()) or "without suffix"] += 1

    def note(self) -> str:
        """Number, suffixes and first name of these files as a sentence; "" if there are none."""
        if not self._suffixes:
            return ""
        most = self._suffixes.most_common(KINDS)
        kinds = ", ".join(f"{number} {suffix}" for suffix, number in most)
        kinds += ", others" if len(self._suffixes) > KINDS else ""
        number = counted(self._suffixes.total(), "file")
        return f"{number} left out, not recordings: {kinds}; the first is {self._first}"


def is_hidden(name: str) -> bool:
    """Whether a file, by its path relative to the folder, is hidden or of the operating system."""
    return any(part.startswith(".") or part in SYSTEM for part in PurePath(name).parts)


def is_taken(name: str, head: Callable[[], bytes], left_out: LeftOut) -> bool:
    """Whether a file is a recording by its suffix or, if that is unusual, by its first bytes.

    Args:
        name: Its path relative to the folder.
        head: Reads its first `MAGIC` bytes.
        left_out: Where a file that is not a recording is counted, unless it is hidden.
    """
    if is_hidden(name):
        return False
    suffix = PurePath(name).suffix.lower()
    if suffix in SUFFIXES or (suffix not in OTHERS and is_recording(head())):
        return True
    left_out.add(name)
    return False


def recordings_below(folder: Path, left_out: LeftOut) -> list[Path]:
    """The recordings in a folder and its subfolders, sorted.

    Raises:
        AffektError: A folder cannot be read.
    """
    return [
        path
        for path in sorted(_files(folder))
        if is_taken(str(path.relative_to(folder)), partial(read_head, path), left_out)
    ]


def _files(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise AffektError(f"{shown(error.filename)}: cannot be read: {error.strerror}") from error

    for parent, _, names in os.walk(folder, onerror=fail):
        yield from (Path(parent, name) for name in names)


def read_head(path: Path) -> bytes:
    """The first bytes of a file; none if it cannot be opened, or may block."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(MAGIC)
    except OSError:
        return b""


def expand(arguments: Iterable[str], left_out: LeftOut) -> list[str]:
    """Replace folders and patterns among the files of a command by their recordings.

    Args:
        arguments: Files, folders, and patterns such as ``calls/*.wav``, which some shells do not
            expand.
        left_out: Where files that are not recordings are counted.

    Raises:
        AffektError: A folder has no recordings, or no recording matches a pattern.
    """
    files: list[str] = []
    for argument in arguments:
        if Path(argument).is_dir():
            found = [str(p) for p in recordings_below(Path(argument), left_out)]
            wrong = "no recordings in this folder"
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            found = _matching(argument, left_out)
            wrong = "no recording matches this pattern"
        else:
            found, wrong = [argument], ""
        if not found:
            raise AffektError(f"{shown(argument)}: {wrong}")
        files += found
    return files


def _matching(pattern: str, left_out: LeftOut) -> list[str]:
    """Recordings that match a pattern, and those in folders that do."""
    found: list[str] = []
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207  # Path: no absolute ones
        path, relative = Path(name), below_pattern(name, pattern)
        if path.is_dir() and not is_hidden(relative):
            found += map(str, recordings_below(path, left_out))
        elif not path.is_dir() and is_taken(relative, partial(read_head, path), left_out):
            found.append(name)
    return list(dict.fromkeys(found))  # ** matches a folder and its files


def below_pattern(name: str, pattern: str) -> str:
    """Path of a file relative to the folder before the first wildcard of a pattern, or to a folder.

    Args:
        name: The file, which matches.
        pattern: The pattern, the folder, or the file itself.
    """
    if name == pattern:
        return PurePath(name).name
    folder = re.match(r"(?:[^*?[]*[/\\])?", pattern + "/")
    return name.removeprefix(folder[0] if folder else "")
