"""Record of a training, in config.json of a model and under ``runs`` in metrics.json."""

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ..types import ClassBalance


class Record(BaseModel):
    """Base of immutable records in JSON files; only fields that were set are written."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, under its keys on disk."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class CorpusInfo(Record):
    """The corpus behind a model or a score."""

    name: str = ""
    clips: int = 0
    speakers: int = 0
    """Number of known speakers; 0 where speakers are unknown."""
    labels: dict[str, int] = Field(default_factory=dict)
    """Number of clips of each class."""
    dimensions: list[str] = Field(default_factory=list)
    """Dimensions whose values are the targets, in place of classes."""
    license: str = Field(
        "", validation_alias=AliasChoices("terms", "license"), serialization_alias="terms"
    )
    """License of each corpus."""
    digest: str = ""
    """Hash of ids, labels, speakers and splits."""
    audio: str = ""
    """Hash of the content of the audio files; "" where an earlier version did not record it."""


class AdaptedFrom(Record):
    """The model that was adapted."""

    name: str
    corpus: CorpusInfo = CorpusInfo()


class LeftOut(Record):
    """Calibration on corpora that were left out of training in turn.

    Attributes:
        temperature: Divides logits that were already calibrated on validation speakers.
        known_source: Whether the test clips were standardised by statistics of their own speaker or
            domain.
        corpora: Temperature with the highest likelihood for each corpus.
    """

    temperature: float
    known_source: bool
    corpora: dict[str, float]


class TrainingInfo(Record):
    """Record of a training: data, selected settings, curves.

    A field that does not apply is absent. Further fields, for instance of a system of the user, are
    allowed.
    """

    model_config = ConfigDict(extra="allow")

    seed: int | None = None
    fold: int | None = None
    """Number of the test fold, from 0."""
    training_speakers: list[str] | None = None
    training_clips: dict[str, int] | None = None
    """Clips of each class that ``protocol.training_imbalance`` left to train on, validation
    included."""
    encoder: str | None = None
    """Where the encoder's weights came from."""
    plan: dict[str, float | str] | None = None
    """Hop in seconds of each class in training, or "ends"."""
    validation_speakers: list[str] | None = None
    """Speakers (inside the training part) whose loss chose the epochs."""
    validation_lacks: list[str] | None = None
    """Classes of which there is no validation clip."""
    training_lacks: list[str] | None = None
    """Classes of which there are only validation clips."""
    stage1_epochs: int | None = None
    stage2_epochs: int | None = None
    epochs: int | None = None
    """Epochs of a system that is trained in one stage."""
    validation_UAR: float | None = None
    validation_CCC: float | None = None
    """Of a training on dimensions, their mean."""
    temperatures: tuple[float, float] | None = None
    """Temperature of the softmax without normalisation statistics, and with them."""
    refit: bool | None = None
    """Whether the final weights were trained on the validation speakers too."""
    interrupted: bool | None = None
    """Whether Ctrl-C ended the training early."""
    balance: list[ClassBalance] | None = None
    curves: dict[str, dict[str, list[float]]] | None = None
    """Losses and validation UAR by epoch, of each stage."""
    features: str | None = None
    """Feature set of a system without a network."""
    chosen: dict[str, Any] | None = None
    """Hyper-parameters that cross-validation chose."""
    C: float | None = None
    """Penalty of a support vector machine on embeddings."""
    adapted_from: AdaptedFrom | None = None
    before_UAR: float | None = None
    """UAR of the model before it was adapted, on the same clips."""
    after_UAR: float | None = None
    gain95: tuple[float, float] | None = None
    """95 % confidence interval of the difference."""
    held_out: str | None = None
    """What was held out at a time when adapting: "speakers" or "clips"."""
    audio_warnings: dict[str, int] | None = None
    """Number of recordings with each warning."""
    corpus: CorpusInfo | None = None
    notes: list[str] | None = None
    """What was left out of the corpus, and why."""
    config: dict[str, Any] | None = None
    """Settings, as they were written."""
    versions: dict[str, str] | None = None
    hashes: dict[str, str] | None = None
    """Content hash of the weights and parts that the settings name, by setting."""
    left_out: list[LeftOut] | None = None

    def with_values(self, **values: Any) -> "TrainingInfo":
        """A copy in which these fields are added or replaced."""
        return TrainingInfo.model_validate(self.to_json() | values)
