"""Frames of a stream that were received and not recognised yet."""

import tempfile
from collections import deque
from collections.abc import Iterator
from threading import Condition

MEMORY = 1 << 20  # bytes; more are written to a file


class BacklogFullError(Exception):
    """A client sends so much faster than its speech is recognised that no more is stored."""


class AbortedError(Exception):
    """The connection is closed; the rest of the stream is not recognised."""


class Backlog:
    """A queue of frames between the connection and the thread that recognises them.

    A connection that is always read answers pings, however fast the client sends.

    Args:
        limit: Bytes that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(MEMORY)  # noqa: SIM115  # closed by `abort`
        self._sizes: deque[int] = deque()
        self._limit, self._read, self._written = limit, 0, 0
        self._ended = self._aborted = False
        self._changed = Condition()

    def put(self, frame: bytes) -> None:
        """Add a frame.

        Raises:
            BacklogFullError: The frames that wait would exceed the limit.
        """
        with self._changed:
            if self._ended:
                return
            if not self._sizes:  # all were taken: use the file from its beginning
                self._read = self._written = 0
                self._file.seek(0)
                self._file.truncate()
            if self._written + len(frame) > self._limit:
                raise BacklogFullError
            self._file.seek(self._written)
            self._file.write(frame)
            self._written += len(frame)
            self._sizes.append(len(frame))
            self._changed.notify()

    def end(self) -> None:
        """Add no more frames."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def check(self) -> None:
        """Raise `AbortedError` if the connection was closed."""
        if self._aborted:
            raise AbortedError

    def abort(self) -> None:
        """Let the thread that takes frames stop, and delete them."""
        with self._changed:
            self._aborted = True
            self._file.close()
            self._changed.notify()

    def __iter__(self) -> Iterator[bytes]:
        """Wait for frames and take them, until the end.

        Raises:
            AbortedError: The connection was closed.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._sizes or self._ended or self._aborted)
                if self._aborted:
                    raise AbortedError
                if not self._sizes:
                    return
                self._file.seek(self._read)
                frame = self._file.read(self._sizes.popleft())
                self._read += len(frame)
            yield frame
