"""The result of an evaluation on classes as metrics.json holds it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from .config import Config, explain
from .errors import AffektError
from .nn.training_info import CorpusInfo, Record, TrainingInfo
from .provenance import comparable
from .renamed_settings import renamed_keys
from .types import unit_of

FILE = "metrics.json"
RECORDINGS = "recordings.json"  # hash of each audio file, next to metrics.json


class Confusion(Record):
    """Confusion matrix, summed over folds and seeds.

    Attributes:
        labels: Classes, in the order of rows and columns.
        counts: ``(classes, classes)``; true classes in rows, predicted ones in columns.
    """

    labels: list[str]
    counts: list[list[int]]


class FoldScores(Record):
    """Scores on one test fold, mean over seeds."""

    test_speakers: list[str]
    WA: float
    UAR: float
    macro_f1: float
    MAP: float


class ClassScores(Record):
    """Recall and precision of one class, and its number of test clips."""

    recall: float
    precision: float
    clips: int


class SpeakerScores(Record):
    """Scores on one test speaker, mean over seeds."""

    WA: float
    UAR: float
    macro_f1: float
    MAP: float
    clips: int


class SoftScores(Record):
    """Scores against soft labels, the mean over clips and seeds.

    Attributes:
        cross_entropy: Of the probabilities to the shares of the annotators' votes, in nats.
        kl_divergence: The same less the entropy of the shares, which no model can go below.
        ci95: 95 % confidence interval of each; None for one speaker.
    """

    cross_entropy: float
    kl_divergence: float
    ci95: dict[str, tuple[float, float] | None]


class ExistingModel(Record):
    """How an existing model or another tool's predictions were scored.

    Attributes:
        name: Name of the model, or of the file of predictions.
        unseen_speakers: Whether no test speaker is known to be in the model's training data;
            None if the training data or the test speakers are unknown.
        coverage: Share of the test clips that were accepted, that is not "uncertain".
        accepted: WA, UAR, macro-F1 and MAP on the accepted clips alone; the main scores take the
            most probable class of every clip.
        left_out: Number of clips of each class that the model does not have.
    """

    name: str
    unseen_speakers: bool | None = None
    coverage: float | None = None
    accepted: dict[str, float] | None = None
    left_out: dict[str, int] = Field(default_factory=dict)


class EvaluationResult(Record):
    """What evaluations of classes and of dimensions have in common: protocol and provenance.

    Attributes:
        seeds: Number of seeds.
        clips: Number of test clips.
        system: Name of the system.
        title: What tables call it, with its marks.
        protocol: How the score came about, as a sentence.
        notes: What to know when reading the score.
        gender: Gender of each test speaker, where known.
        runs: The training of each fold and seed; empty where nothing was trained.
        audio_warnings: Warnings of the decoder, by clip.
        corpus: The corpus.
        config: Settings, under today's keys.
        versions: Versions of affekt, Python and libraries, and a hash of affekt's source code.
        hashes: Content hash of the weights and of the user's parts, by the setting that names them.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="allow")

    seeds: int
    clips: int
    system: str = ""
    title: str = ""
    protocol: str = ""
    notes: list[str] = Field(default_factory=list)
    gender: dict[str, str] = Field(default_factory=dict)
    runs: list[TrainingInfo] = Field(default_factory=list)
    audio_warnings: dict[str, list[str]] = Field(default_factory=dict)
    corpus: CorpusInfo = CorpusInfo()
    config: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    hashes: dict[str, str] = Field(default_factory=dict)

    @field_validator("config")
    @classmethod
    def _todays_keys(cls, config: dict[str, Any]) -> dict[str, Any]:
        return renamed_keys(config)[0]

    @property
    def settings(self) -> Config:
        """The settings, checked; those that an old file lacks are at their defaults.

        Raises:
            AffektError: They are no settings of affekt.
        """
        try:
            return Config.model_validate(self.config)
        except ValidationError as error:
            raise AffektError(f"{FILE}: wrong config: {explain(error)}") from error

    def identity(self) -> dict[str, Any]:
        """What the run was made of; see `affekt.provenance.identity`.

        Values that an earlier version did not record are absent.
        """
        stored = {
            "system": self.system,
            "corpus": self.corpus.to_json(),
            "config": self.settings.model_dump(mode="json"),
            "versions": self.versions,
        }
        if "hashes" in self.model_fields_set:
            stored["hashes"] = self.hashes
        return comparable(stored)

    def to_json(self) -> dict[str, Any]:
        """The content of metrics.json, scores first."""
        common = EvaluationResult.model_fields
        return dict(sorted(super().to_json().items(), key=lambda item: item[0] in common))

    def __getitem__(self, key: str) -> Any:
        """A value of the file by its key, as version 0.1 returned a dict; use the attributes."""
        return self.to_json()[key]


