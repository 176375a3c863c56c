"""The interface of an evaluated system, and the check of its predictions."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import Recording
from ...config import Config
from ...errors import AffektError
from ...progress import Report
from ...training.clips import Clip

Grouping = Sequence[str]  # group of each recording


class System(Protocol):
    """A system that is trained on labelled clips and then predicts recordings.

    A system of your own is given by its dotted path (``affekt evaluate --system
    my_package:MySystem``) and is called with the settings (`affekt.config.Config`), once for each
    fold and seed. It need not be derived from this class.

    Attributes:
        labels: Classes, or dimensions, in the order of the predicted columns; set by `fit`.
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
        """Train, with every choice made inside `clips`.

        Args:
            clips: The training part: ``clip.label``, ``clip.example.speaker``,
                ``clip.recording.wave`` ``(samples,)`` at 16 kHz.
            seed: Seed of initial weights, order and inner validation speakers.
            report: Called with an `affekt.progress.Event` after each step worth showing.
            held_out: Clips on which a network selects its epoch, in place of inner validation
                speakers; only under ``protocol.paper_protocol``.
        """
        ...

    def predict(self, recordings: Sequence[Recording]) -> NDArray[np.float64]:
        """Predict probabilities ``(recordings, classes)``, or values of dimensions."""
        ...


class TrainingPart(NamedTuple):
    """The arguments of `System.fit`."""

    clips: Sequence[Clip]
    seed: int
    report: Report
    held_out: Sequence[Clip] | None


class ConfiguredSystem:
    """Base of the systems of this package; see `System`.

    Args:
        config: Settings.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.labels: list[str] = []
        self.training_info: dict[str, Any] = {}

    def train(self, part: TrainingPart) -> None:
        """Train, and set `labels` and `training_info`."""
        raise NotImplementedError

    def fit(
        self,
        clips: Sequence[Clip],
        seed: int,
        report: Report,
        held_out: Sequence[Clip] | None = None,
    ) -> None:
        """Train; see `System.fit`."""
        self.train(TrainingPart(clips, seed, report, held_out))


class NormalisingSystem(System, Protocol):
    """A system that can standardise recordings by their own unlabelled statistics."""

    def predict_grouped(
        self, recordings: Sequence[Recording], groupings: Sequence[Grouping | None]
    ) -> list[NDArray[np.float64]]:
        """Predict the same recordings once with each grouping, as `predict` does.

        Args:
            recordings: Any number of recordings.
            groupings: Group of each recording: those of a group are standardised by their common
                statistics; None for predictions that use no statistics.
        """
        ...


def predict(
    system: System, recordings: Sequence[Recording], *, classes: bool = True
) -> NDArray[np.float64]:
    """Predict recordings with a trained system, and check what it predicts.

    Args:
        system: A trained system.
        recordings: Any number of recordings.
        classes: Whether it predicts probabilities, not dimensions.

    Returns:
        Probabilities ``(recordings, classes)``, or values of dimensions.

    Raises:
        AffektError: The array has another shape, or a row does not hold probabilities or numbers.
    """
    predicted = system.predict(recordings)
    return _checked(system, predicted, len(recordings), classes=classes)


def predict_grouped(
    system: NormalisingSystem,
    recordings: Sequence[Recording],
    groupings: Sequence[Grouping | None],
    *,
    classes: bool = True,
) -> list[NDArray[np.float64]]:
    """`predict` once with each grouping of `NormalisingSystem.predict_grouped`.

    Args:
        system: A trained system.
        recordings: Any number of recordings.
        groupings: Groups of the recordings.
        classes: Whether it predicts probabilities, not dimensions.

    Raises:
        AffektError: As of `predict`.
    """
    each = system.predict_grouped(recordings, groupings)
    return [_checked(system, predicted, len(recordings), classes=classes) for predicted in each]


def _checked(
    system: System, predicted: NDArray[np.float64], recordings: int, *, classes: bool
) -> NDArray[np.float64]:
    """Predictions of a system, if they are what they must be.

    Args:
        system: The system, for the message.
        predicted: What it predicts.
        recordings: Number of recordings.
        classes: Whether it predicts probabilities, not dimensions.
    """
    name = f"{type(system).__name__}.predict"
    probabilities = np.asarray(predicted, np.float64)
    wanted = (recordings, len(system.labels))
    if probabilities.shape != wanted:
        raise AffektError(
            f"{name} returns an array of shape {probabilities.shape}; it must be {wanted}: "
            "(recordings, classes)"
        )
    if not classes:
        if not np.isfinite(probabilities).all():
            raise AffektError(f"{name} returns values that are not finite")
        return probabilities
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        raise AffektError(
            f"{name} returns values below 0 or not finite; it must return probabilities"
        )
    if not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        raise AffektError(f"{name} returns rows that do not sum to 1; it must return probabilities")
    return probabilities
