"""Prefetching: threads produce items while another uses them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """``map(function, items)``, computed in threads, up to twice as many items ahead.

    Args:
        function: Spends its time outside the interpreter lock, such as in decoding.
        items: Its arguments.
        threads: Number of threads; with 1 each result is computed when it is taken.
    """
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future[Result]]()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
