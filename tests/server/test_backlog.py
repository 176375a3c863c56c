"""Frames between a connection and the thread that recognises them."""

import threading

import pytest

from affekt.server.backlog import MEMORY, AbortedError, Backlog, BacklogFullError


def test_frames_come_out_in_their_order_also_from_disk():
    backlog = Backlog(10 * MEMORY)
    frames = [bytes([i]) * (MEMORY // 4) for i in range(16)] + [b"", b"last"]
    for frame in frames:
        backlog.put(frame)
    backlog.end()
    backlog.put(b"after the end")
    assert list(backlog) == frames


def test_only_frames_that_wait_count_against_the_limit():
    backlog = Backlog(10)
    taken = iter(backlog)
    for _ in range(5):
        backlog.put(b"12345678")
        assert next(taken) == b"12345678"
    backlog.put(b"12345678")
    with pytest.raises(BacklogFullError):
        backlog.put(b"123")


def test_a_thread_that_waits_is_stopped():
    backlog, errors = Backlog(10), []

    def take():
        try:
            list(backlog)
        except AbortedError as error:
            errors.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    backlog.abort()
    thread.join(10)
    assert len(errors) == 1
