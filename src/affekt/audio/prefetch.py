"""Prefetching: one thread produces items while another uses them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], most: int) -> Iterator[Item]:
    """Yield the same items, produced in a thread of their own.

    An error in the thread is raised here. The thread ends when the iterator is closed.

    Args:
        items: Items to produce, for instance by decoding.
        most: Largest number of items that are ready at the same time.
    """
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(most)
    stop = Event()

    def put(item: Item | None, error: BaseException | None) -> None:
        while not stop.is_set():
            with suppress(Full):
                return queue.put((item, error), timeout=0.1)

    def work() -> None:
        try:
            for item in items:
                put(item, None)
                if stop.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # None only together with an error
    finally:
        stop.set()
        thread.join()
