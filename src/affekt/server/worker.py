"""The thread that works off jobs."""

import json
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
from .monitoring import RECOGNISED, log
from .store import Job, JobStore

POLL = 1.0  # s between looks for jobs that other processes have queued
BEAT = 2.0  # s between signs of life


class StoppedError(Exception):
    """The job was deleted, taken away, or the server is to stop."""


class Worker(Thread):
    """Takes one job after the other until it is told to stop.

    Args:
        store: Where the jobs are.
        models: By name.
    """

    def __init__(self, store: JobStore, models: Mapping[str, Recognizer]) -> None:
        super().__init__(daemon=True, name="jobs")
        self._store, self._models = store, models
        self._stop_event, self._wake = Event(), Event()

    def wake(self) -> None:
        """There may be a new job."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Give what has begun back to the queue; another worker begins it again."""
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
            except (OSError, sqlite3.Error) as error:  # no room, a lock: it is tried again
                log.warning(json.dumps({"event": "job store unavailable", "error": str(error)}))
            self._wake.wait(POLL)
            self._wake.clear()

    def _work(self, job: Job) -> None:
        if job.model not in self._models:
            names = ", ".join(self._models)
            self._store.fail(job, f"no model {job.model} here; there are {names}")
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
        except Exception as error:  # of one recording; the others must not wait for ever
            log.exception(json.dumps({"event": "job failed", "job": job.id}))
            self._store.fail(job, f"internal error ({type(error).__name__})")
        else:
            self._store.complete(job, warnings)

    def _recognise(self, job: Job) -> list[Notice]:
        """Store the predictions of a job's recording; its warnings as a file.

        Raises:
            StoppedError: See `StoppedError`.
        """
        last, fraction = time.monotonic(), 0.0

        def beat(block: Decoded | None = None) -> None:
            nonlocal last, fraction
            if self._stop_event.is_set():
                raise StoppedError
            if block and block.duration:
                fraction = min(block.end / block.duration, 1)
            if time.monotonic() > last + BEAT:
                last = time.monotonic()
                if not self._store.heartbeat(job, fraction):
                    raise StoppedError

        warnings: list[Notice] = []
        predictions = recognise_file(
            self._models[job.model], job.path, Options(observe=beat), name=job.file
        )
        for number, prediction in enumerate(predictions):
            self._store.add_result(job, number, prediction)
            RECOGNISED.labels(job.model).inc(prediction.duration)
            warnings += [w for w in prediction.warnings if w.of_file]
            beat()
        return warnings
