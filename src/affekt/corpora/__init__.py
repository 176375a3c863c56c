"""Corpora: where the labels, speakers and splits of each come from.

A source is a manifest CSV or ``corpus:ROOT``, for instance ``emodb:../emodb``.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CorpusError
from ..splits import official
from ..types import Utterance
from . import emodb, manifest

CORPORA = {"emodb": emodb.load}
TERMS = {"emodb": emodb.TERMS}


@dataclass(frozen=True)
class Corpus:
    """Utterances with their origin.

    Attributes:
        name: ``emodb``, or the file name of a manifest.
        utterances: In the order of the source; several hundred to many thousand.
        terms: Licence and obligations, as the owner states them.
    """

    name: str
    utterances: tuple[Utterance, ...]
    terms: str

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
        source: ``manifest.csv`` or ``corpus:ROOT``.
        label_map: New names by label; "" leaves the class out.

    Raises:
        CorpusError: No such source, or what it holds is not as expected.
    """
    name, _, root = source.partition(":")
    if name in CORPORA and root:
        folder = Path(root)
        if not folder.is_dir():
            raise CorpusError(f"{source}: {folder} is not a folder")
        utterances, terms = CORPORA[name](folder), TERMS[name]
    elif Path(source).suffix.lower() == ".csv":
        utterances, terms = manifest.load(Path(source)), "not stated: those of the recordings"
        name = Path(source).stem
    else:
        raise CorpusError(
            f"{source}: give a manifest CSV (path, label, speaker) or one of "
            + ", ".join(f"{known}:FOLDER" for known in CORPORA)
        )
    if not utterances:
        raise CorpusError(f"{source}: no recordings found")
    return Corpus(name, _renamed(source, utterances, label_map or {}), terms)


def _renamed(
    source: str, utterances: list[Utterance], label_map: dict[str, str]
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
