"""Targets of a manifest in place of labels: the votes for each class, or dimensions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CorpusError
from ..plural import counted
from ..types import Example, TargetColumns
from .tables import Row

Targets = tuple[tuple[str, float], ...]


class RowTargets(NamedTuple):
    """Label and targets of a row, as of `Example`.

    Attributes:
        label: The label.
        targets: The targets.
        fault: What is wrong with them; "" if nothing is.
    """

    label: str = ""
    targets: Targets = ()
    fault: str = ""


class TargetReader:
    """Reads the targets of the rows of a manifest; false where these are labels.

    Args:
        path: The manifest.
        headers: Its columns.
        columns: Those with the targets.

    Raises:
        CorpusError: One of them is missing, or given twice.
    """

    def __init__(self, path: Path, headers: Sequence[str], columns: TargetColumns) -> None:
        self.soft = bool(columns.votes)
        self.names = columns.votes or columns.dimensions
        if missing := [name for name in self.names if name not in headers]:
            raise CorpusError(
                f"{path}: no column {', '.join(missing)}; it has {', '.join(headers) or 'none'}"
            )
        if len(set(self.names)) < len(self.names):
            raise CorpusError(f"{path}: one of the columns {', '.join(self.names)} is given twice")

    def __bool__(self) -> bool:
        return bool(self.names)

    def read(self, row: Row) -> RowTargets:
        """The label and the targets of a row."""
        try:
            cells = {name: number(name, row.get(name)) for name in self.names}
        except ValueError as error:
            return RowTargets(fault=str(error))
        if not self.soft:
            values = {name: value for name, value in cells.items() if value is not None}
            empty = ", ".join(name for name in cells if name not in values)
            return RowTargets("", tuple(values.items()), f"{empty} is empty" if empty else "")
        values = {name: value or 0.0 for name, value in cells.items()}
        if min(values.values()) < 0 or not sum(values.values()):
            return RowTargets(fault="votes must not be negative, and not all 0")
        return RowTargets(*soft_label(values))


def number(name: str, cell: Any) -> float | None:
    """A number of a table; None if the cell is empty.

    Args:
        name: Column of the cell, for the error.
        cell: Its content.

    Raises:
        ValueError: It is no finite number.
    """
    if cell is None or cell != cell or not str(cell).strip():
        return None
    try:
        value = float(str(cell).strip())
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} {cell!r} is not a number")
    return value


def soft_label(votes: Mapping[str, float]) -> tuple[str, Targets]:
    """The class with the most votes, of several the first, and the shares of all with votes."""
    total = sum(votes.values())
    shares = tuple((name, value / total) for name, value in votes.items() if value)
    return max(votes, key=lambda name: votes[name]), shares


def renamed(example: Example, label_map: Mapping[str, str]) -> Example:
    """The example with the new names of its classes; votes for one that is dropped do not count.

    Args:
        example: Any; its label is "" if nothing is left of it.
        label_map: New names by label; "" drops the class.
    """
    if not example.targets or not example.label:
        return replace(example, label=label_map.get(example.label, example.label))
    votes: dict[str, float] = {}
    for name, share in example.targets:
        if new := label_map.get(name, name):
            votes[new] = votes.get(new, 0.0) + share
    label, shares = soft_label(votes) if votes else ("", ())
    return replace(example, label=label, targets=shares)


def dimensions(examples: Sequence[Example]) -> list[str]:
    """Names of the dimensions of examples without labels; an empty list for classes.

    Raises:
        CorpusError: Some examples have labels and others dimensions, or not all have the same.
    """
    names = {() if e.label else tuple(name for name, _ in e.targets) for e in examples}
    if len(names) > 1:
        kinds = " and ".join(", ".join(own) or "classes" for own in sorted(names))
        raise CorpusError(f"examples have different targets: {kinds}; give all of them the same")
    return list(*names)


def classes(examples: Sequence[Example]) -> set[str]:
    """The classes of examples, among them those that have votes only."""
    return {name for e in examples if e.label for name in (e.label, *(n for n, _ in e.targets))}


def target_notes(examples: Sequence[Example]) -> list[str]:
    """A note on soft labels, with the number of examples without a single majority."""
    soft = [e for e in examples if e.label and e.targets]
    if not soft:
        return []
    shares = [[share for _, share in e.targets] for e in soft]
    tied = sum(sum(math.isclose(s, max(own)) for s in own) > 1 for own in shares)
    note = "soft labels: targets are the shares of the votes; a label is the class with the most"
    return [note + (f"; the first of several in {counted(tied, 'row')}" if tied else "")]
