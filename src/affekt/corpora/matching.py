"""Matching the paths that another tool's table has to the examples of a corpus."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..types import Example


def match_paths(paths: Sequence[str], examples: Sequence[Example]) -> list[list[Example]]:
    """The examples that each path of a table may mean.

    A path matches an example if it is its id, its path or an ending of either, in whole names; the
    suffix of the file and the case of letters need not agree. Folders in which the other tool found
    the corpus, such as ``downloads/casia/``, are removed from the beginning of all paths, as many
    as needed to match the most examples.

    Args:
        paths: As the table writes them.
        examples: Of the corpus.

    Returns:
        For each path its examples: one, none, or several if it is ambiguous.
    """
    index = _endings(examples)
    parts = [PurePosixPath(path.replace("\\", "/").casefold()).parts for path in paths]
    best: list[list[Example]] = [[] for _ in paths]
    most = 0
    for removed in range(max(map(len, parts), default=0)):
        found = [_lookup(own[removed:], index) for own in parts]
        distinct = len({matches[0].id for matches in found if len(matches) == 1})
        if distinct > most or not removed:
            best, most = found, distinct
    return best


def _endings(examples: Sequence[Example]) -> dict[tuple[str, ...], dict[str, Example]]:
    """Examples, by id, under every ending of their ids and paths, with and without suffix."""
    index: dict[tuple[str, ...], dict[str, Example]] = defaultdict(dict)
    for example in examples:
        for name in map(PurePosixPath, (example.id.casefold(), example.path.casefold())):
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
