"""Silencing what C libraries print on standard error.

libsndfile reads MP3 with libmpg123, and has no setting that stops its messages
(https://github.com/libsndfile/libsndfile/issues/958). A damaged frame that looks sound is noticed
only while it is decoded, so no check of the file prevents them. Redirecting the file descriptor
would also take the lines of other threads and of processes that start meanwhile. The GNU C library
documents ``stderr`` as a variable to assign: only C code that prints by it is affected.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock

_lock = Lock()
_users = 0  # blocks of `quiet` that are running, of all threads

if hasattr(os, "register_at_fork"):  # a forked process needs the lock and the stream as they were
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=lambda: _reset(),  # defined below
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what C libraries print on standard error meanwhile; Linux with glibc only."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(change: int) -> None:
    global _users
    with _lock:
        _users += change
        _assign(discard=_users > 0)


def _reset() -> None:
    global _users
    _users = 0
    _assign(discard=False)
    _lock.release()


def _assign(*, discard: bool) -> None:
    if found := _streams():
        variable, usual, null = found
        variable.value = null if discard else usual


@cache
def _streams() -> tuple[ctypes.c_void_p, int | None, int] | None:
    """The variable ``stderr`` of the C library, its value, and a stream that discards."""
    if sys.platform != "linux":
        return None
    with suppress(ValueError, OSError, AttributeError):  # of another C library
        os.confstr("CS_GNU_LIBC_VERSION")
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        variable = ctypes.c_void_p.in_dll(library, "stderr")
        if null := library.fopen(os.devnull.encode(), b"we"):
            return variable, variable.value, null
    return None
