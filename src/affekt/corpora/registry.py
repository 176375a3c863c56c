"""Load a corpus by its source.

A source is a manifest, a folder with a subfolder for each class or with tables of its own,
``corpus:ROOT`` such as ``emodb:../emodb``, or ``my_package.module:function:ROOT`` with a layout of
the user.
"""

import difflib
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..audio.source import shown
from ..errors import CorpusError
from ..types import LABELS, Example, TargetColumns
from . import folder, manifest
from .corpus import Corpus
from .layouts import (
    ased,
    baum1s,
    casia,
    cheavd2,
    cremad,
    emodb,
    emospeech_india,
    emovo,
    iemocap,
    nemo,
    ravdess,
    tess,
    turev,
    urdu,
)
from .own_layout import load_layout, split_source
from .published import PublishedCorpus
from .tables import SPREADSHEETS, SUFFIXES
from .targets import classes, dimensions, renamed
from .unpacked import load_unpacked

CORPORA: dict[str, PublishedCorpus] = {
    "ased": ased.CORPUS,
    "baum1s": baum1s.CORPUS,
    "casia": casia.CORPUS,
    "cheavd2": cheavd2.CORPUS,
    "cremad": cremad.CORPUS,
    "emodb": emodb.CORPUS,
    "emovo": emovo.CORPUS,
    "emospeech-india": emospeech_india.CORPUS,
    "iemocap": iemocap.FOUR_CLASSES,
    "iemocap6": iemocap.SIX_CLASSES,
    "nemo": nemo.CORPUS,
    "ravdess": ravdess.CORPUS,
    "tess": tess.CORPUS,
    "turev": turev.CORPUS,
    "urdu": urdu.CORPUS,
}
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
UNSTATED = "not stated: those of the recordings"

Source = str | Path | Corpus


def load_corpus(
    source: Source,
    label_map: Mapping[str, str] | None = None,
    columns: TargetColumns = LABELS,
) -> Corpus:
    """Load a corpus and rename its labels.

    Args:
        source: ``manifest.csv``, a folder, ``corpus:ROOT``, ``package.module:function:ROOT``, or a
            corpus that is already loaded.
        label_map: New names by label; "" drops the class.
        columns: Columns of a manifest with the targets, in place of labels.

    Raises:
        CorpusError: No such source, its contents do not have the expected form, or labels are
            numbers or differ only in case or blanks.
        AffektError: The module of a layout outside the package cannot be imported.
    """
    corpus = read_corpus(source, columns)
    name = corpus.name if isinstance(source, Corpus) else str(source)
    require_targets([corpus], columns)
    examples = _renamed(name, corpus.examples, label_map or {})
    check_labels(name, examples)
    return replace(corpus, examples=examples)


def read_corpus(source: Source, columns: TargetColumns = LABELS) -> Corpus:
    """Read a corpus with the labels of the source, which `load_corpus` checks after renaming."""
    if isinstance(source, Corpus):
        return source
    corpus = _read(str(source), columns)
    if not corpus.examples:
        raise CorpusError(f"{source}: no recordings found")
    return corpus


def require_targets(corpora: Sequence[Corpus], columns: TargetColumns) -> None:
    """Check that columns with targets were read, those with votes from at least one corpus.

    Raises:
        CorpusError: A corpus is no manifest, or was loaded without the columns.
    """
    found = [any(e.targets for e in c.examples) for c in corpora]
    if columns != LABELS and not (all(found) if columns.dimensions else any(found)):
        names = ", ".join(name for given in columns for name in given)
        lacking = corpora[found.index(False)].name
        raise CorpusError(
            f"{lacking}: has no columns {names}; only a manifest has them, and a corpus "
            "that is loaded in Python must be loaded with them"
        )


