"""Corpora: where the labels, speakers and splits of each come from.

A source is a manifest, a folder that describes itself, or ``corpus:ROOT``, for instance
``emodb:../emodb``.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CorpusError
from ..splits import official
from ..types import Utterance
from . import (
    ased,
    baum1s,
    casia,
    cheavd2,
    cremad,
    emodb,
    emospeech_india,
    folder,
    iemocap,
    manifest,
    nemo,
    ravdess,
    tess,
    turev,
    urdu,
)
from .known import Known

CORPORA: dict[str, Known] = {
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
FOLDS = 5  # where no usual number is known
OWN = "not stated: those of the recordings"


@dataclass(frozen=True)
class Corpus:
    """Utterances with their origin.

    Attributes:
        name: ``emodb``, or the file name of a manifest.
        utterances: In the order of the source; several hundred to many thousand.
        terms: Licence and obligations, as the owner states them.
        notes: What the loader left out and why.
        folds: Usual number of speaker-independent test folds.
        fixed: Test speakers of the first folds, where they are published.
        beside: What is trained on and never tested: further corpora, and classes that not all
            tested corpora have.
    """

    name: str
    utterances: tuple[Utterance, ...]
    terms: str
    notes: tuple[str, ...] = ()
    folds: int = FOLDS
    fixed: tuple[tuple[str, ...], ...] = ()
    beside: tuple[Utterance, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Classes, sorted."""
        return sorted({u.label for u in self.utterances})

    @property
    def speakers(self) -> list[str]:
        """Speakers, sorted."""
        return sorted({u.speaker for u in self.utterances})

    def training(self) -> "Corpus":
        """What may be trained on: all that is not marked as test.

        Raises:
            CorpusError: A test speaker stands in another part too.
        """
        test = official(self.utterances, "test")
        return replace(self, utterances=tuple(u for u in self.utterances if u.speaker not in test))


def load_corpus(source: str, label_map: dict[str, str] | None = None) -> Corpus:
    """Load a source and rename its labels.

    Args:
        source: ``manifest.csv``, a folder, or ``corpus:ROOT``.
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
            tuple(found.utterances),
            known.terms,
            tuple(found.notes),
            known.folds,
            known.fixed,
        )
    elif Path(source).suffix.lower() in manifest.SUFFIXES:
        rows = manifest.load(Path(source))
        corpus = Corpus(Path(source).stem, tuple(rows), OWN)
    elif Path(source).is_dir():
        found = folder.load(Path(source))
        corpus = Corpus(
            Path(source).resolve().name, tuple(found.utterances), OWN, tuple(found.notes)
        )
    else:
        raise CorpusError(
            f"{source}: give a manifest (path, label, speaker; CSV, TSV, JSONL, Parquet), a folder "
            f"with a folder for each class, or corpus:FOLDER with one of {', '.join(CORPORA)}"
        )
    if not corpus.utterances:
        raise CorpusError(f"{source}: no recordings found")
    return replace(corpus, utterances=_renamed(source, corpus.utterances, label_map or {}))


def _renamed(
    source: str, utterances: tuple[Utterance, ...], label_map: dict[str, str]
) -> tuple[Utterance, ...]:
    known = Counter(u.label for u in utterances)
    if unknown := sorted(label_map.keys() - known.keys()):
        raise CorpusError(
            f"{source}: labels to rename that it does not have: {', '.join(unknown)}; "
            f"it has {', '.join(sorted(known))}"
        )
    renamed = (replace(u, label=label_map.get(u.label, u.label)) for u in utterances)
    kept = tuple(u for u in renamed if u.label)
    if len({u.label for u in kept}) < 2:
        raise CorpusError(f"{source}: only one class; nothing can be told apart")
    return kept
