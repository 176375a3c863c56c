"""Client of ``affekt serve``; it needs the extra ``serve``, and loads no model."""

from ..extras import optional_import

with optional_import("affekt.client"):
    from .client import Client, Parameters
    from .jobs import Job, JobFailedError, Progress
    from .live import StreamError, StreamParameters
    from .transport import ServerError

__all__ = [
    "Client",
    "Job",
    "JobFailedError",
    "Parameters",
    "Progress",
    "ServerError",
    "StreamError",
    "StreamParameters",
]
