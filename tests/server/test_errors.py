"""Errors of files and databases: 507 only for a full disk; no details go to the client."""

import errno
import sqlite3

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from affekt.server.errors import ERROR_HANDLERS


def sqlite_error(statement):
    """The error of a statement, executed in a database of one page."""
    db = sqlite3.connect(":memory:")
    db.execute("create table t (x)")
    db.execute("pragma max_page_count = 2")
    try:
        db.execute(statement)
    except sqlite3.Error as error:
        return error
    raise AssertionError("no error")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/secret/a.wav"), 507),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/secret/a.wav"), 507),
        (OSError(errno.EFBIG, "File too large", "/secret/a.wav"), 507),
        (sqlite_error("insert into t values (zeroblob(100000))"), 507),
        (OSError(errno.EACCES, "Permission denied", "/secret/a.wav"), 500),
        (OSError("no number"), 500),
        (sqlite_error("select secret from t"), 500),
        (RuntimeError("secret"), 500),
    ],
)
def test_only_a_full_disk_is_507(error, status):
    app = FastAPI(exception_handlers=ERROR_HANDLERS)

    @app.get("/")
    def fail():
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == status
    assert answer.json().keys() == {"detail"}
    assert "secret" not in answer.text
    if status == 500:  # passed on to the server, which logs it with its traceback
        with pytest.raises(type(error)) as raised:
            TestClient(app).get("/")
        assert raised.value is error
