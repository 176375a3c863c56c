"""Response bodies of the API, described in ``/openapi.json``."""

from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from .job import Status

STATUSES = get_args(Status)


class Segment(BaseModel):
    """One 0.96 s segment."""

    start: float = Field(description="Seconds from the beginning of the file.")
    end: float = Field(description="Seconds from the beginning of the file.")
    label: str = Field(description='The most probable class, or "uncertain".')
    probabilities: dict[str, float] = Field(description="By class, summing to 1.")
    attention: float = Field(description="Weight in the result; the weights sum to 1.")


class Prediction(BaseModel):
    """The emotion of a recording or of one utterance: what ``affekt predict --json`` prints.

    A key that a later version adds to `affekt.types.Prediction.to_dict` is passed on as it is.
    """

    model_config = ConfigDict(extra="allow")

    file: str = Field(description="The client's name of the file.")
    duration: float = Field(description="Seconds.")
    label: str = Field(description='The most probable class, or "uncertain".')
    confidence: float = Field(description="Calibrated probability of the most probable class.")
    probabilities: dict[str, float] = Field(description="By class, summing to 1.")
    segments: list[Segment]
    model: str
    license: str = Field(description="Terms of use of the model.")
    rejection_reason: str = Field(description='Why the label is "uncertain", or "".')
    normalisation_segments: int = Field(
        description="Segments whose statistics normalised this recording; 0: none."
    )
    warnings: list[str]
    start: float = Field(description="Where the utterance begins in the file, in seconds.")
    channel: int = Field(description="Channel, from 1 on; 0 where channels were mixed.")
    speaker: str = Field(
        description='Name of the speaker, as in "speaker 1", where voices were told apart; else "".'
    )
    file_duration: float | None = Field(description="Seconds of the whole file, where known.")
    vad: str = Field(description='Detector of the utterances: "silero" or "level".')
    arithmetic: str = Field(description='"bfloat16" or "float32".')
    second_label: str = Field(
        description="The second most probable class where it is nearly as probable as the first."
    )
    arousal: float | None = Field(
        None,
        description="From -1 (calm) to 1 (excited): derived from the classes by published "
        "positions, not trained on dimensional annotations; null where a class has no position "
        "or no emotion is given.",
    )
    valence: float | None = Field(
        None, description="From -1 (unpleasant) to 1 (pleasant), derived as `arousal` is."
    )
    warning_codes: list[str] = Field(description="A code for each of `warnings`.")
    terms: str = Field(deprecated=True, description="Use `license`.")
    reason: str = Field(deprecated=True, description="Use `rejection_reason`.")
    source_segments: int = Field(deprecated=True, description="Use `normalisation_segments`.")


class Recording(Prediction):
    """The emotion of a whole recording, and that of each of its utterances."""

    utterances: list[Prediction] = Field(
        description="In the order of time; one that says so where nobody speaks."
    )


class Emotion(BaseModel):
    """The emotion of a whole recording, in short."""

    label: str = Field(description='The most probable class, or "uncertain".')
    confidence: float = Field(description="Calibrated probability of the most probable class.")
    probabilities: dict[str, float] = Field(description="By class, summing to 1.")
    rejection_reason: str = Field(description='Why the label is "uncertain", or "".')
    duration: float = Field(description="Seconds.")
    model: str
    license: str = Field(description="Terms of use of the model.")


class JobState(BaseModel):
    """A job; ``result`` is null until it is done, unless the request had ``after``."""

    id: str
    status: Status
    progress: float = Field(description="Fraction of the recording, 0 to 1.")
    file: str = Field(description="The client's name of the file.")
    model: str
    warnings: list[str] = Field(description="Of the recording as a whole, such as damage.")
    error: str = Field(description='Why the job failed, or "".')
    track: int | None = Field(description="The audio track that the request chose.")
    speakers: Literal["auto"] | int = Field(description="As the request chose.")
    channels: Literal["mean", "split"] = Field(description="As the request chose.")
    hop: float = Field(description="As the request chose.")
    tag: str = Field(description='Name of its group, or "".')
    created: datetime = Field(description="When it was queued.")
    expires: datetime | None = Field(description="When it is deleted; null until it has ended.")
    available: int = Field(description="Number of predictions so far.")
    result: list[Prediction] | None = Field(
        None, description="One prediction for each utterance, those before `after` left out."
    )


class JobList(BaseModel):
    """Jobs, the latest first, without their results."""

    jobs: list[JobState]
    next: str | None = Field(
        description="Value of `after` for the jobs that follow; null where none do."
    )


class Deleted(BaseModel):
    """How many jobs were deleted."""

    deleted: int


class JobEvent(BaseModel):
    """The data of the last event of a job, and of those about its progress."""

    status: Status | Literal["deleted"]
    progress: float = Field(description="Fraction of the recording, 0 to 1.")
    error: str = Field("", description='Why the job failed, or "".')


class AdaptationResult(BaseModel):
    """A new model, and its scores in cross-validation."""

    labels: list[str] = Field(description="Classes of the new model.")
    speakers: int = Field(description="Number of speakers of the clips.")
    before_UAR: float = Field(description="Unweighted average recall of the old model, 0 to 1.")
    after_UAR: float = Field(
        description="The same of models that were adapted without the clips they are tested on."
    )
    gain95: tuple[float, float] = Field(description="95 % confidence interval of the difference.")
    held_out: Literal["speakers", "clips"] = Field(
        description='What the tests hold out; "clips" of a single speaker, for whom alone the '
        "scores then count."
    )
    notes: list[str] = Field(description="Limits of the scores.")


class Adaptation(BaseModel):
    """An adaptation of a model to labelled clips."""

    id: str
    name: str = Field(description="Name of the new model, once it is done.")
    model: str = Field(description="The model that is adapted.")
    clips: dict[str, int] = Field(description="Number of clips of each label.")
    status: Status
    created: datetime
    error: str = Field(description='Why it failed, or "".')
    result: AdaptationResult | None


class Model(BaseModel):
    """A model that requests can name."""

    name: str
    labels: list[str]
    intended_use: str
    license: str
    default: bool = Field(description="Whether it answers requests that name no model.")
    note: str = Field(deprecated=True, description="Use `intended_use`.")
    terms: str = Field(deprecated=True, description="Use `license`.")


class Reloaded(BaseModel):
    """Which models were loaded anew."""

    loaded: list[str] = Field(description="Names of those whose files had changed.")
    unchanged: list[str]


class Failure(BaseModel):
    """Why one of several recordings of a request failed."""

    file: str = Field(description="The client's name of the file.")
    code: int = Field(description="Status code of a request with this recording alone.")
    detail: str


class Problem(BaseModel):
    """Why a request failed."""

    detail: str
