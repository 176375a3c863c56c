"""Progress of long work, reported by the library and displayed by the caller."""

from collections.abc import Callable
from typing import NamedTuple


class Event(NamedTuple):
    """One report of progress.

    Attributes:
        stage: What is being done.
        done: Completed steps.
        total: All steps.
        note: Text to show with the numbers, or "".
    """

    stage: str
    done: int
    total: int
    note: str = ""


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore a report of progress."""
