"""The thread that recognises the recordings of jobs."""

import logging
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread

from ..errors import AudioError
from ..inference.pipeline import recognise_file
from ..inference.recognizer import Recognizer
from ..inference.utterances import Decoded, Options
from ..types import Notice
from .monitoring import RECOGNISED, log_event
from .store import Job, JobStore

POLL = 1.0  # s between two queries for jobs that other processes have queued
HEARTBEAT = 2.0  # s between two heartbeats of a job


class StoppedError(Exception):
    """The job was deleted or taken over by another worker, or the server shuts down."""


class Worker(Thread):
    """Recognises the recordings of jobs, one after another, until `stop` is called.

    Args:
        store: The jobs.
        models: Recognizers by name of their model.
    """

    def __init__(self, store: JobStore, models: Mapping[str, Recognizer]) -> None:
        super().__init__(daemon=True, name="jobs")
        self._store, self._models = store, models
        self._stop_event, self._wake = Event(), Event()

    def wake(self) -> None:
        """Query for new jobs now."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Stop and return the running job to the queue, from which a worker starts it again.

        Args:
            seconds: Longest time to wait for the thread.
        """
        self._stop_event.set()
        self._wake.set()
        self.join(seconds)

    def run(self) -> None:
        """See `Worker`."""
        while not self._stop_event.is_set():
            try:
                self._store.delete_expired()
                if job := self._store.claim():
                    self._work(job)
                    continue
            except (OSError, sqlite3.Error) as error:  # full disk, locked database: tried again
                log_event("job store unavailable", logging.WARNING, error=str(error))
            self._wake.wait(POLL)
            self._wake.clear()

    def _work(self, job: Job) -> None:
        if job.model not in self._models:
            names = ", ".join(self._models)
            self._store.fail(job, f"no model {job.model} on this server; there are {names}")
            return
        if not Path(job.path).exists():
            self._store.fail(job, f"{job.file}: the uploaded recording is missing")
            return
        try:
            warnings = self._recognise(job)
        except StoppedError:
            if self._stop_event.is_set():
                self._store.requeue(job)
        except AudioError as error:
            self._store.fail(job, str(error))
        except (OSError, sqlite3.Error):
            raise
        except Exception as error:  # of one recording; the next jobs must still be recognised
            log_event("job failed", logging.ERROR, job=job.id)
            self._store.fail(job, f"internal error ({type(error).__name__})")
        else:
            self._store.complete(job, warnings)

    def _recognise(self, job: Job) -> list[Notice]:
        """Recognise a job's recording and store its predictions.

        Returns:
            The warnings about its file.

        Raises:
            StoppedError: The job cannot be continued here.
            AudioError: The recording cannot be read.
        """
        last, fraction = time.monotonic(), 0.0

        def heartbeat(block: Decoded | None = None) -> None:
            nonlocal last, fraction
            if self._stop_event.is_set():
                raise StoppedError
            if block and block.duration:
                fraction = min(block.end / block.duration, 1)
            if time.monotonic() > last + HEARTBEAT:
                last = time.monotonic()
                if not self._store.heartbeat(job, fraction):
                    raise StoppedError

        warnings: list[Notice] = []
        predictions = recognise_file(
            self._models[job.model],
            job.path,
            Options(speakers=job.speakers, observe=heartbeat, track=job.track),
            name=job.file,
        )
        for number, prediction in enumerate(predictions):
            self._store.add_result(job, number, prediction)
            RECOGNISED.labels(job.model).inc(prediction.duration)
            warnings += [w for w in prediction.warnings if w.of_file]
            heartbeat()
        return warnings
