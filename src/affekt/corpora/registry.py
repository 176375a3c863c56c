"""Corpora: where the labels, speakers and splits of each come from.

A source is a manifest, a folder that describes itself, ``corpus:ROOT``, for instance
``emodb:../emodb``, or ``my_package.module:function:ROOT`` with a layout of the user.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from ..types import Example
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
    iemocap,
    nemo,
    ravdess,
    tess,
    turev,
    urdu,
)
from .own_layout import load_layout, split_source
from .published import PublishedCorpus

CORPORA: dict[str, PublishedCorpus] = {
    "ased": ased.CORPUS,
    "baum1s": baum1s.CORPUS,
    "casia": casia.CORPUS,
    "cheavd2": cheavd2.CORPUS,
    "cremad": cremad.CORPUS,
    "emodb": emodb.CORPUS,
    "emospeech-india": emospeech_india.CORPUS,
    "iemocap": iemocap.FOUR_CLASSES,
    "iemocap6": iemocap.SIX_CLASSES,
    "nemo": nemo.CORPUS,
    "ravdess": ravdess.CORPUS,
    "tess": tess.CORPUS,
    "turev": turev.CORPUS,
    "urdu": urdu.CORPUS,
}
OWN = "not stated: those of the recordings"


def load_corpus(source: str, label_map: dict[str, str] | None = None) -> Corpus:
    """Load a source and rename its labels.

    Args:
        source: ``manifest.csv``, a folder, ``corpus:ROOT``, or ``package.module:function:ROOT``.
        label_map: New names by label; "" leaves the class out.

    Raises:
        CorpusError: No such source, or what it holds is not as expected.
    """
    name, _, root = source.partition(":")
    if name in CORPORA and root:
        if not Path(root).is_dir():
            raise CorpusError(f"{source}: {root} is not a folder")
        known = CORPORA[name]
        found = known.load(Path(root))
        corpus = Corpus(
            name,
            tuple(found.examples),
            known.license,
            tuple(found.notes),
            known.folds,
            known.predefined_folds,
        )
    elif own := split_source(source):
        corpus = load_layout(own[0], Path(own[1]))
    elif Path(source).suffix.lower() in manifest.SUFFIXES:
        rows = manifest.load(Path(source))
        corpus = Corpus(Path(source).stem, tuple(rows), OWN)
    elif Path(source).is_dir():
        found = folder.load(Path(source))
        corpus = Corpus(Path(source).resolve().name, tuple(found.examples), OWN, tuple(found.notes))
    else:
        raise CorpusError(
            f"{source}: give a manifest (path, label, speaker; CSV, TSV, JSONL, Parquet), a folder "
            f"with a folder for each class, or corpus:FOLDER with one of {', '.join(CORPORA)} or "
            "a layout of your own (my_package.module:function:FOLDER)"
        )
    if not corpus.examples:
        raise CorpusError(f"{source}: no recordings found")
    return replace(corpus, examples=_renamed(source, corpus.examples, label_map or {}))


def _renamed(
    source: str, examples: tuple[Example, ...], label_map: dict[str, str]
) -> tuple[Example, ...]:
    known = Counter(u.label for u in examples)
    if unknown := sorted(label_map.keys() - known.keys()):
        raise CorpusError(
            f"{source}: labels to rename that it does not have: {', '.join(unknown)}; "
            f"it has {', '.join(sorted(known))}"
        )
    renamed = (replace(u, label=label_map.get(u.label, u.label)) for u in examples)
    kept = tuple(u for u in renamed if u.label)
    if len({u.label for u in kept}) < 2:
        raise CorpusError(f"{source}: only one class; nothing can be told apart")
    return kept
