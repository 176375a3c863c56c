"""Output files of ``predict --out``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic import check_writable
from ..errors import AffektError
from .app import say

if TYPE_CHECKING:
    from ..types import Prediction


class Target:
    """The output file of ``--out``, or one for each recording, depending on the format.

    Args:
        out: Path of the file; with several files, the beginning of their names.
        files: The recordings.

    Raises:
        AffektError: A file exists or cannot be written, or no format has its suffix.
    """

    def __init__(self, out: Path, files: Sequence[str]) -> None:
        from ..audio.source import shown
        from ..formats.writers import writer

        self._write, self.each = writer(out)
        self.predictions: dict[Path, list[Prediction]] = {}
        self.path_of: dict[str, Path] = {}
        for file in dict.fromkeys(files):
            single = len(set(files)) == 1 or not self.each
            own = out if single else named(out, shown(file), list(self.predictions))
            self.path_of[shown(file)] = own
            self.predictions[own] = []
        for path in self.predictions:
            if path.exists():
                raise AffektError(f"{path}: exists; choose another name")
        check_writable(out)

    def take(self, prediction: "Prediction") -> None:
        """Add a prediction to its file."""
        self.predictions[self.path_of[prediction.file]].append(prediction)

    def drop(self, file: str) -> None:
        """Drop the predictions of a recording that could not be read to its end."""
        from ..audio.source import shown

        path = self.path_of[shown(file)]
        self.predictions[path] = [p for p in self.predictions[path] if p.file != shown(file)]

    def write(self) -> None:
        """Write all files, each atomically; none without predictions."""
        written = {path: own for path, own in self.predictions.items() if own}
        many = self.each and len(written) > 1
        for path, predictions in written.items():
            self._write(predictions, path)
            say(f"written: {path}" + (f", of {predictions[0].file}" if many else ""))


def named(path: Path, file: str, taken: list[Path]) -> Path:
    """Path for one of several recordings; recordings of the same name are numbered.

    Args:
        path: Path that the user gave.
        file: The recording.
        taken: Paths of other recordings.
    """
    stem = f"{path.stem}-{Path(file).stem.strip('<>')}"  # <stdin>
    own, number = path.with_stem(stem), 2
    while own in taken:
        own, number = path.with_stem(f"{stem}-{number}"), number + 1
    return own
