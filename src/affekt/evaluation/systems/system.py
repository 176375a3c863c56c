"""What a system under test is. The runner knows nothing else of it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import Recording
from ...progress import Report
from ...training.clips import Clip


class System(Protocol):
    """A system that learns from labelled clips and then predicts recordings.

    Attributes:
        labels: Classes in the order of the predicted columns, known after `fit`.
        training_info: What the run should record: chosen epochs, validation speakers, plan.
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
            clips: The training part.
            seed: Start, order, inner validation speakers.
            report: Progress.
            held_out: Clips that choose the epoch in place of inner validation speakers, of
                networks; only under ``protocol.paper_protocol``.
        """
        ...

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Probabilities ``(recordings, classes)``; no label goes in, by type."""
        ...
