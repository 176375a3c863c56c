"""Description of a published corpus, and helpers to read labels from file names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..audio.listing import LeftOut, recordings_below
from ..audio.source import shown
from ..errors import CorpusError
from ..plural import counted
from ..types import Example


class LoadedExamples(NamedTuple):
    """The result of a loader.

    Attributes:
        examples: In a fixed order.
        notes: Caveats of the corpus, and what was left out and why, with counts.
    """

    examples: list[Example]
    notes: list[str]


class Download(NamedTuple):
    """A file that can be downloaded without an agreement.

    Attributes:
        url: Its address.
        md5: Its checksum in hexadecimal, as the owner states it, or "".
    """

    url: str
    md5: str = ""


@dataclass(frozen=True)
class PublishedCorpus:
    """A published corpus and its layout on disk.

    Attributes:
        title: Name and reference.
        about: Language and kind of speech.
        license: License and obligations, as the owner states them.
        obtain: How to get it.
        counts: Official number of clips by class; empty where none is published.
        load: Loads a folder in the owner's layout.
        folds: Usual number of speaker-independent test folds (`corpora.splits.speaker_folds`);
            1 for a corpus with an official split.
        predefined_folds: Test speakers of the first folds, where they are published.
        downloads: Files to download.
    """

    title: str
    about: str
    license: str
    obtain: str
    counts: Mapping[str, int]
    load: Callable[[Path], LoadedExamples]
    folds: int
    predefined_folds: tuple[tuple[str, ...], ...] = ()
    downloads: tuple[Download, ...] = field(default=())


class Name(NamedTuple):
    """What the name of a file states: class, speaker, gender ("" if unknown), and text."""

    label: str
    speaker: str
    gender: str = ""
    text: str = ""


def by_name(
    root: Path, parse: Callable[[Path], Name | None], corpus: str, example: str
) -> list[Example]:
    """Load the recordings below a folder, labelled by their file names.

    Args:
        root: The folder.
        parse: Reads a path relative to `root`; None if it does not have the expected form.
        corpus: Name of the corpus, for messages.
        example: A correct path, for messages.

    Raises:
        CorpusError: There are no recordings, a name does not have the expected form, or a
            recording is in two files.
    """
    examples = []
    for path in recordings(root):
        relative = path.relative_to(root)
        name = parse(relative)
        if name is None:
            raise CorpusError(
                f"{path}: not a file name of {corpus} such as {example}; move it away or use a "
                "manifest"
            )
        label, speaker, gender, text = name
        id = shown(relative.as_posix())
        examples.append(Example(id, str(path), label, speaker, gender, text=text))
    return examples


def recordings(root: Path, left_out: LeftOut | None = None) -> list[Path]:
    """List the recordings below a folder, sorted.

    Args:
        root: The folder.
        left_out: Where files that are not recordings are counted.

    Raises:
        CorpusError: There are none, or two differ only in their suffix.
    """
    paths = recordings_below(root, left_out or LeftOut())
    if not paths:
        raise CorpusError(f"{root}: no recordings below it")
    refuse_duplicates((p.relative_to(root).with_suffix("").as_posix(), p) for p in paths)
    return paths


def refuse_duplicates(named: Iterable[tuple[str, Path]]) -> None:
    """Check that no recording is in two files.

    Args:
        named: Name and path of each recording.

    Raises:
        CorpusError: Two paths have the same name.
    """
    first: dict[str, Path] = {}
    duplicates = [(first[n], p) for n, p in named if first.setdefault(n, p) != p]
    if duplicates:
        one, two = duplicates[0]
        raise CorpusError(
            f"{two} is the same recording as {one} ({counted(len(duplicates), 'such file')}); keep "
            "one of each"
        )
