"""The threads that recognise the recordings of jobs."""

import logging
import sqlite3
import time
from collections.abc import Mapping
from functools import partial
from math import inf
from threading import Event, Thread
from typing import Self

from ..errors import AudioError
from ..inference.classifier import LONG
from ..inference.pipeline import recognise_file
from ..inference.utterances import Decoded
from ..types import Notice
from .job import LONGEST, Job
from .monitoring import RECOGNISED, log_event
from .queue import JobQueue
from .shared import SharedRecognizer
from .tracing import span

POLL = 1.0  # s between two queries for jobs that other processes have queued
HEARTBEAT = 2.0  # s between two heartbeats of a job
# Longest recordings of the threads in seconds: shorter ones never wait for longer ones.
LANES = (LONG, LONG, 600.0, inf, inf)


class StoppedError(Exception):
    """The job was deleted or taken over by another worker, or the server shuts down."""


class Heart(Thread):
    """Renews the lease of a job while the `with` block runs, whatever the block is busy with.

    Args:
        queue: The jobs.
        job: As `JobQueue.claim` returned it.

    Attributes:
        fraction: Fraction of the recording that was decoded, 0 to 1; set by the block.
    """

    def __init__(self, queue: JobQueue, job: Job) -> None:
        super().__init__(daemon=True, name=f"heart of {job.id}")
        self.fraction = 0.0
        self._queue, self._job = queue, job
        self._ended, self._lost = Event(), Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    @property
    def is_lost(self) -> bool:
        """Whether the job was deleted or taken over by another worker."""
        return self._lost.is_set()

    def beat(self, *, advanced: bool = False) -> None:
        """Renew the lease now; see `JobQueue.heartbeat`."""
        if not self._queue.heartbeat(self._job, self.fraction, advanced=advanced):
            self._lost.set()

    def run(self) -> None:
        """See `Heart`."""
        while not (self.is_lost or self._ended.wait(HEARTBEAT)):
            try:
                self.beat()
            except (OSError, sqlite3.Error) as error:  # tried again
                log_event("job store unavailable", logging.WARNING, error=str(error))


class Workers:
    """The worker threads of a process, some of which take short recordings only.

    Args:
        queue: The jobs.
        models: Recognizers by name of their model.
    """

    def __init__(self, queue: JobQueue, models: Mapping[str, SharedRecognizer]) -> None:
        self._threads = [Worker(queue, models, longest) for longest in LANES]

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Query for new jobs now."""
        for thread in self._threads:
            thread.wake()

    def are_alive(self) -> bool:
        """Whether all threads are running."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float) -> None:
        """Stop, and return running jobs to the queue, where they go on from what was encoded.

        Args:
            seconds: Longest time to wait for the threads.
        """
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.stop()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class Worker(Thread):
    """Recognises the recordings of jobs, one after another, until `stop` is called.

    Args:
        queue: The jobs.
        models: Recognizers by name of their model.
        longest: Duration in seconds of the longest recordings that it takes. Up to `LONG`, they
            are encoded together with those of requests, else after them.
    """

    def __init__(
        self, queue: JobQueue, models: Mapping[str, SharedRecognizer], longest: float
    ) -> None:
        super().__init__(daemon=True, name=f"jobs up to {longest} s")
        self._queue, self._models, self._longest = queue, models, longest
        self._stop_event, self._wake = Event(), Event()

    def wake(self) -> None:
        """Query for new jobs now."""
        self._wake.set()

    def stop(self) -> None:
        """Let the thread end, and return its job to the queue."""
        self._stop_event.set()
        self._wake.set()

    def run(self) -> None:
        """See `Worker`."""
        while not self._stop_event.is_set():
            try:
                self._queue.store.delete_expired()
                if job := self._queue.claim(self._longest):
                    self._work(job)
                    continue
            except (OSError, sqlite3.Error) as error:  # full disk, locked database: tried again
                log_event("job store unavailable", logging.WARNING, error=str(error))
            self._wake.wait(POLL)
            self._wake.clear()

    def _work(self, job: Job) -> None:
        if job.model not in self._models:
            names = ", ".join(self._models)
            self._queue.fail(job, f"no model {job.model} on this server; there are {names}")
            return
        if not job.path.exists():
            self._queue.fail(job, f"{job.file}: the uploaded recording is missing")
            return
        about: dict[str, str | float] = {"affekt.model": job.model}
        if job.seconds < LONGEST:  # it is known
            about["affekt.audio.seconds"] = round(job.seconds, 3)
        try:
            with span("job", about):
                warnings = self._recognise(job)
        except StoppedError:
            if self._stop_event.is_set():
                self._queue.requeue(job)
        except AudioError as error:
            self._queue.fail(job, str(error))
        except (OSError, sqlite3.Error):
            raise
        except Exception as error:  # of one recording; the next jobs must still be recognised
            log_event("job failed", logging.ERROR, job=job.id)
            self._queue.fail(job, f"internal error ({type(error).__name__})")
        else:
            self._queue.complete(job, warnings)

    def _recognise(self, job: Job) -> list[Notice]:
        """Recognise a job's recording and store its predictions.

        Returns:
            The warnings about its file.

        Raises:
            StoppedError: The job cannot be continued here.
            AudioError: The recording cannot be read.
        """
        model = self._models[job.model]
        model = (model if job.seconds <= LONG else model.background()).at_hop(job.hop)
        warnings: list[Notice] = []
        with Heart(self._queue, job) as heart:

            def go_on(block: Decoded | None = None) -> None:
                if self._stop_event.is_set() or heart.is_lost:
                    raise StoppedError
                if block and block.duration:
                    heart.fraction = min(block.end / block.duration, 1)

            folder = self._queue.store.journal(job)
            model = model.with_journal(folder, partial(heart.beat, advanced=True))
            options = job.options._replace(observe=go_on)
            for number, prediction in enumerate(
                recognise_file(model, str(job.path), options, name=job.file)
            ):
                if self._queue.add_result(job, number, prediction):
                    RECOGNISED.labels(job.model).inc(prediction.duration)
                warnings += [w for w in prediction.warnings if w.of_file]
                go_on()
        return warnings