def _read(source: str, columns: TargetColumns) -> Corpus:
    name, _, root = source.partition(":")
    if name in CORPORA and root:
        return _published(name, Path(root))
    if own := split_source(source):
        return load_layout(own[0], Path(own[1]))
    path = Path(source)
    if path.suffix.lower() in SUFFIXES | SPREADSHEETS:
        examples, notes = manifest.load(path, columns=columns)
        return Corpus(path.stem, tuple(examples), UNSTATED, tuple(notes))
    if path.is_dir():
        loaded = load_unpacked(folder.load, path)
        return Corpus(
            shown(path.resolve().name), tuple(loaded.examples), UNSTATED, tuple(loaded.notes)
        )
    near = difflib.get_close_matches(name, CORPORA, n=1) if root else []
    hint = f"; did you mean {near[0]}:{root}?" if near else ""
    raise CorpusError(
        f"{source}: give a manifest (path, label, speaker; CSV, TSV, JSONL, Parquet), a folder "
        f"with a folder for each class, corpus:FOLDER with one of {', '.join(CORPORA)}, or a "
        f"layout of your own (my_package.module:function:FOLDER){hint}"
    )


def _published(name: str, root: Path) -> Corpus:
    if not root.is_dir():
        raise CorpusError(f"{name}:{root}: {root} is not a folder")
    known = CORPORA[name]
    loaded = load_unpacked(known.load, root)
    missing = missing_clips(loaded.examples, known.counts)
    return Corpus(
        name,
        tuple(loaded.examples),
        known.license,
        (*loaded.notes, *missing),
        known.folds,
        known.predefined_folds,
        incomplete=bool(missing),
    )


def missing_clips(examples: Sequence[Example], published: Mapping[str, int]) -> list[str]:
    """A note on the published clips that a folder lacks; none where it is complete.

    Args:
        examples: Examples of the folder.
        published: Official number of clips by class.
    """
    found = Counter(e.label for e in examples)
    lacking = {label: n for label, n in published.items() if found[label] < n}
    if not lacking:
        return []
    classes = ", ".join(f"{label} {found[label]} of {n}" for label, n in lacking.items())
    return [f"incomplete corpus, of the published clips it has: {classes}"]


def _renamed(
    source: str, examples: tuple[Example, ...], label_map: Mapping[str, str]
) -> tuple[Example, ...]:
    known = classes(examples)
    if unknown := sorted(label_map.keys() - known):
        raise CorpusError(
            f"{source}: does not have the labels to rename: {', '.join(unknown)}; "
            f"it has {', '.join(sorted(known))}"
        )
    named = (renamed(e, label_map) for e in examples)
    return tuple(e for e in named if e.label or e.targets)


def check_labels(source: str, examples: Sequence[Example]) -> None:
    """Refuse labels that do not name classes.

    Raises:
        CorpusError: Labels are numbers, differ only in case or blanks, or are all the same; or
            some examples have labels and others dimensions.
    """
    if dimensions(examples):
        return
    counts = Counter(e.label for e in examples)
    if numbers := sorted(label for label in counts if NUMBER.fullmatch(label)):
        options = " ".join(f"--labels.{number} NAME" for number in numbers)
        raise CorpusError(
            f"{source}: labels are numbers ({', '.join(numbers)}); name the emotions in the table, "
            f"or by {options}"
        )
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        spellings[" ".join(label.casefold().split())].append(label)
    if several := [own for own in spellings.values() if len(own) > 1]:
        shown = "; ".join(", ".join(f"{c!r} ({counts[c]})" for c in own) for own in several)
        other, same = sorted(several[0], key=counts.__getitem__)[-2:]
        raise CorpusError(
            f"{source}: labels differ only in case or blanks: {shown}; give each class one name, "
            f"in the table or by --labels.{shlex.quote(other)} {shlex.quote(same)}"
        )
    if len(counts) < 2:
        inner = Path(source, *counts)
        hint = f"; if its folders are the classes, give {inner}" if inner.is_dir() else ""
        raise CorpusError(f"{source}: only one class{hint or '; give at least two'}")
