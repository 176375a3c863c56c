"""What several test files share: synthetic speech, the command as a process, a served model."""

import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile

from affekt.types import Prediction, Segment

ROOT = Path(__file__).parents[1]
DEMO = sorted((ROOT / "demo").glob("*.flac"))
LIVELY = DEMO[0].read_bytes()
RATE = 16_000
PITCH = {"anger": 260.0, "sadness": 110.0, "neutral": 170.0}
SPEAKERS = ("s1", "s2", "s3", "s4", "s5", "s6")
EXPORT = "affekt export default --out default.onnx"  # as the documentation has it


def voice(label: str, speaker: str, take: int, seconds: float) -> np.ndarray:
    """A buzz whose pitch, wobble and level tell the class, and whose timbre the speaker."""
    rng = np.random.default_rng([SPEAKERS.index(speaker), take, len(label)])
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = PITCH[label] * (1 + 0.04 * SPEAKERS.index(speaker))
    wobble = {"anger": 9.0, "sadness": 2.0, "neutral": 0.5}[label]
    phase = 2 * np.pi * pitch * (t + 0.02 * np.sin(2 * np.pi * wobble * t) / wobble)
    wave = sum(np.sin(k * phase) / k ** (1 + 0.1 * SPEAKERS.index(speaker)) for k in range(1, 12))
    return (0.1 * wave + 0.003 * rng.standard_normal(len(t))).astype(np.float32)


BAUM1S_CODES = {"anger": 1, "disgust": 6, "fear": 7, "happiness": 8, "sadness": 10, "surprise": 11}


def baum1s(root: Path) -> Path:
    """A folder like BAUM-1s: six speakers, one clip of each emotion; pitch tells the class."""
    import openpyxl

    root.mkdir(exist_ok=True)
    book = openpyxl.Workbook()
    for speaker in (1, 2, 3, 4, 6, 7):
        for take, (label, code) in enumerate(BAUM1S_CODES.items(), 1):
            clip = f"S{speaker:03d}_{take:03d}"
            book.active.append([speaker, clip, label, code])
            path = root / f"BAUM1s_MP4 - All/s{speaker:03d}/{clip}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            t = np.arange(int(16_000 * (1.0 + 0.2 * take))) / 16_000
            tone = np.sin(2 * np.pi * (100 + 40 * code) * (1 + speaker / 50) * t)
            soundfile.write(path, 0.1 * tone, 16_000)
    book.save(root / "Annotations_BAUM1s.xlsx")
    return root


class Commands:
    """Runs commands in processes forked from a server that has imported torch.

    Each command has a process, folder, environment and output of its own, as from a shell; this
    only saves the seconds that imports take.
    """

    IMPORTED = (
        "affekt.__main__", "affekt.inference.pipeline", "affekt.training.output",
        "affekt.evaluation.study", "affekt.evaluation.audit", "affekt.report.console",
        "affekt.report.page", "torch._dynamo",  # which torch imports with the first optimizer
        "noises",
    )  # fmt: skip

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([*self.IMPORTED])

    def run(self, arguments, folder, environment, stdin=os.devnull, timeout=300):
        """Run ``affekt ARGUMENTS`` in a folder, with an environment and nothing else in it."""
        with tempfile.NamedTemporaryFile() as stdout, tempfile.NamedTemporaryFile() as stderr:
            streams = [(stdin, os.O_RDONLY), (stdout.name, os.O_WRONLY), (stderr.name, os.O_WRONLY)]
            arguments = [*map(str, arguments)]
            process = self.context.Process(
                target=_run_forked, args=(arguments, folder, dict(environment), streams)
            )
            process.start()
            process.join(timeout)
            if process.is_alive():
                process.kill()
                process.join()
            printed = (file.read().decode(errors="replace") for file in (stdout, stderr))
            return subprocess.CompletedProcess(arguments, process.exitcode, *printed)


def _run_forked(arguments, folder, environment, streams):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, (path, flags) in enumerate(streams):
        file = os.open(path, flags)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    from affekt.__main__ import run

    sys.exit(run(arguments))


COMMANDS = Commands()


def affekt(*arguments, cwd="."):
    """Run ``affekt ARGUMENTS`` in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    return COMMANDS.run(arguments, Path(cwd).resolve(), environment)


def settings(tiny_config, epochs=3):
    """The tiny config as options."""
    return [
        "--encoder.weights", tiny_config.encoder.weights, "--encoder.layer", "2",
        "--augment.empty-speeds", "--stage1.epochs", "3", "--stage2.epochs", epochs,
        "--stage2.hidden", "16", "--protocol.folds", "3", "--seeds", "1",
    ]  # fmt: skip


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG")


def lay_out(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def spoken(start, label, labels, reason=""):
    """An utterance of three segments, two of its label and one of another."""
    p = dict.fromkeys(labels, 0.1) | {label: 0.7}
    other = next(name for name in labels if name != label)
    segments = [
        Segment(start + 0.48 * i, start + 0.48 * i + 0.96, name, p, 1 / 3)
        for i, name in enumerate((label, label, other))
    ]
    return Prediction(
        file="dir/a call.wav", duration=1.92, label="uncertain" if reason else label,
        confidence=0.7, probabilities=p, segments=segments, model="m", start=start,
        rejection_reason=reason,
    )  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve_command(state, port, *arguments, model="default", stderr=subprocess.PIPE, **options):
    """Start ``affekt serve`` as a process and wait until it is ready."""
    import httpx

    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "affekt", "serve", "--port", str(port),
         "--state", state, "--model", model, *arguments],
        stderr=stderr, stdin=subprocess.DEVNULL, text=True, **options,
    )  # fmt: skip
    for _ in range(600):
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@contextmanager
def serving(state: Path, **settings):
    """A server in a thread, at a port of its own; its address."""
    import uvicorn

    from affekt.server.app import UVICORN, create_app
    from affekt.server.settings import Settings

    port = free_port()
    app = create_app(Settings(state=state, **({"models": ("default",)} | settings)))
    server = uvicorn.Server(uvicorn.Config(app, port=port, **UVICORN))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def ended(client, job, seconds=60):
    for _ in range(int(seconds * 10)):
        state = client.get(f"/v1/jobs/{job}").json()
        if state["status"] in ("done", "failed"):
            return state
        time.sleep(0.1)
    raise AssertionError(state)


def form(data, name="a.flac", **fields):
    return {"files": {"file": (name, data)}, "data": fields}


def waited(condition, seconds=60):
    """Wait until a condition holds."""
    for _ in range(int(seconds * 20)):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")
