"""Matching the paths that another tool's table has to the examples of a corpus."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ..errors import CorpusError
from ..types import Example

PART = re.compile(r"(.+)#t=(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?")
TOLERANCE = 0.01  # s by which the times of a part may differ, as rounded ones do
Times = tuple[float, float | None]  # start and end of a part in seconds, as of `Example`


def match_paths(
    paths: Mapping[str, str], examples: Sequence[Example], times: Mapping[str, Times] = {}
) -> dict[str, Example | None]:
    """The example that each path of a table means.

    A path matches an example if it is its id, its path or an ending of either, in whole names; the
    suffix of the file and the case of letters need not agree. Folders in which the other tool found
    the corpus, such as ``downloads/casia/``, are removed from the beginning of all paths, as many
    as needed to match the most files. Of the parts of a file, the one with the same times is meant:
    those of the row, or of a path such as ``call.wav#t=1.5,3``.

    Args:
        paths: By row of the table (file and line), as the table writes them.
        examples: Of the corpus.
        times: Times of a part by row, where the table has them.

    Returns:
        By row the example, or None if the corpus has no such example.

    Raises:
        CorpusError: A path fits several examples, or only parts of a file and the row no times.
    """
    if any(example.part for example in examples):
        parts = {row: match for row, path in paths.items() if (match := PART.fullmatch(path))}
        paths = {row: parts[row][1] if row in parts else path for row, path in paths.items()}
        times = {**times, **{row: _times(match) for row, match in parts.items()}}
    index = _endings(examples)
    names = [PurePosixPath(path.replace("\\", "/").casefold()).parts for path in paths.values()]
    best: list[list[Example]] = [[] for _ in paths]
    most = 0
    for removed in range(max(map(len, names), default=0)):
        candidates = [_lookup(own[removed:], index) for own in names]
        distinct = len({own[0].path for own in candidates if len({e.path for e in own}) == 1})
        if distinct > most or not removed:
            best, most = candidates, distinct
    return {
        row: _chosen(row, path, found, times.get(row))
        for (row, path), found in zip(paths.items(), best, strict=True)
    }


def _times(match: re.Match[str]) -> Times:
    return float(match[2]), float(match[3]) if match[3] else None


def _chosen(row: str, path: str, found: Sequence[Example], times: Times | None) -> Example | None:
    """The example that a row means, among those that its path fits.

    Args:
        row: File and line, for errors.
        path: Path of the row.
        found: The examples that the path fits.
        times: Times of the row, if it has any.

    Raises:
        CorpusError: There are several.
    """
    by_id = [e.id.casefold() for e in found] == [path.casefold()]
    if not by_id and any(e.part for e in found) and len({e.path for e in found}) == 1:
        whole = [e for e in found if not e.part]
        if times is None and not whole:
            raise CorpusError(
                f"{row}: of {path} the corpus has parts only ({found[0].id}, ...); give start and "
                "end"
            )
        found = whole if times is None else _with_times(found, *times)
    if len(found) > 1:
        raise CorpusError(
            f"{row}: {path} fits {len(found)} clips ({found[0].id}, {found[1].id}, ...); give "
            "more of the path"
        )
    return found[0] if found else None


def _with_times(examples: Sequence[Example], start: float, end: float | None) -> list[Example]:
    """Examples with these times; those that reach to the end of the file only if no other does."""
    same = [e for e in examples if abs(e.start - start) <= TOLERANCE]
    exact = [e for e in same if e.end == end or (e.end and end and abs(e.end - end) <= TOLERANCE)]
    return exact or [e for e in same if e.end is None]


def _endings(examples: Sequence[Example]) -> dict[tuple[str, ...], dict[str, Example]]:
    """Examples, by id, under every ending of their ids and paths, with and without suffix."""
    index: dict[tuple[str, ...], dict[str, Example]] = defaultdict(dict)
    for example in examples:
        for name in map(PurePosixPath, (example.file.casefold(), example.path.casefold())):
            for parts in (name.parts, name.with_suffix("").parts):
                for start in range(len(parts)):
                    index[parts[start:]][example.id] = example
    return index


def _lookup(
    parts: tuple[str, ...], index: dict[tuple[str, ...], dict[str, Example]]
) -> list[Example]:
    if not parts:
        return []
    stem = (*parts[:-1], PurePosixPath(parts[-1]).stem)
    return list((index.get(parts) or index.get(stem) or {}).values())