class RunResult(EvaluationResult):
    """An evaluation on classes: scores and intervals.

    Attributes:
        WA: Accuracy.
        UAR: Unweighted average recall.
        macro_f1: Mean F1 of the classes.
        MAP: Macro precision, which MEC 2017 calls MAP.
        chance_UAR: UAR of guessing.
        sd: Standard deviation of each score over seeds; None for one seed.
        ci95: 95 % confidence interval of each score; None for one speaker.
        folds: Scores of each fold.
        per_class: Scores of each class.
        per_speaker: Scores of each test speaker.
        confusion: Confusion matrix.
        majority: Accuracy of always predicting the most frequent class of the test clips.
        soft: Set where the labels are soft; the other scores are those of the majority labels.
        existing: Set where an existing model or predictions were scored.
    """

    WA: float
    UAR: float
    macro_f1: float
    MAP: float
    chance_UAR: float
    sd: dict[str, float | None]
    ci95: dict[str, tuple[float, float] | None]
    folds: list[FoldScores]
    per_class: dict[str, ClassScores]
    per_speaker: dict[str, SpeakerScores]
    confusion: Confusion
    majority: float
    soft: SoftScores | None = None
    existing: ExistingModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _majority_of_the_test_clips(cls, values: Any) -> Any:
        """Give files of version 0.1, which count the training part, today's definition."""
        if not isinstance(values, dict) or "confusion" not in values:
            return values
        versions = values.get("versions")
        if isinstance(versions, dict) and "code" in versions:
            return values
        clips = [sum(row) for row in Confusion.model_validate(values["confusion"]).counts]
        return values | {"majority": round(max(clips, default=0) / max(sum(clips), 1), 4)}

    @property
    def unit(self) -> str:
        """What the intervals are over: "speakers", or "clips" where speakers are unknown."""
        return unit_of(self.per_speaker)

    def score(self, name: str) -> float:
        """One of `affekt.metrics.SCORES` by its name."""
        return float(getattr(self, name))


def load_run_result(place: str | Path) -> RunResult:
    """Read metrics.json, of this version or an earlier one.

    Args:
        place: The file, or the folder of the run.

    Raises:
        AffektError: There is no such file, it is not of ``affekt evaluate``, or it has the scores
            of dimensions.
    """
    path = Path(place) / FILE if Path(place).is_dir() else Path(place)
    try:
        values = json.loads(path.read_text("utf-8"))
        if isinstance(values, dict) and values.get("dimensions"):
            raise AffektError(f"{path}: has the scores of dimensions; this needs those of classes")
        return RunResult.model_validate(values)
    except ValidationError as error:
        text = f"{path}: not a {FILE} of affekt evaluate ({explain(error)})"
        raise AffektError(text) from error
    except (OSError, ValueError) as error:
        raise AffektError(f"{path}: not a {FILE} of affekt evaluate ({error})") from error


def run_identity(folder: Path) -> dict[str, Any]:
    """Identity of a finished run, with the hash of each recording where it has them.

    Raises:
        AffektError: As of `load_run_result`.
    """
    stored = load_run_result(folder).identity()
    with suppress(OSError, ValueError):
        stored["recordings"] = json.loads((folder / RECORDINGS).read_text("utf-8"))
    return stored


def to_text(result: EvaluationResult) -> str:
    """The content of metrics.json."""
    return json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n"
