"""The interface of a system under test; the runner knows nothing else of it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import Recording
from ...errors import AffektError
from ...progress import Report
from ...training.clips import Clip


class System(Protocol):
    """A system that learns from labelled clips and then predicts recordings.

    One of your own is named by its dotted path (``affekt evaluate --system my_package:MySystem``)
    and called with the settings (`affekt.config.Config`), once for each fold and seed. It need not
    be derived from this class.

    Attributes:
        labels: Classes in the order of the predicted columns; set by `fit`.
        training_info: What the run should record, as JSON: chosen epochs, validation speakers,
            parameters. It may be empty.
    """

    labels: list[str]
    training_info: dict[str, Any]

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """Learn, with every choice made inside `clips`.

        Args:
            clips: The training part: ``clip.label``, ``clip.example.speaker``,
                ``clip.recording.wave`` ``(samples,)`` at 16 kHz.
            seed: Seed of initial weights, order and inner validation speakers.
            report: Called with an `affekt.progress.Event` after each step worth showing.
            held_out: Clips that choose the epoch of a network in place of inner validation
                speakers; only under ``protocol.paper_protocol``.
        """
        ...

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Probabilities ``(recordings, classes)``; no label goes in, by type."""
        ...


def predict(system: System, recordings: Sequence[Recording]) -> NDArray[np.float64]:
    """The predictions of a system, checked.

    Args:
        system: A system that has learned.
        recordings: Any number.

    Returns:
        Probabilities ``(recordings, classes)``.

    Raises:
        AffektError: It predicts another shape, or rows that are no probabilities.
    """
    name = f"{type(system).__name__}.predict"
    probabilities = np.asarray(system.predict(recordings), np.float64)
    wanted = (len(recordings), len(system.labels))
    if probabilities.shape != wanted:
        raise AffektError(
            f"{name} gives an array {probabilities.shape}; it must be {wanted}: (recordings, "
            "classes)"
        )
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        raise AffektError(f"{name} gives numbers below 0 or not finite; they must be probabilities")
    if not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        raise AffektError(f"{name} gives rows that do not sum to 1; they must be probabilities")
    return probabilities
