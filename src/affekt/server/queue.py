"""The jobs as workers see them: claims, leases, heartbeats, results, ends."""

import json
import logging
import os
import sqlite3
import time
import uuid
from collections.abc import Sequence
from math import inf

from ..types import Prediction
from .job import Job
from .monitoring import log_event
from .store import JobStore

LEASE = 30.0  # s without a heartbeat after which another worker takes over a job
MAX_FAILURES = 5  # times that workers may die at the same place of a recording


class JobQueue:
    """The queue of a job store, of which the workers of one process take jobs.

    Args:
        store: The jobs.
    """

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self._process = uuid.uuid4().hex  # process ids are used again, in containers always

    def claim(self, longest: float = inf) -> Job | None:
        """Start the next job that is queued or whose worker has died, if there is one.

        A key with fewer running jobs comes first. Then a job may be overtaken by shorter ones for
        as long as its recording lasts, so that none waits for ever. A job whose workers died
        `MAX_FAILURES` times without progress fails, since it may be the cause.

        Args:
            longest: Duration in seconds of the longest recording.
        """
        now = time.time()
        with self.store.database.connection() as db:
            db.execute("begin immediate")
            self._expire_leases_of_dead_workers(db)
            _fail_repeatedly_abandoned(db, now)
            row = db.execute(
                "update jobs set status = 'running', beat = :now, pid = :pid, process = :process,"
                " attempts = attempts + 1, failures = failures + 1 where id = ("
                "  select id from jobs as waiting where seconds <= :longest and"
                "  (status = 'queued' or (status = 'running' and beat < :lost)) order by"
                "  (select count(*) from jobs as other where other.status = 'running'"
                "   and other.owner = waiting.owner and other.beat >= :lost),"
                "  created + seconds limit 1) returning *",
                {"now": now, "pid": os.getpid(), "process": self._process,
                 "longest": longest, "lost": now - LEASE},
            ).fetchone()  # fmt: skip
        if row and row["attempts"] > 1:
            attempt = {"job": row["id"], "attempt": row["attempts"]}
            log_event("job started again", logging.WARNING, **attempt)
        return Job.from_row(row) if row else None

    def add_result(self, job: Job, number: int, prediction: Prediction) -> bool:
        """Store a prediction, unless another worker has taken over the job.

        Args:
            job: As `claim` returned it.
            number: Position of the prediction in the result, from 0 on.
            prediction: Of the recording or of one utterance.

        Returns:
            Whether it is new: an earlier attempt may have stored it.
        """
        text = json.dumps(prediction.to_dict(), ensure_ascii=False)
        with self.store.database.connection() as db:
            added = db.execute(
                "insert or ignore into results select id, ?, ? from jobs where id = ?"
                " and attempts = ? and status = 'running'",
                (number, text, job.id, job.attempts),
            )
            return added.rowcount == 1

    def heartbeat(self, job: Job, progress: float, *, advanced: bool = False) -> bool:
        """Renew the lease of a job and store its progress.

        Args:
            job: As `claim` returned it.
            progress: Fraction of the recording, 0 to 1.
            advanced: Whether something was stored from which a later attempt goes on.

        Returns:
            False if the job was deleted or another worker has taken it over.
        """
        with self.store.database.connection() as db:
            updated = db.execute(
                "update jobs set beat = ?, progress = max(progress, ?),"
                " failures = case when ? then 0 else failures end"
                " where id = ? and attempts = ? and status = 'running'",
                (time.time(), progress, advanced, job.id, job.attempts),
            )
            return updated.rowcount == 1

    def complete(self, job: Job, warnings: Sequence[str]) -> None:
        """Mark a job as done, with the warnings of its recording, and delete the recording."""
        self._end(job, "done", warnings=warnings)

    def fail(self, job: Job, error: str) -> None:
        """Mark a job as failed and delete its recording."""
        self._end(job, "failed", error=error)

    def _end(self, job: Job, status: str, warnings: Sequence[str] = (), error: str = "") -> None:
        """End a job, unless another worker has taken it over.

        Args:
            job: As `claim` returned it.
            status: done or failed.
            warnings: Of the recording.
            error: Why it failed, or "".
        """
        now = time.time()
        with self.store.database.connection() as db:
            updated = db.execute(
                "update jobs set status = :status, beat = :now, warnings = :warnings,"
                " error = :error, progress = case when :status = 'done' then 1 else progress end,"
                " webhook_due = case when webhook = '' then null else :now end"
                " where id = :id and attempts = :attempts and status = 'running'",
                {"status": status, "now": now, "warnings": json.dumps([*warnings]),
                 "error": error, "id": job.id, "attempts": job.attempts},
            )  # fmt: skip
        if updated.rowcount:
            self.store.delete_files(job)

    def requeue(self, job: Job) -> None:
        """Return a job to the queue; this attempt does not count."""
        with self.store.database.connection() as db:
            db.execute(
                "update jobs set status = 'queued', failures = max(failures - 1, 0)"
                " where id = ? and attempts = ? and status = 'running'",
                (job.id, job.attempts),
            )

    def _expire_leases_of_dead_workers(self, db: sqlite3.Connection) -> None:
        """Let jobs of processes that no longer run be claimed at once."""
        query = "select distinct pid, process from jobs where status = 'running'"
        for pid, process in db.execute(query).fetchall():
            if process != self._process and not is_working(pid):
                db.execute(
                    "update jobs set beat = 0 where process = ? and pid = ? and status = 'running'",
                    (process, pid),
                )


def _fail_repeatedly_abandoned(db: sqlite3.Connection, now: float) -> None:
    failed = db.execute(
        "update jobs set status = 'failed', beat = :now, error = :error,"
        " webhook_due = case when webhook = '' then null else :now end"
        " where status = 'running' and beat < :lost and failures >= :most",
        {"now": now, "lost": now - LEASE, "most": MAX_FAILURES,
         "error": f"the server stopped {MAX_FAILURES} times while recognising this recording"},
    )  # fmt: skip
    if failed.rowcount:
        log_event("jobs given up", logging.ERROR, number=failed.rowcount)


def is_working(pid: int) -> bool:
    """Whether another process on this machine, which SQLite implies, still works on its jobs."""
    if pid == os.getpid():  # an earlier process with the same id
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
