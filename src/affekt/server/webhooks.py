"""Webhooks: signed messages about ended jobs, sent until they are taken (Standard Webhooks)."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import sqlite3
import time
from datetime import UTC, datetime
from threading import Event, Thread
from urllib.parse import urlsplit

import httpx

from ..errors import AffektError
from .job import Job
from .monitoring import log_event
from .store import JobStore

POLL = 0.5  # s between two queries for webhooks that are due
TIMEOUT = 10.0  # s in which a receiver must answer
LEASE = 30.0  # s after which a message is sent again whose process was killed
DELAYS = (5, 30, 120, 600, 3600, 6 * 3600, 12 * 3600)  # s between tries; then it is given up
PREFIX = "whsec_"


def secret_of(text: str) -> bytes:
    """The key of a secret, "whsec_" and Base64.

    Raises:
        AffektError: It is none.
    """
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) < 24:
        raise AffektError(
            "the secret of webhooks must be Base64 of at least 24 bytes; create one with "
            "openssl rand -base64 32"
        )
    return secret


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` of a message, as standardwebhooks.com defines it.

    Args:
        secret: The key.
        message_id: The header ``webhook-id``.
        timestamp: The header ``webhook-timestamp``, in seconds since 1970.
        body: The message.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()


def is_allowed(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether a webhook may be sent to an address: others could be inside the server's network."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return not parts.username and (host in hosts or f"{host}:{parts.port}" in hosts)


class Webhooks(Thread):
    """Sends the messages of a job store that are due.

    A message is stored with the end of its job and deleted only when it was taken, so that none is
    lost. Where the server is killed while it waits for the answer, it is sent again with the same
    ``webhook-id``.

    Args:
        store: The jobs.
        secret: Signs the messages.
        hosts: As of `is_allowed`.
    """

    def __init__(self, store: JobStore, secret: bytes, hosts: tuple[str, ...]) -> None:
        super().__init__(daemon=True, name="webhooks")
        self._store, self._secret, self._hosts = store, secret, hosts
        self._stop_event = Event()

    def stop(self) -> None:
        """Let the thread end."""
        self._stop_event.set()

    def run(self) -> None:
        """See `Webhooks`."""
        with httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
            while not self._stop_event.is_set():
                try:
                    if job := self._claim():
                        self._send(client, job)
                        continue
                except (OSError, sqlite3.Error) as error:
                    log_event("job store unavailable", logging.WARNING, error=str(error))
                self._stop_event.wait(POLL)

    def _claim(self) -> Job | None:
        """A job whose message is due, reserved for `LEASE` seconds."""
        now = time.time()
        with self._store.database.connection() as db:
            row = db.execute(
                "update jobs set webhook_due = ?, webhook_tries = webhook_tries + 1 where id ="
                " (select id from jobs where webhook_due <= ? order by webhook_due limit 1)"
                " returning *",
                (now + LEASE, now),
            ).fetchone()
        return Job.from_row(row) if row else None

    def _send(self, client: httpx.Client, job: Job) -> None:
        """Send the message of a job, and note when it is sent again, if at all."""
        status = self._status(client, job) if is_allowed(job.webhook, self._hosts) else 410
        due = None
        if not 200 <= status < 300 and status != 410 and job.webhook_tries <= len(DELAYS):
            due = time.time() + DELAYS[job.webhook_tries - 1]
        with self._store.database.connection() as db:
            db.execute("update jobs set webhook_due = ? where id = ?", (due, job.id))
        log_event("webhook", job=job.id, status=status, tries=job.webhook_tries)

    def _status(self, client: httpx.Client, job: Job) -> int:
        """The status of the answer to the message of a job; 0 if there was none."""
        timestamp = int(time.time())
        body = json.dumps(
            {
                "type": f"job.{job.status}",
                "timestamp": datetime.fromtimestamp(job.beat, UTC).isoformat(),
                "data": {name: getattr(job, name) for name in ("id", "status", "file", "tag",
                                                               "error")},
            }
        ).encode()  # fmt: skip
        headers = {
            "content-type": "application/json",
            "webhook-id": job.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, job.id, timestamp, body),
        }
        try:
            return client.post(job.webhook, content=body, headers=headers).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return 0
