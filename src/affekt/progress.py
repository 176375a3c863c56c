"""Progress of long work, for whoever draws it."""

from collections.abc import Callable
from typing import NamedTuple


class Event(NamedTuple):
    """`done` of `total` steps of a stage are complete."""

    stage: str
    done: int
    total: int
    note: str = ""


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A `Report` that draws nothing."""
