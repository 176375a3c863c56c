"""``affekt serve``."""

import os
import re
import signal
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AffektError
from .app import Device, app, say

if TYPE_CHECKING:
    from uvicorn.supervisors import Multiprocess


@app.command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    model: tuple[str, ...] = ("default", "open"),
    workers: int = 1,
    token: str = "",
    keys: Path | None = None,
    webhook_host: tuple[str, ...] = (),
    state: Path | None = None,
    adapt: Path | None = None,
    megabytes: int = 50,
    jobs: int = 64,
    waiting: int = 128,
    keep_hours: float = 24,
    device: Device = "cpu",
    traces: bool = False,
    metrics: bool = False,
) -> int:
    """Serve recognition over HTTP and WebSocket, and a web page at /.

    Parameters
    ----------
    host:
        Address to listen on; other machines can be served only with a token or keys.
    port:
        Port to listen on.
    model:
        Bundled model or model folder; may be repeated. The first is the default of requests.
    workers:
        Number of worker processes; each loads the models.
    token:
        Token that clients must send as "Authorization: Bearer TOKEN". Set it by $AFFEKT_TOKEN to
        hide it from other users of the machine.
    keys:
        File of the keys of several clients, from "affekt keys add"; read again when it changes.
    webhook_host:
        Host that webhooks may be sent to, such as example.org or example.org:8443; may be repeated.
        $AFFEKT_WEBHOOK_SECRET signs them.
    state:
        Folder of jobs and their results; by default $AFFEKT_STATE or ~/.local/state/affekt.
    adapt:
        Folder of adapted models, which are served too. Clients may then adapt models to labelled
        clips, as the page does.
    megabytes:
        Size limit of a recording in a request; a job may be 40 times as large.
    jobs:
        Limit of queued and running jobs.
    waiting:
        Limit of recognition requests at the same time, in each worker process.
    keep_hours:
        Hours after which the results of jobs are deleted.
    traces:
        Send traces of OpenTelemetry (extra "telemetry") to where $OTEL_EXPORTER_OTLP_ENDPOINT says.
    metrics:
        Send metrics of OpenTelemetry there too. Those of Prometheus are at /metrics without it.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if not 0 < port < 65536 or workers < 1:
        raise AffektError(
            f"--port {port} --workers {workers}: the port must be 1 to 65535 and workers at least 1"
        )

    from ..atomic import check_writable
    from ..nn.bundled import model_folder
    from ..nn.checkpoint import load_checkpoint, require_classes
    from ..nn.devices import device_named
    from ..server.app import UVICORN
    from ..server.keys import read_keys
    from ..server.otlp import exporters_of
    from ..server.settings import LOOPBACK, VARIABLE, Settings
    from ..server.store import JobStore
    from ..server.webhooks import secret_of

    settings = Settings(
        models=model, host=host, workers=workers, keys=keys,
        token=token or os.environ.get("AFFEKT_TOKEN", ""),
        webhook_hosts=webhook_host, webhook_secret=os.environ.get("AFFEKT_WEBHOOK_SECRET", ""),
        state=state or _state(), adapt=adapt and adapt.resolve(), megabytes=megabytes,
        job_megabytes=40 * megabytes, jobs=jobs, waiting=waiting, keep_hours=keep_hours,
        device=device, traces=traces, metrics=metrics,
    )  # fmt: skip
    if not re.fullmatch(r"[A-Za-z0-9._~-]*", settings.token):
        raise AffektError(
            "the token may contain only letters, digits and . _ ~ - (a browser's WebSocket "
            "can send no others); create one with openssl rand -hex 32"
        )
    if host not in LOOPBACK and settings.is_open:
        raise AffektError(
            f"--host {host} serves other machines: set $AFFEKT_TOKEN or give --keys, and put a TLS "
            "proxy in front"
        )
    device_named(device)  # raises before anything starts
    if traces:
        exporters_of("traces")  # raises before anything starts
    if metrics:
        exporters_of("metrics")
    if keys:
        read_keys(keys)  # raises before anything starts
    if webhook_host:
        secret_of(settings.webhook_secret)
    if adapt:
        check_writable(adapt / "model")  # raises before anything starts
    checkpoints = [load_checkpoint(model_folder(m)) for m in model]
    for checkpoint in checkpoints:
        require_classes(checkpoint.name, checkpoint.dimensions, "the server")
    names = [checkpoint.name for checkpoint in checkpoints]
    if len(set(names)) < len(names) or not names:
        raise AffektError(f"the names of --model must differ, got {', '.join(names)}")
    os.umask(0o077)  # results are private to this user
    JobStore(settings.state, jobs, keep_seconds=0)  # raises before anything starts
    _check_address(host, port)
    os.environ[VARIABLE] = settings.model_dump_json()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again after shutdown
    Multiprocess.handle_hup = _reload_in_workers  # type: ignore[assignment]
    with ExitStack() as stack:
        if workers > 1:  # metrics of all processes are summed in this folder
            folder = tempfile.TemporaryDirectory(prefix="affekt-metrics-")
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(folder)
        say(f"serving {', '.join(names)} at http://{host}:{port}; stop with Ctrl-C")
        uvicorn.run(
            "affekt.server.app:create_app", factory=True, host=host, port=port, workers=workers,
            timeout_graceful_shutdown=settings.drain_seconds, timeout_keep_alive=30, **UVICORN,
        )  # fmt: skip
    return 0


def _reload_in_workers(supervisor: "Multiprocess") -> None:
    """Let the workers load changed models anew; uvicorn would restart them, and end streams."""
    for process in supervisor.processes:
        if process.pid:
            os.kill(process.pid, signal.SIGHUP)


def _check_address(host: str, port: int) -> None:
    """Raise `AffektError` if the address cannot be bound, which uvicorn would only log."""
    try:
        [(family, *_), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise AffektError(f"--host {host} --port {port}: {error.strerror or error}") from error


def _state() -> Path:
    return Path(os.environ.get("AFFEKT_STATE") or Path.home() / ".local/state/affekt")
