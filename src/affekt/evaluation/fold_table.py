"""A table of folds, as any toolkit may have made them: who learns and who is tested where."""

from collections import defaultdict
from pathlib import Path

from ..corpora import manifest
from ..errors import CorpusError
from ..types import Example

Parts = dict[str, list[Example]]  # by train, val, test


def load(path: Path) -> list[Parts]:
    """The folds that a table lists, in their order.

    One row for each clip of each fold, with ``path``, ``label``, ``speaker``, ``fold`` and
    ``part`` (train, val, test); or one row for each clip with the ``fold`` that tests it, where
    all others learn. A recording may stand more than once: that is what an audit looks for.

    Raises:
        CorpusError: Not such a table, or a file does not exist.
    """
    columns, rows = manifest.read_table(path)
    wanted = ("path", "label", "speaker", "fold")
    if missing := [c for c in wanted if c not in columns]:
        raise CorpusError(f"{path}: no column {', '.join(missing)}; a table of folds has them")
    folds: dict[str, Parts] = defaultdict(lambda: {"train": [], "val": [], "test": []})
    tested: dict[str, list[Example]] = defaultdict(list)
    for line, row in rows:
        place = path.parent / str(row["path"])
        if not place.is_file():
            raise CorpusError(f"{path}, line {line}: {row['path']} does not exist")
        example = Example(
            str(row["path"]),
            str(place.resolve()),
            str(row["label"]),
            str(row["speaker"]),
            text=str(row.get("text") or ""),
        )
        if "part" not in columns:
            tested[str(row["fold"])].append(example)
        elif row["part"] in ("train", "val", "test"):
            folds[str(row["fold"])][str(row["part"])].append(example)
        else:
            raise CorpusError(f"{path}, line {line}: part {row['part']!r}; use train, val or test")
    for name, test in tested.items():
        others = [u for other, group in tested.items() if other != name for u in group]
        folds[name] = {"train": others, "val": [], "test": test}
    return list(folds.values())
