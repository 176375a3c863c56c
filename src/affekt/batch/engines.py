"""Engines that recognise the parts of a job: local processes, or actors of a Ray cluster."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, cast

import torch

from ..errors import AffektError
from ..inference.recognizer import load
from ..inference.utterances import Options
from ..nn.devices import available_devices, device_named
from ..worker_process import exit_with_parent
from .inputs import read_part
from .job import LIST, Job
from .part import Counts, recognise_part


class PartRecognizer:
    """The model in a worker process or actor, on one core.

    Args:
        out: Folder of the job.
        model: Model folder, or name of a bundled model.
        job: The job.
        device: Where the encoder runs.
    """

    def __init__(self, out: Path, model: str, job: Job, device: str = "cpu") -> None:
        torch.set_num_threads(1)
        self._out, self._job = out, job
        self._recognizer = load(model, job.hop, device=device)

    def recognise(self, part: int) -> Counts:
        """Recognise the recordings of a part and write its files."""
        inputs = read_part(self._out / LIST, part)
        job = self._job
        options = Options(speakers=1 if job.speakers == "column" else job.speakers, track=job.track)
        return recognise_part(self._recognizer, inputs, self._out, part, job.model_hash, options)

    def __call__(self, row: dict[str, int]) -> dict[str, float]:
        """`recognise`, as Ray Data calls it: with a row and for a row."""
        counts = self.recognise(row["part"])
        return {"files": counts.files, "errors": counts.errors, "seconds": counts.seconds}


_recognizer: PartRecognizer  # of a worker process


def _start_worker(make: "partial[PartRecognizer]", devices: "SimpleQueue[str]") -> None:
    global _recognizer
    exit_with_parent()
    _recognizer = make(device=devices.get())


def _recognise(part: int) -> Counts:
    return _recognizer.recognise(part)


def devices_of_workers(device: str, workers: int) -> list[str]:
    """The device of each worker: those of "cuda" or "auto" share the GPUs of this machine.

    Raises:
        AffektError: This machine has no such device.
    """
    chosen = device_named(device)
    numbered = [name for name in available_devices() if name.startswith(f"{chosen.type}:")]
    if chosen.index is not None or not numbered:
        return [str(chosen)] * workers
    return [numbered[i % len(numbered)] for i in range(workers)]


def run_locally(
    out: Path, model: str, job: Job, parts: Sequence[int], workers: int, device: str = "cpu"
) -> Iterator[Counts]:
    """Recognise parts in processes of this machine.

    Args:
        out: Folder of the job.
        model: Model folder, or name of a bundled model.
        job: The job.
        parts: Numbers of the parts to recognise.
        workers: Largest number of processes.
        device: Where the encoders run; see `devices_of_workers`.

    Yields:
        The counts of each part, as it is completed.

    Raises:
        AffektError: A worker was killed; completed parts remain. Or this machine has no such
            device.
    """
    context = multiprocessing.get_context("spawn")
    workers = min(workers, len(parts))
    devices = context.SimpleQueue()
    for name in devices_of_workers(device, workers):
        devices.put(name)
    make = partial(PartRecognizer, out, model, job)
    with ProcessPoolExecutor(workers, context, _start_worker, (make, devices)) as pool:
        rest = iter(parts)
        try:
            waiting = {pool.submit(_recognise, part) for part in islice(rest, 2 * workers)}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(_recognise, part) for part in islice(rest, len(done))}
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise AffektError(
                "a worker process was killed, perhaps for lack of memory; continue with --resume"
            ) from error


def run_on_ray(
    out: Path,
    model: str,
    job: Job,
    parts: Sequence[int],
    workers: int,
    device: str = "cpu",
    *,
    address: str | None = None,
    gpus_per_actor: float = 0,
) -> Iterator[Counts]:
    """Recognise parts in actors of a Ray cluster, each on one core, and on a GPU if wanted.

    Args:
        out: Folder of the job, which all machines of the cluster see.
        model: Model folder, or name of a bundled model.
        job: The job.
        parts: Numbers of the parts to recognise.
        workers: Largest number of actors.
        device: Where the encoders run: an actor sees only the GPUs that Ray gives it.
        address: Address of the cluster; None starts one on this machine.
        gpus_per_actor: GPUs that each actor asks Ray for; 0.25 lets four actors share one.

    Yields:
        The counts of each part, as it is completed.

    Raises:
        AffektError: Actors ask for GPUs, but the cluster on this machine has none.
        ModuleNotFoundError: The extra ``cluster`` is not installed.
    """
    import ray as engine

    if address:
        engine.init(address=address, log_to_driver=False)
    else:
        engine.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        gpus = cast(Any, engine).cluster_resources().get("GPU", 0)
        if gpus_per_actor > gpus and not address:  # Ray would wait for one forever
            raise AffektError(
                f"--gpus-per-actor {gpus_per_actor:g}: Ray finds {gpus:g} GPUs on this machine"
            )
        engine.data.DataContext.get_current().enable_progress_bars = False
        rows = engine.data.from_items(
            [{"part": part} for part in parts], override_num_blocks=len(parts)
        )
        pool = engine.data.ActorPoolStrategy(min_size=1, max_size=workers)
        done = rows.map(
            cast(Any, PartRecognizer),
            fn_constructor_args=(out.absolute(), model, job, device),
            compute=pool,
            num_cpus=1,
            num_gpus=gpus_per_actor or None,
        )
        for row in done.iter_rows():
            yield Counts(int(row["files"]), int(row["errors"]), float(row["seconds"]))
    finally:
        engine.shutdown()
