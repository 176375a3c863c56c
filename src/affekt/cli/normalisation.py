"""The option ``--normalisation`` of predict and listen."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AffektError
from .aliases import UNTIL
from .app import say

if TYPE_CHECKING:
    from ..inference.recognizer import SeveralNormalisation


def read_normalisation(value: str, auto: str, names: tuple[str, ...]) -> "SeveralNormalisation":
    """What standardises the embeddings: one of the names, or the statistics in a file.

    Args:
        value: Of the option.
        auto: The name that "auto" was in version 0.1.
        names: Names that the command knows.

    Raises:
        AffektError: It is no name and no file of statistics.
    """
    from ..inference.normalisation import load_statistics

    if value == "auto":
        say(f"--normalisation auto is now {auto}; the old name works until version {UNTIL}")
        value = auto
    if value in names:
        return value  # type: ignore[return-value]  # one of the names
    if not Path(value).exists():
        choices = ", ".join(names)
        raise AffektError(
            f"--normalisation {value}: choose {choices}, or a file of affekt adapt --unlabelled"
        )
    return load_statistics(Path(value))
