"""The server under load: 64 clients for a minute, compared with offline inference in the same run.

    python benchmarks/serve.py demo/lively.flac [--clients 64] [--seconds 60]

Starts ``affekt serve`` on loopback. Every client asks for recordings of three seconds one after the
other; every hundredth request is a job. Then a single client asks while two jobs of an hour are
running. Prints a table.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import soundfile

from affekt.audio.decoding import read
from affekt.inference.recognizer import load


def clip(path: str) -> bytes:
    """Three seconds as FLAC."""
    sound = io.BytesIO()
    soundfile.write(sound, read(path).wave[: 3 * 16_000], 16_000, format="flac")
    return sound.getvalue()


def offline_rate(data: bytes, seconds: float = 15) -> float:
    """Clips a second that the library itself recognises, batched."""
    recognizer = load()
    recognizer.many([data] * 32)
    done, begun = 0, time.perf_counter()
    while time.perf_counter() < begun + seconds:
        done += len(recognizer.many([data] * 64))
    return done / (time.perf_counter() - begun)


class Load:
    """What the clients saw."""

    def __init__(self, address: str, data: bytes, until: float) -> None:
        self.address, self.data, self.until = address, data, until
        self.codes: dict[int, int] = {}
        self.times: list[float] = []
        self.jobs: list[str] = []

    async def client(self) -> None:
        """Ask until the time is over, over one connection; bare, as it shares the cores."""
        host, port = self.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        while time.perf_counter() < self.until:
            path = "jobs" if len(self.times) % 100 == 99 else "recognise"
            begun = time.perf_counter()
            writer.write(
                f"POST /v1/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: audio/flac\r\n"
                f"Content-Length: {len(self.data)}\r\n\r\n".encode()
                + self.data
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            self.times.append(time.perf_counter() - begun)
            code = int(head.split()[1])
            self.codes[code] = self.codes.get(code, 0) + 1
            if code == 202:
                self.jobs.append(json.loads(body)["id"])
        writer.close()

    def lost(self) -> int:
        """Jobs that do not end as done."""
        with httpx.Client(base_url=self.address) as http:
            for _ in range(600):
                states = [http.get(f"/v1/jobs/{job}").json()["status"] for job in self.jobs]
                if not {"queued", "running"} & set(states):
                    return sum(state != "done" for state in states)
                time.sleep(0.2)
        return len(self.jobs)


def beside_long_jobs(address: str, data: bytes, recording: str, seconds: float) -> list[float]:
    """Milliseconds of the requests of one client while two jobs of an hour are running."""
    wave = read(recording).wave
    hour = io.BytesIO()
    soundfile.write(hour, np.tile(wave, 3600 * 16_000 // len(wave)), 16_000, format="flac")
    with httpx.Client(base_url=address, timeout=60) as http:
        file = {"file": ("hour.flac", hour.getvalue())}
        jobs = [http.post("/v1/jobs", files=file).json()["id"] for _ in range(2)]
        time.sleep(5)  # until both are being encoded
        times, until = [], time.perf_counter() + seconds
        while time.perf_counter() < until:
            begun = time.perf_counter()
            http.post("/v1/recognise", files={"file": ("clip.flac", data)}).raise_for_status()
            times.append((time.perf_counter() - begun) * 1000)
            states = [http.get(f"/v1/jobs/{job}").json()["status"] for job in jobs]
            if states != ["running"] * 2:
                raise SystemExit(f"the long jobs are {states}; nothing was measured beside them")
        for job in jobs:
            http.delete(f"/v1/jobs/{job}")
    return times


def memory(pid: int) -> float:
    """Resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


async def loaded(load: Load, clients: int, pid: int) -> list[float]:
    """All clients at once; memory of the server on the way."""
    tasks = [asyncio.create_task(load.client()) for _ in range(clients)]
    seen = []
    while not all(task.done() for task in tasks):
        seen.append(memory(pid))
        await asyncio.sleep(2)
    for task in tasks:
        task.result()
    return seen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    data = clip(args.recording)
    offline = offline_rate(data)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as state:
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "affekt", "serve", "--port", str(port),
             "--state", state, "--model", "default"], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        while True:
            try:
                httpx.get(address + "/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        load_ = Load(address, data, time.perf_counter() + args.seconds)
        begun, spent = time.perf_counter(), time.process_time()
        seen = asyncio.run(loaded(load_, args.clients, server.pid))
        took = time.perf_counter() - begun
        ticks = sum(map(int, Path(f"/proc/{server.pid}/stat").read_text().split()[13:15]))
        used = ticks / 100 / len(load_.times) * 1000
        own = (time.process_time() - spent) / len(load_.times) * 1000
        lost = load_.lost()
        beside = beside_long_jobs(address, data, args.recording, args.seconds / 4)
        server.terminate()
        server.wait()
    rate, times = len(load_.times) / took, np.array(load_.times) * 1000
    percentiles = np.percentile(times, [50, 95, 99])
    memory = [np.mean(part) for part in np.array_split(seen, 3)[1:]]
    rows = [
        ("clients, seconds", f"{args.clients}, {took:.0f}"),
        ("requests a second", f"{rate:.1f}"),
        ("clips a second without the server, same run", f"{offline:.1f}"),
        ("server in relation to that", f"{rate / offline:.0%}"),
        ("processor time per request, server and clients", f"{used:.1f} ms, {own:.1f} ms"),
        ("answers by status", json.dumps({str(c): n for c, n in sorted(load_.codes.items())})),
        ("jobs, lost", f"{len(load_.jobs)}, {lost}"),
        ("median, 95th, 99th percentile", ", ".join(f"{p:.0f} ms" for p in percentiles)),
        (
            "one client beside two jobs of an hour: median, 95th percentile",
            ", ".join(f"{p:.0f} ms" for p in np.percentile(beside, [50, 95])),
        ),
        ("memory, second and last third of the run", ", ".join(f"{m:.0f} MiB" for m in memory)),
    ]  # fmt: skip
    print("# The server under load\n\n    make benchmark\n")
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, shared by server and clients. Each request has 3 s of FLAC; every hundredth")
    print("is a job. The last but one row was measured afterwards.\n")
    print("| | |\n|---|---|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows))


if __name__ == "__main__":
    main()
