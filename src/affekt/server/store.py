"""Job queue and results in SQLite; both survive restarts and killed processes."""

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import AffektError
from ..inference.speakers import SpeakerCount
from ..types import Prediction

LEASE = 30.0  # s without a heartbeat after which another worker takes over a job
MAX_ATTEMPTS = 3
ORPHAN_AGE = 3600  # s after which an uploaded recording without a job is deleted
SCHEMA = """
create table if not exists jobs (
    id text primary key, status text not null, file text not null, model text not null,
    path text not null, created real not null, beat real not null default 0,
    pid integer not null default 0,
    attempts integer not null default 0, progress real not null default 0,
    warnings text not null default '[]', error text not null default '', track integer,
    speakers text not null default '1'
);
create table if not exists results (
    job text not null references jobs (id) on delete cascade,
    number integer not null, prediction text not null, primary key (job, number)
);
"""


class StoreFullError(Exception):
    """The limit of queued and running jobs is reached."""


@dataclass(frozen=True)
class Job:
    """A recording that is or was to be recognised.

    Attributes:
        id: 32 hexadecimal digits.
        status: queued, running, done or failed.
        file: The client's name of the file.
        model: Name of the model.
        path: Uploaded recording; deleted when the job ends.
        attempts: Number of times that a worker has started the job.
        progress: Fraction of the recording that was recognised, 0 to 1.
        warnings: Warnings about the file, such as damage.
        error: Why the job failed, or "".
        track: The audio track, as of `Decoder`.
        speakers: Number of speakers, or "auto".
    """

    id: str
    status: str
    file: str
    model: str
    path: str
    attempts: int
    progress: float
    warnings: list[str]
    error: str
    track: int | None = None
    speakers: SpeakerCount = 1


