"""A corpus: labelled examples with their speakers, splits and license."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from ..content import hash_files
from ..errors import CorpusError
from ..plural import counted
from ..types import ANONYMOUS, Example
from .splits import Fold, FoldTable, corpus_folds, marked_fold, official, speaker_folds
from .targets import classes, dimensions

FOLDS = 5  # for corpora without a usual number of folds


@dataclass(frozen=True)
class Corpus:
    """Labelled examples and what is known of them.

    Attributes:
        name: ``emodb``, or the file name of a manifest.
        examples: In the order of the source; several hundred to many thousand.
        license: License and obligations, as the owner states them.
        notes: What the loader left out, and why.
        folds: Usual number of speaker-independent test folds.
        predefined_folds: Test speakers of the first folds, where they are published.
        train_only: Examples for training that are never tested: of further corpora, and of classes
            that not all tested corpora have.
        fold_table: Folds of a table, in place of folds by speaker.
        incomplete: Whether clips of a published corpus are missing.
        by_corpus: Whether each of several corpora is tested in turn, in place of folds by speaker.
    """

    name: str
    examples: tuple[Example, ...]
    license: str
    notes: tuple[str, ...] = ()
    folds: int = FOLDS
    predefined_folds: tuple[tuple[str, ...], ...] = ()
    train_only: tuple[Example, ...] = ()
    fold_table: FoldTable | None = None
    by_corpus: bool = False
    incomplete: bool = False

    @property
    def labels(self) -> list[str]:
        """Classes, sorted; also those that have votes only."""
        return sorted(classes(self.examples))

    @property
    def dimensions(self) -> list[str]:
        """Dimensions whose values are the targets; an empty list where these are classes."""
        return dimensions(self.examples)

    @property
    def speakers(self) -> list[str]:
        """Speakers, sorted."""
        return sorted({e.speaker for e in self.examples})

    def training(self) -> "Corpus":
        """The corpus without its official test part; a note counts what is left out.

        Raises:
            CorpusError: A test speaker is in another part too.
        """
        test = official(self.examples, "test")
        left_out = Counter(e.corpus for e in self.examples if e.speaker in test)
        several = len({e.corpus for e in self.examples}) > 1
        notes = [
            (f"{name}: " if several else "") + f"{counted(number, 'clip')} marked test left out"
            for name, number in left_out.items()
        ]
        examples = tuple(e for e in self.examples if e.speaker not in test)
        return replace(self, examples=examples, notes=(*self.notes, *notes))

    def test_folds(self, number: int | None = None) -> list[Fold]:
        """The folds of an evaluation: of the fold table, by corpus, otherwise by speaker.

        Args:
            number: Number of folds by speaker; by default the usual one.

        Raises:
            CorpusError: There are fewer speakers than folds, or a number for a fold table.
        """
        if self.fold_table and number:
            raise CorpusError(
                f"protocol.folds is {number}, but {self.fold_table.name} prescribes the folds; set "
                "one of them"
            )
        if self.fold_table:
            return list(self.fold_table.folds)
        if self.by_corpus:
            return corpus_folds(self.examples)
        groups = speaker_folds(self.examples, number or self.folds, self.predefined_folds)
        folds = []
        for group in groups:
            test = [e for e in self.examples if e.speaker in group]
            folds.append(marked_fold([e for e in self.examples if e.speaker not in group], test))
        return folds

    def further_training(self, fold: Fold) -> list[Example]:
        """Examples of `train_only` that a fold trains on: of no speaker or corpus that it tests."""
        tested = {e.corpus if self.by_corpus else e.speaker for e in fold.test}
        return [
            e for e in self.train_only if (e.corpus if self.by_corpus else e.speaker) not in tested
        ]

    def audio_hashes(self) -> dict[str, str]:
        """Hash of the content of each audio file, by its name within the corpus.

        "" stands for a file that cannot be read.
        """
        examples = [*self.examples, *self.train_only]
        hashes = hash_files(e.path for e in examples)
        return {e.file: hashes[e.path] for e in examples}

    def description(self) -> dict[str, Any]:
        """Name, sizes, license and digest, as results and models store them."""
        counts = Counter(e.label for e in self.examples if e.label)
        return {
            "name": self.name,
            "clips": len(self.examples),
            "speakers": sum(ANONYMOUS not in speaker for speaker in self.speakers),
            "labels": dict(sorted(counts.items())),
            **({"dimensions": self.dimensions} if self.dimensions else {}),
            "terms": self.license,
            "digest": self.digest(),
        }

    def digest(self) -> str:
        """Hash of ids, parts, labels, targets, speakers, splits and fold table, without audio."""
        examples = [*self.examples, *self.train_only]
        rows: list[Any] = sorted((e.file + e.part, e.label, e.speaker, e.split) for e in examples)
        rows += [[e.id, e.targets] for e in examples if e.targets]
        if self.fold_table:
            rows += [[sorted(e.id for e in part) for part in f] for f in self.fold_table.folds]
        if self.train_only:
            rows.append(sorted(e.id for e in self.train_only))
        if self.by_corpus:
            rows.append("by corpus")
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
