"""Folds and seeds as independent jobs: over several processes, each finished one kept."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import torch

from ..config import Protocol
from ..progress import Event, Report, silent
from ..training.clips import Clip
from .folds import Finished, Job, Result, run_fold
from .systems.system import System


def run_jobs(
    clips: Sequence[Clip],
    labels: Sequence[str],
    make_system: Callable[[], System],
    jobs: Sequence[Job],
    done: Finished,
    workers: int,
    report: Report,
    rules: Protocol,
) -> None:
    """Run the jobs that are not done yet; a broken one stops the rest, what is done is kept."""
    left = [job for job in jobs if job not in done]
    finished = len(jobs) - len(left)
    report(Event("folds", finished, len(jobs)))
    if workers == 1:
        for job in left:
            name = f"seed {job.seed}, fold {job.fold + 1}"
            result = run_fold(clips, labels, make_system(), job, under(name, report), rules)
            done.keep(job, result)
            finished += 1
            report(Event("folds", finished, len(jobs)))
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    share = (clips, labels, make_system, rules)
    with ProcessPoolExecutor(workers, context, _prepare, share) as pool:
        pending: dict[Future[Result], Job] = {pool.submit(_run_prepared, j): j for j in left}
        try:
            while pending:
                complete, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in complete:
                    done.keep(pending.pop(future), future.result())
                    finished += 1
                    report(Event("folds", finished, len(jobs)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def under(name: str, report: Report) -> Report:
    """A report whose stages carry a name before them."""
    return lambda event: report(event._replace(stage=f"{name}, {event.stage}"))


_share: tuple[Sequence[Clip], Sequence[str], Callable[[], System], Protocol]


def _prepare(*share: Any) -> None:
    """Of each worker, once: the clips are sent to it once, and it computes on one core."""
    global _share
    _share = share
    torch.set_num_threads(1)


def _run_prepared(job: Job) -> Result:
    clips, labels, make_system, rules = _share
    return run_fold(clips, labels, make_system(), job, silent, rules)