class JobStore:
    """Jobs in a folder that any number of threads and processes may share.

    Each process may have one worker.

    Args:
        folder: Created if missing; contains ``jobs.sqlite`` and ``uploads/``.
        max_jobs: Limit of queued and running jobs.
        keep_seconds: Seconds after which an ended job is deleted.

    Raises:
        AffektError: The folder cannot be written, or its database is damaged.
    """

    def __init__(self, folder: Path, max_jobs: int, keep_seconds: float) -> None:
        folder = folder.resolve()  # a later server with another working directory finds the files
        self.uploads = folder / "uploads"
        self._file = folder / "jobs.sqlite"
        self._max_jobs, self._keep_seconds = max_jobs, keep_seconds
        try:
            self.uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._connection() as db:
                db.execute("pragma journal_mode = wal")
                db.executescript(SCHEMA)
                _add_columns(db)
                [message] = db.execute("pragma quick_check(1)").fetchone()
                if message != "ok":
                    raise sqlite3.DatabaseError(message)
        except OSError as error:
            raise AffektError(f"{folder}: cannot be written: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            raise AffektError(
                f"{self._file}: not a usable database of jobs ({error}); move the file away or "
                "choose another --state folder"
            ) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one short transaction."""
        db = sqlite3.connect(self._file, timeout=10)
        try:
            db.execute("pragma foreign_keys = on")
            with db:
                yield db
        finally:
            db.close()

    def has_room(self) -> bool:
        """Whether another job may be queued."""
        with self._connection() as db:
            return self._has_room(db)

    def _has_room(self, db: sqlite3.Connection) -> bool:
        query = "select count(*) from jobs where status in ('queued', 'running')"
        return int(db.execute(query).fetchone()[0]) < self._max_jobs

    def add(
        self,
        file: str,
        model: str,
        path: Path,
        track: int | None = None,
        speakers: SpeakerCount = 1,
    ) -> Job:
        """Queue a recording.

        Args:
            file: The client's name of the file.
            model: Name of the model.
            path: The recording, in `uploads`.
            track: The audio track, as of `Decoder`.
            speakers: Number of speakers, or "auto".

        Raises:
            StoreFullError: The limit of queued and running jobs is reached.
        """
        job_id = uuid.uuid4().hex
        job = Job(job_id, "queued", file, model, str(path), 0, 0.0, [], "", track, speakers)
        with self._connection() as db:
            db.execute("begin immediate")
            if not self._has_room(db):
                raise StoreFullError
            db.execute(
                "insert into jobs (id, status, file, model, path, created, track, speakers)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (job_id, job.status, file, model, job.path, time.time(), track, str(speakers)),
            )
        return job

    def get(self, job_id: str) -> Job | None:
        """The job with an id, or None."""
        with self._connection() as db:
            row = db.execute(
                "select id, status, file, model, path, attempts, progress, warnings, error,"
                " track, speakers from jobs where id = ?", (job_id,),
            ).fetchone()  # fmt: skip
        if row is None:
            return None
        *values, warnings, error, track, speakers = row
        number = "auto" if speakers == "auto" else int(speakers)
        return Job(*values, json.loads(warnings), error, track, number)  # type: ignore[call-arg]

    def result(self, job_id: str) -> list[Prediction]:
        """The predictions so far, in order of time."""
        with self._connection() as db:
            rows = db.execute(
                "select prediction from results where job = ? order by number", (job_id,)
            ).fetchall()
        return [Prediction.from_dict(json.loads(row[0])) for row in rows]

    def claim(self) -> Job | None:
        """Start the oldest job that is queued or whose worker has died, if there is one.

        A job whose workers died `MAX_ATTEMPTS` times fails, since it may be the cause.
        """
        now = time.time()
        with self._connection() as db:
            db.execute("begin immediate")
            _expire_leases_of_dead_workers(db)
            _fail_repeatedly_abandoned(db, now)
            row = db.execute(
                "update jobs set status = 'running', beat = ?, pid = ?, attempts = attempts + 1,"
                " progress = 0 where id = (select id from jobs where status = 'queued'"
                " or (status = 'running' and beat < ?) order by created limit 1) returning id",
                (now, os.getpid(), now - LEASE),
            ).fetchone()
            if row:
                db.execute("delete from results where job = ?", row)
        return self.get(row[0]) if row else None

    def add_result(self, job: Job, number: int, prediction: Prediction) -> None:
        """Store a prediction, unless another worker has taken over the job.

        Args:
            job: As `claim` returned it.
            number: Position of the prediction in the result, from 0 on.
            prediction: Of the recording or of one utterance.
        """
        text = json.dumps(prediction.to_dict(), ensure_ascii=False)
        with self._connection() as db:
            db.execute(
                "insert into results select id, ?, ? from jobs where id = ? and attempts = ?"
                " and status = 'running'",
                (number, text, job.id, job.attempts),
            )

    def heartbeat(self, job: Job, progress: float) -> bool:
        """Renew the lease of a job and store its progress.

        Returns:
            False if the job was deleted or another worker has taken it over.
        """
        with self._connection() as db:
            updated = db.execute(
                "update jobs set beat = ?, progress = ? where id = ? and attempts = ?"
                " and status = 'running'",
                (time.time(), progress, job.id, job.attempts),
            )
            return updated.rowcount == 1

    def complete(self, job: Job, warnings: Sequence[str]) -> None:
        """Mark a job as done, with the warnings of its recording, and delete the recording."""
        self._end(job, replace(job, status="done", progress=1.0, warnings=list(warnings)))

    def fail(self, job: Job, error: str) -> None:
        """Mark a job as failed and delete its recording."""
        self._end(job, replace(job, status="failed", error=error))

    def requeue(self, job: Job) -> None:
        """Return a job to the queue; this attempt does not count."""
        self._end(job, replace(job, status="queued", attempts=job.attempts - 1))

    def _end(self, job: Job, new: Job) -> None:
        """End the attempt `job` with the state `new`, unless another worker has taken it over."""
        with self._connection() as db:
            updated = db.execute(
                "update jobs set status = ?, beat = ?, progress = ?, warnings = ?, error = ?,"
                " attempts = ? where id = ? and attempts = ?",
                (new.status, time.time(), new.progress, json.dumps(new.warnings), new.error,
                 new.attempts, job.id, job.attempts),
            )  # fmt: skip
        if updated.rowcount and new.status != "queued":
            Path(job.path).unlink(missing_ok=True)

    def delete(self, job: Job) -> None:
        """Delete a job, its result and its recording."""
        with self._connection() as db:
            db.execute("delete from jobs where id = ?", (job.id,))
        Path(job.path).unlink(missing_ok=True)

    def delete_expired(self) -> None:
        """Delete jobs that ended long ago, and recordings without a job."""
        now = time.time()
        with self._connection() as db:
            db.execute(
                "delete from jobs where status in ('done', 'failed') and beat < ?",
                (now - self._keep_seconds,),
            )
            query = "select path from jobs where status in ('queued', 'running')"
            needed = {row[0] for row in db.execute(query)}
        for path in self.uploads.iterdir():
            with suppress(FileNotFoundError):  # deleted by another worker meanwhile
                if str(path) not in needed and path.stat().st_mtime < now - ORPHAN_AGE:
                    path.unlink()

    def counts(self) -> dict[str, int]:
        """Number of jobs by status."""
        with self._connection() as db:
            return dict(db.execute("select status, count(*) from jobs group by status").fetchall())


def _add_columns(db: sqlite3.Connection) -> None:
    """Add the columns `track` and `speakers` to a database of an earlier version."""
    db.execute("begin immediate")  # another process may be about to add them
    present = [row[1] for row in db.execute("pragma table_info (jobs)")]
    for name, kind in (("track", "integer"), ("speakers", "text not null default '1'")):
        if name not in present:
            db.execute(f"alter table jobs add column {name} {kind}")


def _expire_leases_of_dead_workers(db: sqlite3.Connection) -> None:
    """Let jobs of processes that no longer run be claimed at once."""
    for (pid,) in db.execute("select distinct pid from jobs where status = 'running'").fetchall():
        if not _is_working(pid):
            db.execute("update jobs set beat = 0 where pid = ?", (pid,))


def _fail_repeatedly_abandoned(db: sqlite3.Connection, now: float) -> None:
    db.execute(
        "update jobs set status = 'failed', beat = ?, error = ? where status = 'running'"
        " and beat < ? and attempts >= ?",
        (now, f"the server stopped {MAX_ATTEMPTS} times while recognising this recording",
         now - LEASE, MAX_ATTEMPTS),
    )  # fmt: skip


def _is_working(pid: int) -> bool:
    """Whether a process on this machine, which SQLite implies, still works on its job."""
    if pid == os.getpid():  # this process is claiming a job, so it has none
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
