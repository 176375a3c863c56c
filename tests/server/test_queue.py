"""The job queue: claims, leases, order, results of several attempts."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from affekt.server import queue as module
from affekt.server.job import NewJob
from affekt.server.queue import JobQueue
from affekt.server.store import JobStore
from affekt.types import Prediction

PREDICTION = Prediction("a.wav", 1.0, "anger", 1.0, {"anger": 1.0}, [])
DIED = "process that has died"


@pytest.fixture
def jobs(tmp_path):
    return JobStore(tmp_path, 99, 3600)


@pytest.fixture
def queue(jobs):
    return JobQueue(jobs)


def queued(jobs, name="a", **values):
    path = jobs.uploads / name
    path.write_bytes(b"x")
    return jobs.add(NewJob("a.wav", "default", path, **values))


def restarted(queue):
    """The queue of a server that was started after this one was killed, with the same id."""
    return JobQueue(queue.store)


def test_a_job_that_kills_its_workers_fails(jobs, queue):
    job = queued(jobs, webhook="https://example.org")
    for _ in range(module.MAX_FAILURES):
        queue = restarted(queue)
        assert queue.claim().id == job.id
    assert restarted(queue).claim() is None
    assert jobs.get(job.id).status == "failed"
    assert "stopped 5 times" in jobs.get(job.id).error
    with jobs.database.connection() as db:
        assert db.execute("select webhook_due from jobs").fetchone()[0] > 0


def test_a_job_that_advances_may_be_interrupted_any_number_of_times(jobs, queue):
    job = queued(jobs)
    for number in range(3 * module.MAX_FAILURES):
        queue = restarted(queue)
        claimed = queue.claim()
        assert claimed.id == job.id
        assert queue.heartbeat(claimed, number / 100, advanced=True)
    assert jobs.get(job.id).progress == pytest.approx(0.14)


def test_a_worker_notices_that_its_job_was_taken_over_or_deleted(jobs, queue):
    job = queued(jobs)
    mine = queue.claim()
    assert queue.heartbeat(mine, 0.5)
    other = restarted(queue)
    theirs = other.claim()
    assert theirs.attempts == 2
    assert not queue.heartbeat(mine, 0.6)
    queue.fail(mine, "x")
    queue.requeue(mine)
    assert jobs.get(job.id).status == "running"
    assert job.path.exists()
    assert not queue.add_result(mine, 0, PREDICTION)
    assert other.add_result(theirs, 0, replace(PREDICTION, label="fear"))
    assert [p.label for p in jobs.result(job.id)] == ["fear"]
    jobs.delete(theirs)
    assert not other.heartbeat(theirs, 0.7)
    assert not other.add_result(theirs, 1, PREDICTION)
    assert not job.path.exists()


def test_a_later_attempt_adds_no_result_twice(jobs, queue):
    job = queued(jobs)
    first = queue.claim()
    assert queue.add_result(first, 0, PREDICTION)
    queue = restarted(queue)
    second = queue.claim()
    assert not queue.add_result(second, 0, replace(PREDICTION, label="fear"))
    assert queue.add_result(second, 1, replace(PREDICTION, label="fear"))
    assert [p.label for p in jobs.result(job.id)] == ["anger", "fear"]


def test_a_running_job_is_claimed_by_no_other_thread_or_process(jobs, queue):
    queued(jobs)
    queue.claim()
    assert queue.claim() is None
    code = (
        "import sys, pathlib; from affekt.server.store import JobStore;"
        "from affekt.server.queue import JobQueue;"
        "print(JobQueue(JobStore(pathlib.Path(sys.argv[1]), 2, 3600)).claim())"
    )
    parent = jobs.uploads.parent
    out = subprocess.check_output([sys.executable, "-c", code, parent], text=True)
    assert out.strip() == "None"
    with jobs.database.connection() as db:
        db.execute("update jobs set beat = beat - ?", (module.LEASE + 1,))
    assert queue.claim().attempts == 2  # its thread is lost


def test_a_dead_process_is_known_by_its_id(jobs, queue):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    queued(jobs)
    queue.claim()
    with jobs.database.connection() as db:
        db.execute("update jobs set process = ?, pid = ?", (DIED, os.getppid()))
    assert queue.claim() is None  # that process is running
    with jobs.database.connection() as db:
        db.execute("update jobs set pid = ?", (child.pid,))
    assert queue.claim().attempts == 2


def test_ended_jobs_of_a_dead_process_do_not_expire(jobs, queue):
    done, interrupted = queued(jobs), queued(jobs, "b")
    queue.complete(queue.claim(), [])
    queue.claim()
    assert restarted(queue).claim().id == interrupted.id
    jobs.delete_expired()
    assert jobs.get(done.id).status == "done"


def test_shorter_recordings_come_before_longer_ones_for_a_while(jobs, queue, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("affekt.server.store.time.time", lambda: now)
    long = queued(jobs, "long", seconds=3600.0)
    now += 10
    short = queued(jobs, "short", seconds=5.0)
    unknown = queued(jobs, "unknown")
    now += 3600
    late = queued(jobs, "late", seconds=5.0)
    order = [queue.claim().id for _ in range(4)]
    assert order == [short.id, long.id, late.id, unknown.id]


def test_a_thread_for_short_recordings_takes_no_longer_ones(jobs, queue):
    queued(jobs, "long", seconds=31.0)
    short = queued(jobs, "short", seconds=30.0)
    assert queue.claim(longest=30.0).id == short.id
    assert queue.claim(longest=30.0) is None


def test_a_client_with_fewer_running_jobs_comes_first(jobs, queue):
    for number in range(3):
        queued(jobs, f"{number}", owner="ann", seconds=60.0)
    bob = queued(jobs, "bob", owner="bob", seconds=600.0)
    assert queue.claim().owner == "ann"
    assert queue.claim().id == bob.id
    assert queue.claim().owner == "ann"
