"""Parts that all commands share: the app, common options, output to the terminal."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import docstring_parser
from cyclopts import App, Parameter

from .. import __version__
from ..config import Config
from ..plural import counted
from ..sanitise import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from ..progress import Report
    from ..run_result import EvaluationResult

# For every section of the settings cyclopts parses the source of pydantic's BaseModel again, which
# takes half a second of each --help.
docstring_parser.parse_from_object = cache(docstring_parser.parse_from_object)

app = App(
    name="affekt",
    version=__version__,
    help="Recognise emotion in natural speech. Results contain errors and must not be used to make "
    "decisions about people.",
)
WIDTH = 120  # columns of tables that go to a file or a pipe
Labels = Annotated[dict[str, str] | None, Parameter(name="--labels")]
Source = Annotated[
    str,
    Parameter(
        help="Manifest (path, label, speaker), a folder, or corpus:FOLDER such as emodb:DIR."
    ),
]
Recipe = Annotated[Path | None, Parameter(help="TOML file of settings; options override it.")]
Cache = Annotated[
    Path | None,
    Parameter(
        help="Folder of the embedding cache; by default $AFFEKT_CACHE/vectors or "
        "~/.cache/affekt/vectors."
    ),
]
Device = Annotated[
    str,
    Parameter(
        help="Where the encoder runs: cpu, auto (a CUDA GPU if there is one), or as torch names "
        "it: cuda, cuda:1, mps."
    ),
]
TrainingDevice = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Parameter(help="Where to train and test; auto is a CUDA GPU if there is one, else the CPU."),
]
Settings = Annotated[Config, Parameter(name="*")]


def save(figure: "Figure", path: Path) -> None:
    """Write a picture and print its path."""
    from ..report.figures import charts

    replaced = " (replaced)" if path.exists() else ""
    charts.save(figure, path)
    say(f"picture: {path}{replaced}")


def say_notes(result: "EvaluationResult") -> None:
    """Print the notes on corpus and folds of an evaluation, and the warnings about its audio."""
    for note in result.notes:
        say(f"note: {note}")
    say_audio_warnings(result.audio_warnings)


def say_audio_warnings(warnings: Mapping[str, list[str]]) -> None:
    """Print the number of recordings with warnings, and the warnings of the first."""
    if warnings:
        name, texts = next(iter(warnings.items()))
        number = counted(len(warnings), "recording")
        say(f"{number} with warnings, the first {name}: {'; '.join(texts)}")


def console(stderr: bool = False) -> "Console":
    """Console of standard output or standard error."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=not stderr, width=width)


@contextmanager
def progress() -> Iterator["Report"]:
    """Display of progress on standard error: bars on a terminal, otherwise lines."""
    from ..report.console import ProgressBars, ProgressLines

    screen = console(stderr=True)
    with (ProgressBars if screen.is_terminal else ProgressLines)(screen) as report:
        yield report


def say(text: str) -> None:
    """Print one line on standard error; characters that are not printable become "?"."""
    print(printable(" ".join(text.split()), "?"), file=sys.stderr)


def complain(problem: object) -> None:
    """Print an error on standard error."""
    say(f"affekt: {problem}")
