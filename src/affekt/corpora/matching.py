"""Matching the paths that another tool's table has to the examples of a corpus."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ..errors import CorpusError
from ..types import Example


def match_paths(paths: Mapping[str, str], examples: Sequence[Example]) -> dict[str, Example | None]:
    """The example that each path of a table means.

    A path matches an example if it is its id, its path or an ending of either, in whole names; the
    suffix of the file and the case of letters need not agree. Folders in which the other tool found
    the corpus, such as ``downloads/casia/``, are removed from the beginning of all paths, as many
    as needed to match the most examples.

    Args:
        paths: By row of the table (file and line), as the table writes them.
        examples: Of the corpus.

    Returns:
        By row the example, or None if the corpus has no such example.

    Raises:
        CorpusError: A path fits several examples.
    """
    index = _endings(examples)
    parts = [PurePosixPath(path.replace("\\", "/").casefold()).parts for path in paths.values()]
    best: list[list[Example]] = [[] for _ in paths]
    most = 0
    for removed in range(max(map(len, parts), default=0)):
        candidates = [_lookup(own[removed:], index) for own in parts]
        distinct = len({own[0].id for own in candidates if len(own) == 1})
        if distinct > most or not removed:
            best, most = candidates, distinct
    for (row, path), found in zip(paths.items(), best, strict=True):
        if len(found) > 1:
            raise CorpusError(
                f"{row}: {path} fits {len(found)} clips ({found[0].id}, {found[1].id}, ...); give "
                "more of the path"
            )
    matches = (found[0] if found else None for found in best)
    return dict(zip(paths, matches, strict=True))


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
