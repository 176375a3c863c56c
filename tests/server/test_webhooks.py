"""Webhooks: signatures, allowed hosts, messages that are sent until they are taken."""

import http.server
import json
import threading
import time
from contextlib import contextmanager

import pytest
from helpers import waited

from affekt.errors import AffektError
from affekt.server import webhooks
from affekt.server.job import NewJob
from affekt.server.queue import JobQueue
from affekt.server.store import JobStore
from affekt.server.webhooks import Webhooks, is_allowed, secret_of, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@contextmanager
def receiver(statuses):
    """A server that answers with these statuses, then 204; its address and what it received."""
    received, remaining = [], list(statuses)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((dict(self.headers), body))
            status = remaining.pop(0) if remaining else 204
            self.send_response(status)
            if status == 302:
                self.send_header("location", self.path)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", received
    finally:
        server.shutdown()
        server.server_close()


def test_the_signature_is_that_of_the_published_example():
    """Of the libraries of standardwebhooks.com."""
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    sent = signature(secret_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert sent == expected


@pytest.mark.parametrize("text", ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_*"])
def test_a_weak_secret_is_refused(text):
    with pytest.raises(AffektError, match="openssl rand -base64 32"):
        secret_of(text)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/hook", True),
        ("https://EXAMPLE.org:9/hook", True),
        ("http://10.0.0.1:8080/", True),
        ("http://10.0.0.1/", False),
        ("https://evil.example.org/", False),
        ("https://example.org.evil/", False),
        ("https://example.org@evil/", False),
        ("https://user@example.org/", False),
    ],
)
def test_only_hosts_of_the_list_are_called(url, allowed):
    assert is_allowed(url, ("example.org", "10.0.0.1:8080")) == allowed


def ended_job(tmp_path, url):
    store = JobStore(tmp_path, 9, 3600)
    path = store.uploads / "a"
    path.write_bytes(b"x")
    job = store.add(NewJob("call.wav", "default", path, tag="t", webhook=url))
    queue = JobQueue(store)
    queue.complete(queue.claim(), [])
    return store, job


def due(store):
    with store.database.connection() as db:
        return db.execute("select webhook_due from jobs").fetchone()[0]


def test_a_message_is_sent_until_it_is_taken_and_then_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(webhooks, "DELAYS", (0.0,) * 9)
    with receiver([500, 302, 404]) as (url, received):
        store, job = ended_job(tmp_path, url)
        thread = Webhooks(store, secret_of(SECRET), ("127.0.0.1",))
        thread.start()
        waited(lambda: due(store) is None)
        time.sleep(3 * webhooks.POLL)
        thread.stop()
        thread.join()
    assert len(received) == 4
    for headers, body in received:
        message = json.loads(body)
        assert message["type"] == "job.done"
        assert message["data"] == {
            "id": job.id, "status": "done", "file": "call.wav", "tag": "t", "error": ""
        }  # fmt: skip
        name, timestamp = headers["webhook-id"], int(headers["webhook-timestamp"])
        assert name == job.id
        expected = signature(secret_of(SECRET), name, timestamp, body)
        assert headers["webhook-signature"] == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "example.org"])
def test_a_message_is_given_up(tmp_path, monkeypatch, host):
    """Where nobody takes it, or its host is no longer allowed."""
    monkeypatch.setattr(webhooks, "DELAYS", (0.0, 0.0))
    with receiver([500] * 9) as (url, received):
        store, _ = ended_job(tmp_path, url)
        thread = Webhooks(store, secret_of(SECRET), (host,))
        thread.start()
        waited(lambda: due(store) is None)
        thread.stop()
        thread.join()
    assert len(received) == (3 if host == "127.0.0.1" else 0)


def test_an_ended_job_is_kept_until_its_message_is_sent(tmp_path):
    store, job = ended_job(tmp_path, "http://127.0.0.1:9/")
    with store.database.connection() as db:
        db.execute("update jobs set beat = 0")
    store.delete_expired()
    assert store.get(job.id)
    with store.database.connection() as db:
        db.execute("update jobs set webhook_due = null")
    store.delete_expired()
    assert not store.get(job.id)
