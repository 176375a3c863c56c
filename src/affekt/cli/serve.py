"""``affekt serve``."""

import os
import re
import signal
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from ..errors import AffektError
from .app import app, say


@app.command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    model: tuple[str, ...] = ("default", "open"),
    workers: int = 1,
    token: str = "",
    state: Path | None = None,
    megabytes: int = 50,
    jobs: int = 64,
    waiting: int = 128,
    keep_hours: float = 24,
) -> int:
    """Serve recognition over HTTP and WebSocket, and a page at /.

    Parameters
    ----------
    host:
        Address to listen on; beyond this machine only with a token.
    port:
        Port to listen on.
    model:
        Bundled model or model folder; may be given several times. The first answers who names none.
    workers:
        Processes; each holds the models.
    token:
        What clients must send as "Authorization: Bearer TOKEN". Better set by $AFFEKT_TOKEN, where
        other users of the machine do not see it.
    state:
        Folder of jobs and their results; $AFFEKT_STATE or ~/.local/state/affekt.
    megabytes:
        Largest recording that is recognised at once; one of a job may be 40 times as large.
    jobs:
        Jobs waiting or running.
    waiting:
        Requests for recognition at the same time, in each worker.
    keep_hours:
        How long results of jobs are kept.
    """
    import uvicorn

    if not 0 < port < 65536 or workers < 1:
        raise AffektError(
            f"--port {port} --workers {workers}: a port is 1 to 65535, a worker needed"
        )

    from ..nn.bundled import model_folder
    from ..nn.checkpoint import load_checkpoint
    from ..server.settings import LOOPBACK, VARIABLE, Settings
    from ..server.store import JobStore

    settings = Settings(
        models=model, host=host, token=token or os.environ.get("AFFEKT_TOKEN", ""),
        state=state or _state(), megabytes=megabytes, job_megabytes=40 * megabytes, jobs=jobs,
        waiting=waiting, keep_hours=keep_hours,
    )  # fmt: skip
    if not re.fullmatch(r"[A-Za-z0-9._~-]*", settings.token):
        raise AffektError(
            "the token may hold letters, digits and . _ ~ - only (a browser's WebSocket sends no "
            "others): take one from openssl rand -hex 32"
        )
    if host not in LOOPBACK and not settings.token:
        raise AffektError(
            f"--host {host} serves other machines: set $AFFEKT_TOKEN, and TLS in front of it"
        )
    names = [load_checkpoint(model_folder(m)).name for m in model]
    if len(set(names)) < len(names) or not names:
        raise AffektError(f"models must differ by name, got {', '.join(names)}")
    os.umask(0o077)  # results are nobody else's
    JobStore(settings.state, jobs, keep_seconds=0)  # what is wrong with it is told before all else
    _free(host, port)
    os.environ[VARIABLE] = settings.model_dump_json()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again once all has ended
    with ExitStack() as kept:
        if workers > 1:  # what they count is summed there
            metrics = tempfile.TemporaryDirectory(prefix="affekt-metrics-")
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = kept.enter_context(metrics)
        say(f"serving {', '.join(names)} at http://{host}:{port}; Ctrl-C ends it")
        uvicorn.run(
            "affekt.server.app:create_app", factory=True, host=host, port=port, workers=workers,
            access_log=False, log_level="warning", ws_max_size=1 << 20, server_header=False,
            timeout_graceful_shutdown=settings.drain_seconds, timeout_keep_alive=30,
        )  # fmt: skip
    return 0


def _free(host: str, port: int) -> None:
    """Whether there can be listened; uvicorn itself only logs that it cannot, and ends."""
    try:
        [(family, *_), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise AffektError(f"--host {host} --port {port}: {error.strerror or error}") from None


def _state() -> Path:
    return Path(os.environ.get("AFFEKT_STATE") or Path.home() / ".local/state/affekt")
