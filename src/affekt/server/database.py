"""The SQLite file of the jobs: connections, tables, files of earlier versions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import AffektError

SCHEMA = """
create table if not exists jobs (
    id text primary key, status text not null, file text not null, model text not null,
    path text not null, created real not null, beat real not null default 0,
    pid integer not null default 0,
    attempts integer not null default 0, progress real not null default 0,
    warnings text not null default '[]', error text not null default ''
);
create table if not exists results (
    job text not null references jobs (id) on delete cascade,
    number integer not null, prediction text not null, primary key (job, number)
);
"""
COLUMNS = {  # that later versions added to the table of jobs
    "track": "integer",
    "speakers": "text not null default '1'",
    "channels": "text not null default 'mean'",
    "hop": "real not null default 0.24",
    "seconds": "real not null default 43200",
    "tag": "text not null default ''",
    "owner": "text not null default ''",
    "keep": "real",
    "process": "text not null default ''",
    "failures": "integer not null default 0",
    "idempotency_key": "text",
    "fingerprint": "text not null default ''",
    "webhook": "text not null default ''",
    "webhook_due": "real",
    "webhook_tries": "integer not null default 0",
}
INDEX = """
create unique index if not exists idempotency on jobs (owner, idempotency_key)
    where idempotency_key is not null
"""


class Database:
    """A SQLite file that any number of threads and processes may share.

    Args:
        file: Created if missing.

    Raises:
        AffektError: It cannot be written, or is damaged.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with self.connection() as db:
                db.execute("pragma journal_mode = wal")
                db.executescript(SCHEMA)
                _add_columns(db)
                db.execute(INDEX)
                [message] = db.execute("pragma quick_check(1)").fetchone()
                if message != "ok":
                    raise sqlite3.DatabaseError(message)
        except sqlite3.DatabaseError as error:
            raise AffektError(
                f"{file}: not a usable database of jobs ({error}); move the file away or choose "
                "another --state folder"
            ) from error

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one short transaction; its rows have names."""
        db = sqlite3.connect(self._file, timeout=10)
        db.row_factory = sqlite3.Row
        try:
            db.execute("pragma foreign_keys = on")
            with db:
                yield db
        finally:
            db.close()


def _add_columns(db: sqlite3.Connection) -> None:
    """Add the columns of later versions to a database of an earlier one."""
    db.execute("begin immediate")  # another process may be about to add them
    present = [row["name"] for row in db.execute("pragma table_info (jobs)")]
    for name, kind in COLUMNS.items():
        if name not in present:
            db.execute(f"alter table jobs add column {name} {kind}")
