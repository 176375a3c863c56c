"""Folds and seeds as independent jobs, over several processes."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

import torch

from ..progress import Event, Report, silent
from ..worker_process import exit_with_parent
from .folds import Experiment, Finished, Job, Result


def run_jobs(
    experiment: Experiment,
    jobs: Sequence[Job],
    done: Sequence[Finished],
    workers: int,
    report: Report,
) -> None:
    """Run the jobs that are not done yet. A failed one stops the rest; finished ones stay.

    Args:
        experiment: What the jobs have in common.
        jobs: All jobs of the evaluation.
        done: The finished ones of each test normalisation, which grow.
        workers: Number of processes; 1 runs in this one.
        report: Called with each step.
    """
    left = [job for job in jobs if any(job not in each for each in done)]
    finished = len(jobs) - len(left)
    report(Event("folds", finished, len(jobs)))
    if workers == 1:
        for job in left:
            name = f"seed {job.seed}, fold {job.fold + 1}"
            _save(done, job, experiment.run(job, under(name, report)))
            finished += 1
            report(Event("folds", finished, len(jobs)))
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    with ProcessPoolExecutor(workers, context, _prepare, (experiment,)) as pool:
        pending: dict[Future[list[Result]], Job] = {pool.submit(_run_prepared, j): j for j in left}
        try:
            while pending:
                complete, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in complete:
                    _save(done, pending.pop(future), future.result())
                    finished += 1
                    report(Event("folds", finished, len(jobs)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _save(done: Sequence[Finished], job: Job, results: Sequence[Result]) -> None:
    for each, result in zip(done, results, strict=True):
        each.save(job, result)


def under(name: str, report: Report) -> Report:
    """A report whose stages have a name before them."""
    return lambda event: report(event._replace(stage=f"{name}, {event.stage}"))


_experiment: Experiment


def _prepare(experiment: Experiment) -> None:
    """Send a worker the clips once, and let it compute on one core."""
    global _experiment
    exit_with_parent()
    _experiment = experiment
    torch.set_num_threads(1)


def _run_prepared(job: Job) -> list[Result]:
    return _experiment.run(job, silent)
