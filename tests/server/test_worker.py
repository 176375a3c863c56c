"""The worker threads of jobs."""

import time

import pytest

from affekt.server import queue, worker
from affekt.server.job import NewJob
from affekt.server.queue import JobQueue
from affekt.server.store import JobStore
from affekt.server.worker import Heart


def until(condition):
    """Wait for it, for up to ten seconds."""
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """A queue with one job, and a short lease."""
    monkeypatch.setattr(worker, "HEARTBEAT", 0.02)
    monkeypatch.setattr(queue, "LEASE", 1.0)
    store = JobStore(tmp_path, 99, 3600)
    path = store.uploads / "a"
    path.write_bytes(b"x")
    store.add(NewJob("a.wav", "default", path))
    return JobQueue(store)


def test_a_job_whose_recognition_gives_no_sign_for_long_is_not_taken_over(jobs):
    mine = jobs.claim()
    with Heart(jobs, mine) as heart:
        heart.fraction = 0.4
        time.sleep(1.5)
        assert jobs.claim() is None
        assert not heart.is_lost
    assert jobs.store.get(mine.id).progress == 0.4
    assert until(jobs.claim), "without a heart the lease ends"


def test_a_heart_ends_when_its_job_is_deleted(jobs):
    mine = jobs.claim()
    with Heart(jobs, mine) as heart:
        jobs.store.delete(mine)
        assert until(lambda: heart.is_lost)
