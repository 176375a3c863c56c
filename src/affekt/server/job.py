"""A job, as it is stored."""

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..inference.recognizer import HOP
from ..inference.speakers import SpeakerCount
from ..inference.utterances import Options

Status = Literal["queued", "running", "done", "failed"]
LONGEST = 12 * 3600.0  # s of a recording; also of one whose duration is not known


@dataclass(frozen=True)
class NewJob:
    """A recording that is to be recognised.

    Attributes:
        file: The client's name of the file.
        model: Name of the model.
        path: Uploaded recording; deleted when the job ends.
        seconds: Duration of the recording, if known or as its header states; else `LONGEST`.
        track: The audio track, as of `Decoder`.
        speakers: Number of speakers, or "auto".
        channels: "split" if channels are recognised separately, or "mean".
        hop: Largest distance between two segments, in seconds.
        tag: The client's name of a group of jobs, or "".
        owner: Name of the key that submitted it, or "".
        keep: Seconds after its end at which the job is deleted; None for the server's limit.
        webhook: URL to which a message is sent when the job has ended, or "".
        idempotency_key: The client's name of the request, or None.
        fingerprint: Hash of the request.
    """

    file: str
    model: str
    path: Path
    seconds: float = LONGEST
    track: int | None = None
    speakers: SpeakerCount = 1
    channels: Literal["mean", "split"] = "mean"
    hop: float = HOP
    tag: str = ""
    owner: str = ""
    keep: float | None = None
    webhook: str = ""
    idempotency_key: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, kw_only=True)
class Job(NewJob):
    """A recording that is or was recognised.

    Attributes:
        id: 32 hexadecimal digits.
        status: Where it stands.
        created: Seconds since 1970.
        beat: When its worker was last known to work on it, or its end.
        attempts: Number of times that a worker has started the job.
        progress: Fraction of the recording that was recognised, 0 to 1.
        warnings: Warnings about the file, such as damage.
        error: Why the job failed, or "".
        webhook_tries: Number of times that the webhook was called.
    """

    id: str
    status: Status
    created: float
    beat: float
    attempts: int
    progress: float
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    webhook_tries: int = 0

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "Job":
        """The job of a row of the table."""
        values = {name: row[name] for name in cls.__dataclass_fields__}
        speakers = values["speakers"]
        return cls(
            **values
            | {
                "path": Path(values["path"]),
                "speakers": "auto" if speakers == "auto" else int(speakers),
                "warnings": json.loads(values["warnings"]),
            }
        )

    @property
    def options(self) -> Options:
        """How it is recognised."""
        return Options(split=self.channels == "split", speakers=self.speakers, track=self.track)

    @property
    def has_ended(self) -> bool:
        """Whether it is done or failed."""
        return self.status in ("done", "failed")

    def expires(self, keep_seconds: float) -> float | None:
        """When it is deleted, in seconds since 1970; None while it has not ended.

        Args:
            keep_seconds: The server's limit.
        """
        return self.beat + min(self.keep or keep_seconds, keep_seconds) if self.has_ended else None
