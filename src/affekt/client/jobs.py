"""Jobs as the client has them, and their events."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from ..errors import AffektError
from ..types import Prediction


class JobFailedError(AffektError):
    """The recording of a job cannot be recognised, or the job was deleted."""


@dataclass(frozen=True)
class Job:
    """A recording that is or was recognised in the background.

    Attributes:
        id: By which it is found.
        status: Where it stands.
        progress: Fraction of the recording that was recognised, 0 to 1.
        file: Name of the file.
        model: Name of the model.
        error: Why it failed, or "".
        warnings: Of the recording as a whole.
        tag: Name of its group, or "".
        created: When it was queued.
        expires: When it is deleted; None until it has ended.
        available: Number of predictions so far.
    """

    id: str
    status: Literal["queued", "running", "done", "failed"]
    progress: float
    file: str
    model: str
    error: str
    warnings: list[str]
    tag: str
    created: datetime
    expires: datetime | None
    available: int

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Job":
        """The job of a response; what later servers add is left out."""
        times = {
            name: datetime.fromisoformat(values[name]) if values[name] else None
            for name in ("created", "expires")
        }
        return cls(**{name: values[name] for name in cls.__dataclass_fields__} | times)


@dataclass(frozen=True)
class Progress:
    """How far a job is; the last event of a job has another status than running.

    Attributes:
        status: queued, running, done, failed or deleted.
        progress: Fraction of the recording, 0 to 1.
        error: Why it failed, or "".
    """

    status: str
    progress: float
    error: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether no event follows."""
        return self.status in ("done", "failed", "deleted")


class Event(NamedTuple):
    """A server-sent event.

    Attributes:
        name: What happened.
        id: By which the events after it are asked for, or "".
        data: JSON.
    """

    name: str
    id: str
    data: Any

    @property
    def content(self) -> Prediction | Progress:
        """The event as an object of the client."""
        if self.name == "utterance":
            return Prediction.from_dict(self.data)
        return Progress(**self.data)


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a text/event-stream, as far as the server of affekt uses the format."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:  # of a comment it is empty
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            yield Event(fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}
