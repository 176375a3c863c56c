"""The job store: claims, leases, limits, expiry, a full database, and files of version 0.1."""

import json
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from affekt.errors import AffektError
from affekt.server import store
from affekt.server.store import JobStore, StoreFullError
from affekt.types import OLD_KEYS, Prediction

PREDICTION = Prediction("a.wav", 1.0, "anger", 1.0, {"anger": 1.0}, [])


@pytest.fixture
def jobs(tmp_path):
    return JobStore(tmp_path, 2, 3600)


def queued(jobs, name="a"):
    path = jobs.uploads / name
    path.write_bytes(b"x")
    return jobs.add("a.wav", "default", path)


def test_a_job_that_kills_its_workers_fails(jobs):
    job = queued(jobs)
    for _ in range(store.MAX_ATTEMPTS):
        assert jobs.claim().id == job.id
    assert jobs.claim() is None
    assert jobs.get(job.id).status == "failed"
    assert "stopped 3 times" in jobs.get(job.id).error


def test_a_worker_notices_that_its_job_was_taken_over_or_deleted(jobs):
    job = queued(jobs)
    mine = jobs.claim()
    assert jobs.heartbeat(mine, 0.5)
    theirs = jobs.claim()
    assert theirs.attempts == 2
    assert not jobs.heartbeat(mine, 0.6)
    jobs.fail(mine, "x")
    assert jobs.get(job.id).status == "running"
    assert Path(job.path).exists()
    jobs.add_result(mine, 0, PREDICTION)
    jobs.add_result(theirs, 0, replace(PREDICTION, label="fear"))
    assert [p.label for p in jobs.result(job.id)] == ["fear"]
    jobs.delete(theirs)
    assert not jobs.heartbeat(theirs, 0.7)
    jobs.add_result(theirs, 1, PREDICTION)
    assert not Path(job.path).exists()


def test_paths_of_recordings_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = queued(JobStore(Path("state"), 2, 3600))
    assert Path(job.path).is_absolute()


def test_a_job_of_a_running_process_is_not_claimed_by_another(jobs):
    queued(jobs)
    jobs.claim()
    code = (
        "import sys, pathlib; from affekt.server.store import JobStore;"
        "print(JobStore(pathlib.Path(sys.argv[1]), 2, 3600).claim())"
    )
    parent = jobs.uploads.parent
    out = subprocess.check_output([sys.executable, "-c", code, parent], text=True)
    assert out.strip() == "None"


def test_the_queue_is_limited_and_ended_jobs_expire(jobs, monkeypatch):
    first = queued(jobs)
    queued(jobs, "b")
    with pytest.raises(StoreFullError):
        queued(jobs, "c")
    now = time.time()
    job = jobs.claim()
    monkeypatch.setattr(store.time, "time", lambda: now + 4000)
    jobs.complete(job, [])
    queued(jobs, "d")
    jobs.delete_expired()
    assert jobs.get(first.id).status == "done"  # stored for an hour after its end
    monkeypatch.setattr(store.time, "time", lambda: now + 8000)
    jobs.delete_expired()
    assert jobs.get(first.id) is None
    assert {p.name for p in jobs.uploads.iterdir()} == {"b", "d"}  # c has no job


def test_a_full_database_loses_no_job(jobs, monkeypatch):
    job = queued(jobs)
    connect = sqlite3.connect

    def full(*arguments, **options):
        db = connect(*arguments, **options)
        pages = db.execute("pragma page_count").fetchone()[0]
        db.execute(f"pragma max_page_count = {pages}")
        return db

    monkeypatch.setattr(store.sqlite3, "connect", full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        jobs.add("b" * 200_000, "default", jobs.uploads / "b")
    monkeypatch.undo()
    assert jobs.claim().id == job.id


def test_a_database_of_version_0_1_is_read(tmp_path):
    values = replace(PREDICTION, license="research only", rejection_reason="silent").to_dict()
    for key in OLD_KEYS.values():
        del values[key]
    upload = tmp_path / "uploads" / "x"
    upload.parent.mkdir()
    upload.write_bytes(b"x")
    db = sqlite3.connect(tmp_path / "jobs.sqlite")
    db.executescript(
        """
        create table jobs (
            id text primary key, status text not null, file text not null, model text not null,
            path text not null, created real not null, beat real not null default 0,
            pid integer not null default 0,
            attempts integer not null default 0, progress real not null default 0,
            warnings text not null default '[]', error text not null default ''
        );
        create table results (
            job text not null references jobs (id) on delete cascade,
            number integer not null, prediction text not null, primary key (job, number)
        );
        """
    )
    row = "insert into jobs (id, status, file, model, path, created, beat) values (?,?,?,?,?,?,?)"
    db.execute(row, ("done", "done", "a.wav", "default", "gone", 1.0, time.time()))
    db.execute(row, ("waits", "queued", "b.wav", "default", str(upload), 2.0, 0.0))
    db.execute("insert into results values (?, ?, ?)", ("done", 0, json.dumps(values)))
    db.commit()
    db.close()
    jobs = JobStore(tmp_path, 9, 3600)
    [prediction] = jobs.result("done")
    assert prediction.license == "research only"
    assert prediction.rejection_reason == "silent"
    assert jobs.claim().file == "b.wav"
    job = JobStore(tmp_path, 9, 3600).add("c.wav", "default", upload, 2, "auto")
    assert (job.track, job.speakers) == (2, "auto")


def test_a_damaged_database_is_named(tmp_path):
    (tmp_path / "jobs.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(AffektError, match=r"jobs\.sqlite: not a usable database"):
        JobStore(tmp_path, 9, 3600)
