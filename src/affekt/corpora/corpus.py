"""A corpus: labelled examples with their speakers, splits and license."""

from dataclasses import dataclass, replace

from ..types import Example
from .splits import official

FOLDS = 5  # where no usual number is known


@dataclass(frozen=True)
class Corpus:
    """Utterances with their origin.

    Attributes:
        name: ``emodb``, or the file name of a manifest.
        examples: In the order of the source; several hundred to many thousand.
        license: Licence and obligations, as the owner states them.
        notes: What the loader left out and why.
        folds: Usual number of speaker-independent test folds.
        predefined_folds: Test speakers of the first folds, where they are published.
        train_only: What is trained on and never tested: further corpora, and classes that not all
            tested corpora have.
    """

    name: str
    examples: tuple[Example, ...]
    license: str
    notes: tuple[str, ...] = ()
    folds: int = FOLDS
    predefined_folds: tuple[tuple[str, ...], ...] = ()
    train_only: tuple[Example, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Classes, sorted."""
        return sorted({u.label for u in self.examples})

    @property
    def speakers(self) -> list[str]:
        """Speakers, sorted."""
        return sorted({u.speaker for u in self.examples})

    def training(self) -> "Corpus":
        """What may be trained on: all that is not marked as test.

        Raises:
            CorpusError: A test speaker stands in another part too.
        """
        test = official(self.examples, "test")
        return replace(self, examples=tuple(u for u in self.examples if u.speaker not in test))
