"""What is known of a published corpus, and how the names of its files are read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..audio.decoding import SUFFIXES
from ..errors import CorpusError
from ..types import Example


class LoadedExamples(NamedTuple):
    """What a loader found.

    Attributes:
        examples: In a fixed order.
        notes: What was left out and why, and what to know of the corpus, with counts.
    """

    examples: list[Example]
    notes: list[str]


class Download(NamedTuple):
    """A file that the owner offers without asking.

    Attributes:
        url: Where it lies.
        md5: Its checksum in hexadecimal as the owner states it, or "".
    """

    url: str
    md5: str = ""


@dataclass(frozen=True)
class PublishedCorpus:
    """A published corpus.

    Attributes:
        title: Name and reference.
        about: Language and kind of speech.
        license: Licence and obligations, as the owner states them.
        obtain: How to get it.
        counts: Official number of clips by class; empty where none is published.
        load: Reads a folder in the owner's layout.
        folds: Usual number of speaker-independent test folds (`corpora.splits.speaker_folds`);
            1 where the corpus has a split of its own.
        predefined_folds: Test speakers of the first folds, where they are published.
        downloads: Files to fetch.
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
    """What a file's name says."""

    label: str
    speaker: str
    gender: str = ""
    text: str = ""


def by_name(
    root: Path, parse: Callable[[Path], Name | None], corpus: str, example: str
) -> list[Example]:
    """The recordings below `root`, labelled by their paths relative to it.

    Raises:
        CorpusError: None there, a name that `parse` does not know, or one recording in two
            files.
    """
    examples = []
    for path in recordings(root):
        relative = path.relative_to(root)
        name = parse(relative)
        if name is None:
            raise CorpusError(
                f"{path}: not a name of {corpus} such as {example}; move it away or use a manifest"
            )
        label, speaker, gender, text = name
        id = relative.as_posix()
        examples.append(Example(id, str(path), label, speaker, gender, text=text))
    return examples


def recordings(root: Path) -> list[Path]:
    """Audio and video files below `root`, sorted; hidden ones are none.

    Raises:
        CorpusError: There are none, or two differ only in their suffix.
    """
    paths = sorted(
        p
        for p in root.rglob("*")
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    )
    if not paths:
        raise CorpusError(f"{root}: no recordings below it")
    refuse_twins((p.relative_to(root).with_suffix("").as_posix(), p) for p in paths)
    return paths


def refuse_twins(named: Iterable[tuple[str, Path]]) -> None:
    """Raise `CorpusError` if one recording, by its name, stands in two files."""
    first: dict[str, Path] = {}
    twins = [(first[n], p) for n, p in named if first.setdefault(n, p) != p]
    if twins:
        one, two = twins[0]
        raise CorpusError(f"{two} is {one} again ({len(twins)} such files); keep one of each")
