"""Recordings that are given to a command: files, folders, patterns, standard input."""

import sys
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, BinaryIO

from .app import say

if TYPE_CHECKING:
    from ..inference.pipeline import Sources

STDIN = "<stdin>"
COMMANDS = ("predict", "embed")  # "-" among their arguments is a recording on standard input


def name_standard_input(arguments: Sequence[str]) -> list[str]:
    """Arguments with "-" replaced by `STDIN`; cyclopts takes a "-" for an option."""
    recordings = arguments[:1] and arguments[0] in COMMANDS
    return [STDIN if recordings and word == "-" else word for word in arguments]


def recordings(arguments: Iterable[str]) -> list[str]:
    """The files that arguments stand for; prints what is left out.

    Raises:
        AffektError: As `audio.listing.expand`.
    """
    from ..audio.listing import LeftOut, expand

    left_out = LeftOut()
    files = expand(arguments, left_out)
    if note := left_out.note():
        say(note)
    return files


def source(file: str) -> str | BinaryIO:
    """A file, or standard input."""
    return sys.stdin.buffer if file == STDIN else file


def sources(files: Sequence[str]) -> "Sources":
    """Files for `inference.pipeline`, which may open one twice; a pipe is read once."""
    from ..audio.source import shown

    return [(shown(file), cache(partial(_read, file))) for file in files]


def _read(file: str) -> str | bytes:
    """Path of a file, or the bytes of a pipe.

    Raises:
        AudioError: It cannot be opened.
    """
    from ..audio.source import read_source

    return read_source(source(file))[1]
