"""The jobs as clients see them: adding, finding and deleting them, and their results."""

import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..errors import AffektError
from ..types import Prediction
from .database import Database
from .job import Job, NewJob

ORPHAN_AGE = 3600  # s after which an uploaded recording without a job is deleted


class StoreFullError(Exception):
    """The limit of queued and running jobs is reached."""


class KeyReusedError(Exception):
    """Another request had the same idempotency key."""


class JobStore:
    """Jobs in a folder that any number of threads and processes may share.

    Args:
        folder: Created if missing; contains ``jobs.sqlite``, ``uploads/`` and ``journals/``.
        max_jobs: Limit of queued and running jobs.
        keep_seconds: Seconds after which an ended job is deleted.

    Attributes:
        uploads: Folder of the recordings.
        keep_seconds: As given.
        database: The SQLite file.

    Raises:
        AffektError: The folder cannot be written, or its database is damaged.
    """

    def __init__(self, folder: Path, max_jobs: int, keep_seconds: float) -> None:
        folder = folder.resolve()  # a later server with another working directory finds the files
        self.uploads, self._journals = folder / "uploads", folder / "journals"
        self.keep_seconds, self._max_jobs = keep_seconds, max_jobs
        try:
            for path in (self.uploads, self._journals):
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise AffektError(f"{folder}: cannot be written: {error.strerror}") from error
        self.database = Database(folder / "jobs.sqlite")

    def journal(self, job: Job) -> Path:
        """Folder of the embeddings of a job that has not ended."""
        return self._journals / job.id

    def has_room(self) -> bool:
        """Whether another job may be queued."""
        with self.database.connection() as db:
            return self._has_room(db)

    def _has_room(self, db: sqlite3.Connection) -> bool:
        query = "select count(*) from jobs where status in ('queued', 'running')"
        return int(db.execute(query).fetchone()[0]) < self._max_jobs

    def add(self, new: NewJob) -> Job:
        """Queue a recording, or find the job that the same request has queued before.

        Raises:
            KeyReusedError: Another request had the same idempotency key.
            StoreFullError: The limit of queued and running jobs is reached.
        """
        values = asdict(new) | {"path": str(new.path), "speakers": str(new.speakers)}
        values |= {"id": uuid.uuid4().hex, "status": "queued", "created": time.time()}
        with self.database.connection() as db:
            db.execute("begin immediate")
            if earlier := _with_key(db, new.owner, new.idempotency_key):
                if earlier["fingerprint"] != new.fingerprint:
                    raise KeyReusedError
                return Job.from_row(earlier)
            if not self._has_room(db):
                raise StoreFullError
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            row = db.execute(
                f"insert into jobs ({names}) values ({marks}) returning *",  # noqa: S608
                values,
            ).fetchone()
            return Job.from_row(row)

    def knows(self, owner: str, idempotency_key: str | None) -> bool:
        """Whether a job has this idempotency key."""
        with self.database.connection() as db:
            return _with_key(db, owner, idempotency_key) is not None

    def get(self, job_id: str) -> Job | None:
        """The job with an id, or None."""
        with self.database.connection() as db:
            row = db.execute("select * from jobs where id = ?", (job_id,)).fetchone()
        return Job.from_row(row) if row else None

    def find(
        self,
        owner: str | None = None,
        tag: str | None = None,
        status: str | None = None,
        after: str = "",
        limit: int = 100,
        ids: Sequence[str] = (),
    ) -> list[Job]:
        """Jobs, the latest first.

        Args:
            owner: Only those of a key.
            tag: Only those with a tag.
            status: Only those with a status.
            after: Only those that were queued before the job with this id.
            limit: Most jobs.
            ids: Only those with one of these ids; none for all.
        """
        with self.database.connection() as db:
            rows = db.execute(
                "select * from jobs where (:owner is null or owner = :owner)"
                " and (:tag is null or tag = :tag) and (:status is null or status = :status)"
                " and (:ids = '[]' or id in (select value from json_each(:ids)))"
                " and (:after = '' or (created, id) < (select created, id from jobs where"
                " id = :after)) order by created desc, id desc limit :limit",
                {"owner": owner, "tag": tag, "status": status, "after": after, "limit": limit,
                 "ids": json.dumps([*ids])},
            ).fetchall()  # fmt: skip
        return [Job.from_row(row) for row in rows]

    def result(self, job_id: str, after: int = 0) -> list[Prediction]:
        """The predictions so far, in order of time.

        Args:
            job_id: Id of the job.
            after: Number of predictions to leave out.
        """
        with self.database.connection() as db:
            rows = db.execute(
                "select prediction from results where job = ? and number >= ? order by number",
                (job_id, after),
            ).fetchall()
        return [Prediction.from_dict(json.loads(row[0])) for row in rows]

    def available(self, job_id: str) -> int:
        """Number of predictions so far."""
        with self.database.connection() as db:
            query = "select count(*) from results where job = ?"
            return int(db.execute(query, (job_id,)).fetchone()[0])

    def delete(self, *jobs: Job) -> None:
        """Delete jobs, their results and their recordings."""
        with self.database.connection() as db:
            db.executemany("delete from jobs where id = ?", [(job.id,) for job in jobs])
        for job in jobs:
            self.delete_files(job)

    def delete_files(self, job: Job) -> None:
        """Delete the recording and the embeddings of a job."""
        job.path.unlink(missing_ok=True)
        shutil.rmtree(self.journal(job), ignore_errors=True)

    def delete_expired(self) -> None:
        """Delete jobs that ended long ago, and files without a job."""
        now = time.time()
        with self.database.connection() as db:
            db.execute(
                "delete from jobs where status in ('done', 'failed') and webhook_due is null"
                " and beat + min(coalesce(keep, :most), :most) < :now",
                {"most": self.keep_seconds, "now": now},
            )
            query = "select id, path from jobs where status in ('queued', 'running')"
            rows = db.execute(query).fetchall()
        needed = {row["path"] for row in rows} | {str(self._journals / row["id"]) for row in rows}
        for path in (*self.uploads.iterdir(), *self._journals.iterdir()):
            with suppress(FileNotFoundError):  # deleted by another worker meanwhile
                if str(path) in needed or path.stat().st_mtime > now - ORPHAN_AGE:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def counts(self) -> dict[str, int]:
        """Number of jobs by status."""
        with self.database.connection() as db:
            rows = db.execute("select status, count(*) from jobs group by status").fetchall()
        return {row[0]: row[1] for row in rows}


def _with_key(db: sqlite3.Connection, owner: str, key: str | None) -> sqlite3.Row | None:
    """The job with an idempotency key."""
    query = "select * from jobs where owner = ? and idempotency_key = ?"
    row: sqlite3.Row | None = db.execute(query, (owner, key)).fetchone()
    return row
