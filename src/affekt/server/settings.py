"""What the server may do, and how much."""

import os
from pathlib import Path

from pydantic import Field

from ..config import Frozen

VARIABLE = "AFFEKT_SERVER"  # hands the settings to worker processes
LOOPBACK = ("127.0.0.1", "localhost")


class Settings(Frozen):
    """Of one server; every limit has its own answer."""

    models: tuple[str, ...] = ("default", "open")
    """Bundled models or model folders; the first answers who names none."""
    host: str = "127.0.0.1"
    token: str = ""
    """What clients must show; without one only this machine is served."""
    state: Path
    """Folder of jobs and their results."""
    megabytes: int = Field(50, ge=1)
    """Largest recording that is recognised at once."""
    job_megabytes: int = Field(2000, ge=1)
    """Largest recording of a job."""
    waiting: int = Field(128, ge=1)
    """Requests for recognition at the same time."""
    jobs: int = Field(64, ge=1)
    """Jobs waiting or running."""
    streams: int = Field(16, ge=1)
    """Live streams at the same time, in each worker."""
    upload_seconds: float = Field(60, gt=0)
    """Time to send a recording; of a job, ten times that."""
    keep_hours: float = Field(24, gt=0)
    """How long results of jobs are kept."""
    drain_seconds: int = Field(20, ge=1)
    """Time to finish what has begun, when told to stop."""


def from_environment() -> Settings:
    """The settings that ``affekt serve`` left for its workers."""
    return Settings.model_validate_json(os.environ[VARIABLE])
