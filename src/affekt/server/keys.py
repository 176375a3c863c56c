"""Keys of several clients: a file of hashed tokens with scopes and rate limits."""

import hashlib
import secrets
import time
from pathlib import Path
from threading import Lock
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from ..atomic import write
from ..config import Frozen
from ..errors import AffektError

Scope = Literal["recognise", "jobs", "stream", "adapt", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = ("recognise", "jobs", "stream", "adapt", "metrics", "admin")
DEFAULT_SCOPES: tuple[Scope, ...] = ("recognise", "jobs", "stream")


class Key(Frozen):
    """What a client may do."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Hash of its token; the token itself is not stored."""
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    """Routes that it may use; "admin" sees jobs and adaptations of all keys and reloads models."""
    per_minute: int | None = Field(None, ge=1)
    """Limit of requests in a minute, in each worker process; None for no limit."""


KEYS = TypeAdapter(dict[str, Key])


def read_keys(file: Path) -> dict[str, Key]:
    """Read the keys of a file, by their names.

    Raises:
        AffektError: It cannot be read, or is not a file of keys.
    """
    try:
        return KEYS.validate_json(file.read_bytes())
    except OSError as error:
        raise AffektError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(map(str, first["loc"]))
        raise AffektError(f"{file}: not a file of keys ({where}: {first['msg']})") from error


def write_keys(file: Path, keys: dict[str, Key]) -> None:
    """Write keys to a file, at once and readable for this user only."""
    write(file, KEYS.dump_json(keys, indent=2))
    file.chmod(0o600)


def new_token() -> str:
    """A token that nobody can guess, of letters, digits, - and _."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """The hash by which a token is found; it is random, so that no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class KeyRing:
    """The keys of a file, which is read again when it changes.

    Args:
        file: The file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._names: dict[str, str] = {}
        self._keys: dict[str, Key] = {}
        self._buckets: dict[str, _Bucket] = {}

    def find(self, token: str) -> tuple[str, Key] | None:
        """The name and the key of a token, or None.

        Raises:
            AffektError: The file cannot be read; nobody is let in then.
        """
        with self._lock:
            self._read()
            name = self._names.get(token_hash(token))
            return (name, self._keys[name]) if name else None

    def wait(self, name: str) -> float:
        """Count a request of a key; the seconds to wait if it is beyond the limit, else 0."""
        with self._lock:
            limit = self._keys[name].per_minute if name in self._keys else None
            if limit is None:
                return 0.0
            bucket = self._buckets.get(name)
            if not bucket or bucket.limit != limit:
                bucket = self._buckets[name] = _Bucket(limit)
            return bucket.take()

    def _read(self) -> None:
        try:
            found = self._file.stat()
        except OSError as error:
            raise AffektError(f"{self._file}: cannot be read: {error.strerror}") from error
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if stamp != self._stamp:
            self._keys = read_keys(self._file)
            self._names = {key.sha256: name for name, key in self._keys.items()}
            self._stamp = stamp


class _Bucket:
    """Token bucket: `limit` requests at once, refilled within a minute.

    Args:
        limit: Requests in a minute.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left, self._last = float(limit), time.monotonic()

    def take(self) -> float:
        """Take one; the seconds until there is one if there is none, else 0."""
        now = time.monotonic()
        self._left = min(self.limit, self._left + (now - self._last) * self.limit / 60)
        self._last = now
        if self._left < 1:
            return (1 - self._left) * 60 / self.limit
        self._left -= 1
        return 0.0
