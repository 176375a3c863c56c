"""What all commands share: the app, its options, and the only ways to print."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import docstring_parser
from cyclopts import App, Parameter

from .. import __version__
from ..config import Config
from ..recipe import settings_with

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from ..progress import Report
    from ..run_result import RunResult

# For every section of the settings cyclopts reads the source of pydantic's BaseModel anew:
# half a second of each --help.
docstring_parser.parse_from_object = cache(docstring_parser.parse_from_object)

app = App(
    name="affekt",
    version=__version__,
    help="Recognise emotion in natural speech. It errs; it must not decide about people.",
)
WIDTH = 120  # columns of tables that go to a file or a pipe
Source = Annotated[
    str,
    Parameter(
        help="Manifest (path, label, speaker), a folder, or corpus:FOLDER such as emodb:DIR."
    ),
]
Recipe = Annotated[Path | None, Parameter(help="TOML file of settings; options override it.")]
Cache = Annotated[
    Path | None,
    Parameter(help="Folder of segment vectors; $AFFEKT_CACHE/vectors or ~/.cache/affekt/vectors."),
]
Settings = Annotated[Config, Parameter(name="*")]


def save(figure: "Figure", path: Path) -> None:
    """Write a picture, and say where."""
    from ..report.figures import charts

    replaced = " (replaced)" if path.exists() else ""
    charts.save(figure, path)
    say(f"picture: {path}{replaced}")


def tell_notes(result: "RunResult") -> None:
    """What to know of the corpus, the folds and the recordings behind a score."""
    for note in result.notes:
        say(f"note: {note}")
    tell_odd(result.audio_warnings)


def tell_odd(warnings: Mapping[str, list[str]]) -> None:
    """Count the recordings of a corpus that sound odd, and show one."""
    if warnings:
        name, reasons = next(iter(warnings.items()))
        say(f"{len(warnings)} recordings with warnings, for instance {name}: {'; '.join(reasons)}")


def settings(recipe: Path | None, config: Config) -> Config:
    """The recipe, and over it what was set on the command line."""
    return settings_with(recipe, config)


def console(stderr: bool = False) -> "Console":
    """Standard output, or standard error."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=not stderr, width=width)


@contextmanager
def progress() -> Iterator["Report"]:
    """Bars on a terminal, lines in a log."""
    from ..report.console import ProgressBars, ProgressLines

    screen = console(stderr=True)
    with (ProgressBars if screen.is_terminal else ProgressLines)(screen) as report:
        yield report


def say(text: str) -> None:
    """One line on standard error, whatever characters a file's name may hold."""
    line = " ".join(text.split())
    print("".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)


def complain(problem: object) -> None:
    """Say what went wrong."""
    say(f"affekt: {problem}")
