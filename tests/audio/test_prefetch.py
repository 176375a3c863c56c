import threading
import time

import pytest

from affekt.audio.prefetch import prefetch


def test_the_same_items_in_the_same_order_though_some_are_none():
    assert list(prefetch(iter([1, None, 3]), 2)) == [1, None, 3]
    assert list(prefetch([], 2)) == []


def test_the_number_of_prefetched_items_is_limited():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    running = prefetch(items(), 3)
    assert next(running) == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert 4 <= len(made) <= 6
    running.close()
    assert len(made) <= 6
    assert not [t for t in threading.enumerate() if t.daemon and t.name.endswith("(work)")]


def test_an_error_is_raised_after_the_items_before_it():
    def items():
        yield 1
        raise OSError("disk")

    running = prefetch(items(), 4)
    assert next(running) == 1
    with pytest.raises(OSError, match="disk"):
        next(running)
