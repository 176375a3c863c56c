"""Parameters of requests and streams: query parameters, and fields of a form."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ..inference.recognizer import HOP
from ..inference.speakers import MOST
from ..inference.utterances import Options
from .job import Status

Format = Literal["json", "csv", "rttm", "srt", "vtt", "textgrid", "eaf"]
Samples = Literal["int16", "float32", "mulaw", "alaw", "opus", "webm", "ogg"]
SHORTEST_HOP = 0.1  # s; a shorter one takes too much time
Model = TypeVar("Model", bound="Parameters")


class Parameters(BaseModel):
    """Base of all parameters: unknown ones are refused, with the names of those there are."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if unknown := [name for name in values if name not in cls.model_fields]:
            raise PydanticCustomError(
                "unknown_parameter",
                "unknown parameter {given}; {known}",
                {
                    "given": ", ".join(unknown)[:200],
                    "known": f"there are {', '.join(cls.model_fields)}"
                    if cls.model_fields
                    else "there are none",
                },
            )
        return values

    def with_fields(self: Model, fields: dict[str, str]) -> Model:
        """These parameters and those of the fields of a form.

        Raises:
            RequestValidationError: A field is unknown, has a wrong value, or was also given in the
                query.
        """
        given = self.model_dump(exclude_unset=True)
        if twice := given.keys() & fields.keys():
            text = "given twice: in the query and in the form"
            raise RequestValidationError([{"loc": ("form", *sorted(twice)), "msg": text}])
        try:
            return type(self).model_validate(given | fields)
        except ValidationError as error:
            raise RequestValidationError(
                [{**e, "loc": ("form", *e["loc"])} for e in error.errors()]
            ) from error


def _require(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise `RequestValidationError` unless a parameter has one of some values."""
    if value not in known:
        text = f"several recordings are answered as {' or '.join(known)}, not {value}"
        raise RequestValidationError([{"loc": ("form", name), "msg": text}])


class NoParameters(Parameters):
    """A route without parameters."""


def no_parameters(_: Annotated[NoParameters, Query()]) -> None:
    """Dependency of routes without parameters: refuse all."""


class Recognition(Parameters):
    """How a recording is recognised."""

    model: str | None = Field(
        None, max_length=200, description="Name of a model; by default the first one."
    )
    track: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Audio track of a file that has several, from 1 on; by default the default "
        "track of the file, else the first.",
    )
    channels: Literal["mean", "split"] = Field(
        "mean",
        description='"split" recognises each channel separately, as for a call with one party on '
        "each; otherwise the mean of all.",
    )
    speakers: Literal["auto"] | Annotated[int, Field(ge=1, le=MOST)] = Field(
        1, description='Number of speakers on each channel, or "auto" to estimate it (diarisation).'
    )
    hop: float = Field(
        HOP,
        ge=SHORTEST_HOP,
        le=60,
        description="Largest distance between two segments, in seconds; labels and probabilities "
        "of utterances do not depend on it.",
    )

    @property
    def options(self) -> Options:
        """The parameters of `recognise_file`."""
        return Options(split=self.channels == "split", speakers=self.speakers, track=self.track)

    def require_list(self) -> None:
        """Check that the response may be about several recordings.

        Raises:
            RequestValidationError: Its format is that of one recording.
        """


class RecogniseParameters(Recognition):
    """Parameters of ``POST /v1/recognise``."""

    format: Format = Field("json", description="Format of the response.")

    def require_list(self) -> None:
        """See `Recognition.require_list`."""
        _require("format", self.format, ("json",))


class EmotionParameters(Recognition):
    """Parameters of ``POST /v1/audio/emotions``, named as those of OpenAI's ``/v1/audio``."""

    response_format: Format | Literal["verbose_json", "text"] = Field(
        "json",
        description="json has the emotion of the recording, verbose_json its utterances and "
        "segments too, text only the label; the others are files with the utterances.",
    )

    def require_list(self) -> None:
        """See `Recognition.require_list`."""
        _require("response_format", self.response_format, ("json", "verbose_json"))


class JobParameters(Recognition):
    """Parameters of ``POST /v1/jobs``."""

    tag: str = Field(
        "",
        max_length=100,
        description="Name of a group of jobs, by which they can be listed and deleted.",
    )
    keep_hours: float | None = Field(
        None,
        gt=0,
        description="Hours after which an ended job is deleted; at most, and by default, as many "
        "as the server keeps all jobs.",
    )
    webhook: HttpUrl | None = Field(
        None,
        description="URL to which a signed POST is sent when the job has ended. The server must "
        "allow its host.",
    )


class AdaptationParameters(Parameters):
    """Parameters of ``POST /v1/adaptations``."""

    model: str | None = Field(
        None, max_length=200, description="Name of the model to adapt; by default the first one."
    )
    name: str = Field(
        "",
        pattern="^([A-Za-z0-9][A-Za-z0-9_-]{0,39})?$",
        description="Name of the new model; by default that of the old one and -adapted.",
    )


class JobQuery(Parameters):
    """Parameters of ``GET /v1/jobs/{job}``."""

    format: Format = Field("json", description="Format of the result.")
    after: int | None = Field(
        None,
        ge=0,
        le=10**9,
        description="Number of predictions that you have already: the response has the further "
        "ones, also while the job is running.",
    )


class EventsQuery(Parameters):
    """Parameters of ``GET /v1/jobs/{job}/events``."""

    after: int = Field(
        0, ge=0, le=10**9, description="Number of predictions that you have already."
    )


class JobsQuery(Parameters):
    """Parameters of ``GET /v1/jobs``."""

    tag: str | None = Field(None, max_length=100, description="Only jobs with this tag.")
    id: list[str] = Field(
        [], max_length=100, description="Only jobs with these ids; may be repeated."
    )
    status: Status | None = Field(None, description="Only jobs with this status.")
    limit: int = Field(100, ge=1, le=1000, description="Most jobs of a response.")
    after: str = Field(
        "", max_length=32, description="`next` of the last response, for the jobs that follow."
    )


class TagQuery(Parameters):
    """Parameters of ``DELETE /v1/jobs``."""

    tag: str = Field(min_length=1, max_length=100, description="Jobs with this tag are deleted.")


class StreamParameters(Parameters):
    """Parameters of the WebSocket ``/v1/stream``."""

    model: str | None = Field(
        None, max_length=200, description="Name of a model; by default the first one."
    )
    samples: Samples = Field(
        "int16",
        description="What frames are: mono samples (little-endian; mu-law and A-law of G.711), one "
        "Opus packet each, or a webm or ogg file in pieces of any size, as MediaRecorder has them.",
    )
    rate: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Sampling rate of samples in Hz; by default 16000, of mulaw and alaw 8000.",
    )
    hop: float = Field(
        HOP,
        ge=SHORTEST_HOP,
        le=60,
        multiple_of=0.01,
        description="Seconds from one segment to the next.",
    )
