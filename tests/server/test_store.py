"""The job store: limits, lists, idempotency, expiry, a full database, files of version 0.1."""

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from affekt.errors import AffektError
from affekt.server import database, store
from affekt.server.job import NewJob
from affekt.server.queue import JobQueue
from affekt.server.store import JobStore, KeyReusedError, StoreFullError
from affekt.types import OLD_KEYS, Prediction

PREDICTION = Prediction("a.wav", 1.0, "anger", 1.0, {"anger": 1.0}, [])


@pytest.fixture
def jobs(tmp_path):
    return JobStore(tmp_path, 2, 3600)


def queued(jobs, name="a", **values):
    path = jobs.uploads / name
    path.write_bytes(b"x")
    return jobs.add(NewJob("a.wav", "default", path, **values))


def test_paths_of_recordings_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = queued(JobStore(Path("state"), 2, 3600))
    assert job.path.is_absolute()


def test_the_queue_is_limited_and_ended_jobs_expire(jobs, monkeypatch):
    first = queued(jobs)
    queued(jobs, "b")
    with pytest.raises(StoreFullError):
        queued(jobs, "c")
    now = time.time()
    queue = JobQueue(jobs)
    job = queue.claim()
    monkeypatch.setattr(store.time, "time", lambda: now + 4000)
    queue.complete(job, [])
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

    monkeypatch.setattr(database.sqlite3, "connect", full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        jobs.add(NewJob("b" * 200_000, "default", jobs.uploads / "b"))
    monkeypatch.undo()
    assert JobQueue(jobs).claim().id == job.id


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
    assert JobQueue(jobs).claim().file == "b.wav"
    job = JobStore(tmp_path, 9, 3600).add(
        NewJob("c.wav", "default", upload, track=2, speakers="auto")
    )
    assert (job.track, job.speakers) == (2, "auto")


def test_a_damaged_database_is_named(tmp_path):
    (tmp_path / "jobs.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(AffektError, match=r"jobs\.sqlite: not a usable database"):
        JobStore(tmp_path, 9, 3600)


def test_a_request_that_is_sent_again_gives_the_same_job(jobs):
    first = queued(jobs, idempotency_key="k", fingerprint="1")
    assert queued(jobs, "b", idempotency_key="k", fingerprint="1").id == first.id
    with pytest.raises(KeyReusedError):
        queued(jobs, "c", idempotency_key="k", fingerprint="2")
    other = queued(jobs, "d", owner="bob", idempotency_key="k", fingerprint="2")
    assert other.id != first.id
    assert jobs.knows("bob", "k")
    assert not jobs.knows("bob", "l")
    assert queued(jobs, "b", idempotency_key="k", fingerprint="1").id == first.id  # though full
    jobs.delete(first)
    assert not jobs.knows("", "k")


def test_jobs_are_listed_by_owner_tag_and_status_in_pages(tmp_path):
    jobs = JobStore(tmp_path, 99, 3600)
    for number in range(6):
        owner, tag = ("ann", "bob")[number % 2], ("x", "y")[number // 3]
        queued(jobs, f"{number}", owner=owner, tag=tag)
    everything = jobs.find()
    assert [job.path.name for job in everything] == list("543210")
    assert [job.path.name for job in jobs.find(owner="ann")] == list("420")
    assert [job.path.name for job in jobs.find(owner="ann", tag="x")] == list("20")
    assert jobs.find(status="done") == []
    two = [everything[1].id, everything[3].id]
    assert [job.id for job in jobs.find(ids=[*two, "0" * 32])] == two
    assert jobs.find(owner="bob", ids=two) == []
    pages = [jobs.find(limit=4), jobs.find(limit=4, after=everything[3].id)]
    assert [job for page in pages for job in page] == everything
    jobs.delete(*jobs.find(tag="x"))
    assert [job.path.name for job in jobs.find()] == list("543")
    assert {path.name for path in jobs.uploads.iterdir()} == set("345")


def test_a_job_may_expire_earlier_but_not_later_than_the_server_says(tmp_path):
    jobs = JobStore(tmp_path, 9, 1000)
    queue, expires = JobQueue(jobs), []
    for keep in (None, 10.0, 5000.0):
        job = queued(jobs, keep=keep)
        assert job.expires(1000) is None
        queue.complete(queue.claim(), [])
        ended = jobs.get(job.id)
        expires.append(ended.expires(1000) - ended.beat)
    assert expires == pytest.approx([1000, 10, 1000])


def test_results_can_be_read_from_a_number_on(jobs):
    queue, job = JobQueue(jobs), queued(jobs)
    claimed = queue.claim()
    for number in range(3):
        queue.add_result(claimed, number, replace(PREDICTION, start=float(number)))
    assert [p.start for p in jobs.result(job.id, after=1)] == [1.0, 2.0]
    assert jobs.available(job.id) == 3
