"""Corpus layouts from outside the package: a function that reads a folder into examples."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..audio.source import shown
from ..errors import AffektError, CorpusError
from ..own_parts import NAME, import_part
from ..types import Example
from .corpus import Corpus
from .parts import part_fault
from .published import LoadedExamples, PublishedCorpus
from .unpacked import load_unpacked

SOURCES = (  # my_package.layouts:load:FOLDER, my_package.layouts.load:FOLDER
    re.compile(rf"({NAME}(?:\.{NAME})*:{NAME}):(.+)"),
    re.compile(rf"({NAME}(?:\.{NAME})+):(.+)"),
)
UNSTATED = "not stated: ask the owner of the recordings"

Layout = PublishedCorpus | Callable[[Path], LoadedExamples | list[Example]]


def split_source(source: str) -> tuple[str, str] | None:
    """Dotted path and folder of a source such as ``my_package.layouts:load:FOLDER``, or None."""
    for pattern in SOURCES:
        if match := pattern.fullmatch(source):
            return match[1], match[2]
    return None


def load_layout(layout: Layout | str, root: Path) -> Corpus:
    """Read a folder by a layout of the user.

    Args:
        layout: A function from the folder to `LoadedExamples` or a list of `Example`; a
            `PublishedCorpus`, which also states license and folds; or the dotted path of either.
        root: The folder.

    Raises:
        CorpusError: `root` is not a folder, the layout fails, or an example lacks a unique id, an
            existing file, a label or a speaker.
        AffektError: The dotted path cannot be imported.
    """
    name = layout if isinstance(layout, str) else _name(layout)
    part: Any = import_part(layout, "layout") if isinstance(layout, str) else layout
    if not root.is_dir():
        raise CorpusError(f"{name}:{root}: {root} is not a folder")
    known = part if isinstance(part, PublishedCorpus) else None
    loaded = load_unpacked(partial(_load, known.load if known else part, name), root)
    corpus = Corpus(
        shown(root.resolve().name), tuple(loaded.examples), UNSTATED, tuple(loaded.notes)
    )
    if known is None:
        return corpus
    return replace(
        corpus,
        license=known.license,
        folds=known.folds,
        predefined_folds=known.predefined_folds,
    )


def _load(
    layout: Callable[[Path], LoadedExamples | list[Example]], name: str, root: Path
) -> LoadedExamples:
    try:
        loaded = layout(root)
    except AffektError:
        raise
    except Exception as error:
        raise CorpusError(
            f"{root}: the layout {name} failed: {type(error).__name__}: {error}"
        ) from error
    loaded = loaded if isinstance(loaded, LoadedExamples) else LoadedExamples(loaded, [])
    _check(loaded.examples, name)
    return loaded


def _name(layout: Layout) -> str:
    if isinstance(layout, PublishedCorpus):
        return layout.title
    return str(getattr(layout, "__qualname__", type(layout).__name__))


def _check(examples: Any, name: str) -> None:
    """Check that a layout returned a list of complete examples.

    Raises:
        CorpusError: It did not; the message names the first fault.
    """
    if not isinstance(examples, list) or not all(isinstance(e, Example) for e in examples):
        raise CorpusError(
            f"the layout {name} must return affekt.LoadedExamples or a list of affekt.Example"
        )
    for example in examples:
        if lacking := [k for k in ("id", "label", "speaker") if not getattr(example, k)]:
            raise CorpusError(f"the layout {name}: {example.path} has no {', '.join(lacking)}")
        if fault := part_fault(example.start, example.end):
            raise CorpusError(f"the layout {name}: {example.id}: {fault}")
        if not Path(example.path).is_file():
            raise CorpusError(f"the layout {name}: {example.path} does not exist")
    ids = Counter(example.id for example in examples)
    if twice := [id for id, count in ids.items() if count > 1]:
        raise CorpusError(f"the layout {name}: {ids[twice[0]]} examples have the id {twice[0]!r}")
