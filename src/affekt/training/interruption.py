"""Ctrl-C as a flag that a long loop checks between its steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interruption:
    """Whether Ctrl-C was pressed.

    Attributes:
        requested: Set by the first Ctrl-C; the second raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested = False

    def handle(self, *_: object) -> None:
        """Signal handler of SIGINT."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def deferred_interruption(*, enabled: bool = True) -> Iterator[Interruption]:
    """Set a flag on Ctrl-C, for the duration of a block, instead of raising KeyboardInterrupt.

    Outside the main thread, which alone receives signals, and if a handler other than Python's own
    is installed, the block has no effect.

    Args:
        enabled: If false, Ctrl-C raises KeyboardInterrupt as elsewhere.
    """
    interruption = Interruption()
    main = threading.current_thread() is threading.main_thread()
    own = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not (enabled and own):
        yield interruption
        return
    signal.signal(signal.SIGINT, interruption.handle)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
