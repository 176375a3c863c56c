"""The result of an evaluation on dimensions as metrics.json holds it."""

from .nn.training_info import Record
from .run_result import EvaluationResult
from .types import unit_of


class DimensionScores(Record):
    """Scores of one dimension.

    Attributes:
        CCC: Concordance correlation coefficient (Lin, 1989), of all folds together, mean over
            seeds.
        RMSE: Root of the mean squared error.
        sd: Standard deviation of each score over seeds; None for one seed.
        ci95: 95 % confidence interval of each score; None for one speaker.
        target_sd: Standard deviation of the targets: the RMSE of always predicting their mean.
    """

    CCC: float
    RMSE: float
    sd: dict[str, float | None]
    ci95: dict[str, tuple[float, float] | None]
    target_sd: float


class GroupScores(Record):
    """CCC of each dimension on the clips of one fold, mean over seeds.

    Attributes:
        test_speakers: Its speakers.
        CCC: By dimension.
    """

    test_speakers: list[str]
    CCC: dict[str, float]


class DimensionResult(EvaluationResult):
    """An evaluation on dimensions.

    Attributes:
        CCC: Mean of the dimensions.
        dimensions: Scores of each.
        folds: Scores of each fold.
        clips_of: Number of test clips of each speaker.
    """

    CCC: float
    dimensions: dict[str, DimensionScores]
    folds: list[GroupScores]
    clips_of: dict[str, int]

    @property
    def unit(self) -> str:
        """What the intervals are over: "speakers", or "clips" where speakers are unknown."""
        return unit_of(self.clips_of)
