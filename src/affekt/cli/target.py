"""The files that ``predict --out`` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AffektError
from .app import say

if TYPE_CHECKING:
    from ..types import Prediction


class Target:
    """The file, or the file for each recording, that ``--out`` asks for.

    Raises:
        AffektError: A file is there already, or no format has its suffix: before any work.
    """

    def __init__(self, out: Path, files: Sequence[str]) -> None:
        from ..audio.decoding import shown
        from ..formats.writers import writer

        self._write, self.each = writer(out)
        self.told: dict[Path, list[Prediction]] = {}
        self.path_of: dict[str, Path] = {}
        for file in dict.fromkeys(files):
            single = len(set(files)) == 1 or not self.each
            own = out if single else named(out, shown(file), list(self.told))
            self.path_of[shown(file)] = own
            self.told[own] = []
        for path in self.told:
            if path.exists():
                raise AffektError(f"{path}: exists; choose another name")

    def take(self, prediction: "Prediction") -> None:
        """Keep a prediction for its file."""
        self.told[self.path_of[prediction.file]].append(prediction)

    def drop(self, file: str) -> None:
        """A recording that could not be read gets no file of its own."""
        from ..audio.decoding import shown

        if self.each:
            self.told.pop(self.path_of[shown(file)], None)

    def write(self) -> None:
        """Write all files, each whole or not at all."""
        many = self.each and len(self.told) > 1
        for path, told in self.told.items():
            self._write(told, path)
            say(f"written: {path}" + (f", of {told[0].file}" if many and told else ""))


def named(path: Path, file: str, taken: list[Path]) -> Path:
    """The file for one of several recordings; recordings of the same name are numbered."""
    stem = f"{path.stem}-{Path(file).stem}"
    own, number = path.with_stem(stem), 2
    while own in taken:
        own, number = path.with_stem(f"{stem}-{number}"), number + 1
    return own
