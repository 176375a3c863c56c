"""Who works off the parts of a job: processes of this machine, or the actors of a Ray cluster."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any, cast

import torch

from ..errors import AffektError
from ..inference.recognizer import load
from .inputs import read_part
from .job import LIST, Job
from .part import Counts, recognise_part


class Scorer:
    """Holds the model in a worker, on one core."""

    def __init__(self, out: Path, model: str, job: Job) -> None:
        torch.set_num_threads(1)
        self._out, self._job = out, job
        self._recognizer = load(model, job.hop)

    def score(self, part: int) -> Counts:
        """Work off a part."""
        inputs = read_part(self._out / LIST, part)
        return recognise_part(self._recognizer, inputs, self._out, part, self._job.model_hash)

    def __call__(self, row: dict[str, int]) -> dict[str, float]:
        """As Ray Data calls it."""
        counts = self.score(row["part"])
        return {"files": counts.files, "errors": counts.errors, "seconds": counts.seconds}


_scorer: Scorer


def _begin(make: "partial[Scorer]") -> None:
    global _scorer
    Thread(target=_end_with_parent, daemon=True).start()
    _scorer = make()


def _end_with_parent() -> None:
    """A killed job leaves nobody behind."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _score(part: int) -> Counts:
    return _scorer.score(part)


def local(out: Path, model: str, job: Job, todo: Sequence[int], workers: int) -> Iterator[Counts]:
    """Processes of this machine.

    Raises:
        AffektError: A worker was killed; what is done stays done.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(todo)), context, _begin, (partial(Scorer, out, model, job),)
    ) as pool:
        rest = iter(todo)
        try:
            waiting = {pool.submit(_score, part) for part in islice(rest, 2 * workers)}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(_score, part) for part in islice(rest, len(done))}
                yield from (future.result() for future in done)
        except BrokenProcessPool:
            reason = "a worker was killed (out of memory?); --resume goes on"
            raise AffektError(reason) from None


def ray(
    out: Path, model: str, job: Job, todo: Sequence[int], workers: int, address: str | None
) -> Iterator[Counts]:
    """Actors of a Ray cluster, from one to `workers`, each with a core; all see the folder.

    Raises:
        ModuleNotFoundError: The extra ``cluster`` is not installed.
    """
    import ray as engine

    if address:
        engine.init(address=address, log_to_driver=False)
    else:
        engine.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        engine.data.DataContext.get_current().enable_progress_bars = False
        parts = engine.data.from_items(
            [{"part": part} for part in todo], override_num_blocks=len(todo)
        )
        pool = engine.data.ActorPoolStrategy(min_size=1, max_size=workers)
        arguments = (out.absolute(), model, job)
        done = parts.map(cast(Any, Scorer), fn_constructor_args=arguments, compute=pool, num_cpus=1)
        for row in done.iter_rows():
            yield Counts(int(row["files"]), int(row["errors"]), float(row["seconds"]))
    finally:
        engine.shutdown()
