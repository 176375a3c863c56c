"""Settings and limits of the server."""

import os
from pathlib import Path

from pydantic import Field

from ..config import Frozen

VARIABLE = "AFFEKT_SERVER"  # environment variable that passes the settings to worker processes
LOOPBACK = ("127.0.0.1", "localhost")


class Settings(Frozen):
    """Settings of one server."""

    models: tuple[str, ...] = ("default", "open")
    """Bundled models or model folders; the first is the default."""
    host: str = "127.0.0.1"
    workers: int = Field(1, ge=1)
    """Number of worker processes."""
    token: str = ""
    """Token that clients must send; without one, the server accepts only this machine."""
    keys: Path | None = None
    """File of the keys of several clients, as `affekt keys` writes it."""
    webhook_hosts: tuple[str, ...] = ()
    """Hosts, such as "example.org" or "example.org:8443", that webhooks may be sent to."""
    webhook_secret: str = ""
    """Secret that signs webhooks: "whsec_" and Base64."""
    state: Path
    """Folder of jobs and their results."""
    adapt: Path | None = None
    """Folder of adapted models; without one, clients cannot adapt models."""
    megabytes: int = Field(50, ge=1)
    """Size limit of a recording in a request."""
    job_megabytes: int = Field(2000, ge=1)
    """Size limit of a recording in a job."""
    waiting: int = Field(128, ge=1)
    """Limit of recognition requests at the same time, in each worker process."""
    jobs: int = Field(64, ge=1)
    """Limit of queued and running jobs."""
    streams: int = Field(16, ge=1)
    """Limit of live streams at the same time, in each worker process."""
    upload_seconds: float = Field(60, gt=0)
    """Time limit of an upload; ten times as long for a job."""
    keep_hours: float = Field(24, gt=0)
    """Hours after which the results of jobs are deleted."""
    device: str = "cpu"
    """Where the encoders run."""
    traces: bool = False
    """Whether spans of OpenTelemetry are sent."""
    metrics: bool = False
    """Whether metrics of OpenTelemetry are sent."""
    drain_seconds: int = Field(20, ge=1)
    """Time to finish running requests at shutdown."""

    @property
    def is_open(self) -> bool:
        """Whether no client has to name itself; the server then accepts only this machine."""
        return not self.token and self.keys is None


def from_environment() -> Settings:
    """Read the settings that ``affekt serve`` passes to its worker processes."""
    return Settings.model_validate_json(os.environ[VARIABLE])
