"""Jobs and their results in SQLite: they survive a restart, a kill and each other."""

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import AffektError
from ..types import Prediction

LEASE = 30.0  # s without a sign of life after which a job is taken from its worker
ATTEMPTS = 3
SCHEMA = """
create table if not exists jobs (
    id text primary key, status text not null, file text not null, model text not null,
    path text not null, created real not null, beat real not null default 0,
    pid integer not null default 0,
    attempts integer not null default 0, progress real not null default 0,
    warnings text not null default '[]', error text not null default ''
);
create table if not exists results (
    job text not null references jobs (id) on delete cascade,
    number integer not null, prediction text not null, primary key (job, number)
);
"""


class StoreFullError(Exception):
    """There is no room for the job."""


@dataclass(frozen=True)
class Job:
    """A recording to recognise, or one that has been.

    Attributes:
        id: 32 hexadecimal digits.
        status: queued, running, done or failed.
        file: The client's name for it.
        model: Name of the model.
        path: Where the recording lies until the job has ended.
        attempts: How often it was begun.
        progress: Share that is done.
        warnings: Of what is damaged or missing.
        error: Why it failed, or "".
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


class JobStore:
    """Any number of threads and processes may use the same folder; one worker in each process.

    Args:
        folder: Made if it is not there; holds ``jobs.sqlite`` and ``uploads/``.
        most: Jobs waiting or running.
        keep: Seconds that an ended job is kept.

    Raises:
        AffektError: The folder cannot be written, or its database is damaged.
    """

    def __init__(self, folder: Path, most: int, keep: float) -> None:
        folder = folder.resolve()  # queued paths must hold wherever the next server is started
        self.uploads = folder / "uploads"
        self._file, self._most, self._keep = folder / "jobs.sqlite", most, keep
        try:
            self.uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._connection() as db:
                db.execute("pragma journal_mode = wal")
                db.executescript(SCHEMA)
                [found] = db.execute("pragma quick_check(1)").fetchone()
                if found != "ok":
                    raise sqlite3.DatabaseError(found)
        except OSError as error:
            raise AffektError(f"{folder}: cannot be written: {error.strerror}") from None
        except sqlite3.DatabaseError as error:
            raise AffektError(
                f"{self._file}: cannot hold jobs ({error}); another --state folder will, or move "
                "the file away"
            ) from None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A short transaction."""
        db = sqlite3.connect(self._file, timeout=10)
        try:
            db.execute("pragma foreign_keys = on")
            with db:
                yield db
        finally:
            db.close()

    def room(self) -> bool:
        """Whether another job may be queued."""
        with self._connection() as db:
            active = "select count(*) from jobs where status in ('queued', 'running')"
            return int(db.execute(active).fetchone()[0]) < self._most

    def add(self, file: str, model: str, path: Path) -> Job:
        """Queue a recording.

        Raises:
            StoreFullError: Too many are waiting.
        """
        job = uuid.uuid4().hex
        with self._connection() as db:
            db.execute("begin immediate")
            active = "select count(*) from jobs where status in ('queued', 'running')"
            if db.execute(active).fetchone()[0] >= self._most:
                raise StoreFullError
            db.execute(
                "insert into jobs (id, status, file, model, path, created)"
                " values (?, 'queued', ?, ?, ?, ?)",
                (job, file, model, str(path), time.time()),
            )
        return Job(job, "queued", file, model, str(path), 0, 0.0, [], "")

    def get(self, job: str) -> Job | None:
        """A job by its id; None if there is none."""
        with self._connection() as db:
            row = db.execute(
                "select id, status, file, model, path, attempts, progress, warnings, error"
                " from jobs where id = ?", (job,),
            ).fetchone()  # fmt: skip
        if row is None:
            return None
        return Job(*row[:7], json.loads(row[7]), row[8])  # type: ignore[call-arg]

    def result(self, job: str) -> list[Prediction]:
        """What has been told so far, in the order of time."""
        with self._connection() as db:
            rows = db.execute(
                "select prediction from results where job = ? order by number", (job,)
            ).fetchall()
        return [Prediction.from_dict(json.loads(row[0])) for row in rows]

    def claim(self) -> Job | None:
        """Take the oldest job that waits, or that its worker has left.

        One that was left too often has failed: it may be what kills the workers.
        """
        now = time.time()
        with self._connection() as db:
            db.execute("begin immediate")
            for (pid,) in db.execute("select distinct pid from jobs where status = 'running'"):
                if not _alive(pid):
                    db.execute("update jobs set beat = 0 where pid = ?", (pid,))
            db.execute(
                "update jobs set status = 'failed', beat = ?, error = ? where status = 'running'"
                " and beat < ? and attempts >= ?",
                (
                    now,
                    f"the server stopped {ATTEMPTS} times while working on it",
                    now - LEASE,
                    ATTEMPTS,
                ),
            )
            row = db.execute(
                "update jobs set status = 'running', beat = ?, pid = ?, attempts = attempts + 1,"
                " progress = 0 where id = (select id from jobs where status = 'queued'"
                " or (status = 'running' and beat < ?) order by created limit 1) returning id",
                (now, os.getpid(), now - LEASE),
            ).fetchone()
            if row:
                db.execute("delete from results where job = ?", row)
        return self.get(row[0]) if row else None

    def tell(self, job: Job, number: int, prediction: Prediction) -> None:
        """Keep a result, if the job is still this worker's."""
        text = json.dumps(prediction.to_dict(), ensure_ascii=False)
        with self._connection() as db:
            db.execute(
                "insert into results select id, ?, ? from jobs where id = ? and attempts = ?"
                " and status = 'running'",
                (number, text, job.id, job.attempts),
            )

    def beat(self, job: Job, progress: float) -> bool:
        """A sign of life; False if the job is no longer this worker's, or was deleted."""
        with self._connection() as db:
            done = db.execute(
                "update jobs set beat = ?, progress = ? where id = ? and attempts = ?"
                " and status = 'running'",
                (time.time(), progress, job.id, job.attempts),
            )
            return done.rowcount == 1

    def end(self, job: Job, status: str, *, error: str = "", warnings: Sequence[str] = ()) -> None:
        """Done, failed, or queued again, which does not count as an attempt.

        The recording goes unless it is needed again.
        """
        with self._connection() as db:
            done = db.execute(
                "update jobs set status = ?, beat = ?, error = ?, warnings = ?, progress = ?,"
                " attempts = attempts - ? where id = ? and attempts = ?",
                (status, time.time(), error, json.dumps(list(warnings)), float(status == "done"),
                 status == "queued", job.id, job.attempts),
            )  # fmt: skip
        if done.rowcount and status != "queued":
            Path(job.path).unlink(missing_ok=True)

    def delete(self, job: Job) -> None:
        """Forget a job, its results and its recording."""
        with self._connection() as db:
            db.execute("delete from jobs where id = ?", (job.id,))
        Path(job.path).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Forget what is older than it may be, and recordings that belong to no job."""
        now = time.time()
        with self._connection() as db:
            db.execute(
                "delete from jobs where status in ('done', 'failed') and beat < ?",
                (now - self._keep,),
            )
            known = {
                row[0]
                for row in db.execute("select path from jobs where status in ('queued', 'running')")
            }
        for path in self.uploads.iterdir():
            with suppress(FileNotFoundError):  # another worker was faster
                if str(path) not in known and path.stat().st_mtime < now - 3600:
                    path.unlink()

    def counts(self) -> dict[str, int]:
        """Jobs by status."""
        with self._connection() as db:
            return dict(db.execute("select status, count(*) from jobs group by status").fetchall())


def _alive(pid: int) -> bool:
    """Whether the worker of a job still runs; all are on this machine, as SQLite is."""
    if pid == os.getpid():  # this worker asks for a job: it has none
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
