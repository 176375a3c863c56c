"""The client: recognition, jobs and live streams of a server, by plain calls."""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack
from urllib.parse import quote

import httpx

from ..types import Prediction, Segment
from .jobs import Job, JobFailedError, Progress, read_events
from .live import StreamParameters, recognise_live
from .recordings import Source, failure, opened, recording
from .transport import ServerError, Transport

REFUSED = (413, 422)  # status codes of a recording that is too long, or none
POLL = 0.5  # s between two looks at a job
RECONNECTIONS = 5  # times in a row that events are asked for again without a new one


class Parameters(TypedDict, total=False):
    """How recordings are recognised; see the server for each."""

    model: str
    track: int
    channels: Literal["mean", "split"]
    speakers: int | Literal["auto"]
    hop: float


class Client:
    """A client of ``affekt serve``.

    A request is sent again if the server is busy, after the time that it asks for, or if the
    connection breaks. All methods may be called from any thread.

    Args:
        url: Address of the server.
        token: Its token or your key; "" for none.
        timeout: Seconds without a byte after which a request fails.
        retries: Number of times that a request is sent again.

    Examples:
        >>> with Client("http://127.0.0.1:8000") as client:
        ...     print(client.recognise("call.wav").label)
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str = "",
        *,
        timeout: float = 60.0,
        retries: int = 3,
    ) -> None:
        self._transport = Transport(url, token, timeout, retries)
        self._server = (url, token, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def models(self) -> list[dict[str, Any]]:
        """The models of the server: name, labels, intended use, license."""
        return self._get("/v1/models")

    def recognise(self, source: Source, **parameters: Unpack[Parameters]) -> Prediction:
        """Recognise a recording of up to 30 s.

        Args:
            source: Path or bytes of a file.
            parameters: How it is recognised.

        Returns:
            The prediction of the whole recording, with those of its utterances.

        Raises:
            ServerError: The server refuses it, or cannot be reached.
        """
        return recording(self._upload("/v1/recognise", [source], dict(parameters)))

    def recognise_files(
        self, sources: Sequence[Source], **parameters: Unpack[Parameters]
    ) -> list[Prediction | ServerError]:
        """Recognise up to 32 recordings in one request.

        Args:
            sources: Paths or bytes of files.
            parameters: How they are recognised.

        Returns:
            In the order of the sources, a prediction of each, or why there is none.

        Raises:
            ServerError: The server refuses the request as a whole, or cannot be reached.
        """
        if len(sources) < 2:  # a request whose response is no list
            return [self._recognised_or_error(source, parameters) for source in sources]
        return [
            failure(value) if "detail" in value else recording(value)
            for value in self._upload("/v1/recognise", sources, dict(parameters))
        ]

    def _recognised_or_error(
        self, source: Source, parameters: Parameters
    ) -> Prediction | ServerError:
        try:
            return self.recognise(source, **parameters)
        except ServerError as error:
            if error.code not in REFUSED:
                raise
            return error

    def submit(
        self,
        source: Source,
        *,
        tag: str = "",
        keep_hours: float | None = None,
        webhook: str = "",
        idempotency_key: str = "",
        **parameters: Unpack[Parameters],
    ) -> Job:
        """Queue a recording of up to 12 hours.

        Args:
            source: Path or bytes of a file.
            tag: Name of a group of jobs.
            keep_hours: Hours after which an ended job is deleted, if the server's limit is later.
            webhook: Address to which the server sends a message when the job has ended.
            idempotency_key: Your name of the request: with the same one, it gives the same job. By
                default a new one for each call, so that a retry queues no second job.
            parameters: How it is recognised.

        Raises:
            ServerError: The server refuses it, or cannot be reached.
        """
        fields = {"tag": tag, "keep_hours": keep_hours, "webhook": webhook, **parameters}
        given = {name: value for name, value in fields.items() if value not in (None, "")}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return Job.from_dict(self._upload("/v1/jobs", [source], given, headers))

    def job(self, job: Job | str) -> Job:
        """The present state of a job.

        Args:
            job: The job or its id.

        Raises:
            ServerError: There is none, or the server cannot be reached.
        """
        return Job.from_dict(self._get(_path(job), {"after": 10**9}))  # without its result

    def jobs(self, *, tag: str | None = None, status: str | None = None) -> Iterator[Job]:
        """All jobs, the latest first.

        Args:
            tag: Only those with a tag.
            status: Only those with a status.
        """
        wanted = {"tag": tag, "status": status, "after": None}
        while True:
            query = {name: value for name, value in wanted.items() if value is not None}
            page = self._get("/v1/jobs", query)
            yield from map(Job.from_dict, page["jobs"])
            wanted["after"] = page["next"]
            if not page["next"]:
                return

    def result(self, job: Job | str, after: int = 0) -> list[Prediction]:
        """The predictions of a job so far, one for each utterance, also while it is running.

        Args:
            job: The job or its id.
            after: Number of predictions to leave out.
        """
        values = self._get(_path(job), {"after": after})
        return [Prediction.from_dict(value) for value in values["result"]]

    def events(self, job: Job | str, after: int = 0) -> Iterator[Prediction | Progress]:
        """What happens to a job, as it happens, until it has ended.

        If the connection breaks, the events go on where they stopped.

        Args:
            job: The job or its id.
            after: Number of predictions to leave out.

        Yields:
            A prediction of each utterance, and between them how far the job is.

        Raises:
            ServerError: There is no such job, or the server cannot be reached.
        """
        last, broken = str(after), 0
        while True:
            response = self._transport.stream(f"{_path(job)}/events", {"Last-Event-ID": last})
            try:
                for event in read_events(response.iter_lines()):
                    last, broken = event.id or last, 0
                    content = event.content
                    yield content
                    if isinstance(content, Progress) and content.has_ended:
                        return
                reason = "the events ended before the job"
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            finally:
                response.close()
            broken += 1
            if broken > RECONNECTIONS:
                raise ServerError(f"job {_id(job)}: {reason}")
            time.sleep(POLL)

    def predictions(self, job: Job | str, after: int = 0) -> Iterator[Prediction]:
        """The predictions of a job, as they come.

        Args:
            job: The job or its id.
            after: Number of predictions to leave out.

        Raises:
            JobFailedError: The job failed, or was deleted.
            ServerError: There is no such job, or the server cannot be reached.
        """
        for event in self.events(job, after):
            if isinstance(event, Prediction):
                yield event
            elif event.status in ("failed", "deleted"):
                reason = event.error or "it was deleted"
                raise JobFailedError(f"job {_id(job)}: {reason}")

    def wait(self, job: Job | str, timeout: float | None = None) -> list[Prediction]:
        """Wait until a job is done; its predictions, one for each utterance.

        Args:
            job: The job or its id.
            timeout: Longest time to wait in seconds.

        Raises:
            JobFailedError: The job failed.
            TimeoutError: It is not done yet; it goes on.
            ServerError: There is no such job, or the server cannot be reached.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (state := self.job(job)).status != "done":
            if state.status == "failed":
                raise JobFailedError(f"job {state.id}: {state.error}")
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"job {state.id} is not done after {timeout} s")
            time.sleep(POLL)
        return self.result(job)

    def cancel(self, job: Job | str) -> None:
        """Delete a job, its recording and its result, whether it has ended or not."""
        self._transport.request("DELETE", _path(job))

    def stream(
        self, blocks: Iterable[bytes], **parameters: Unpack[StreamParameters]
    ) -> Iterator[Segment | Prediction]:
        """Recognise live speech.

        Args:
            blocks: Samples, packets or pieces of a file, as `samples` says; by default mono int16
                samples at 16 kHz, little-endian. Blocks may have any length, but whole samples, and
                an Opus packet is one block. They are taken in a thread of their own.
            parameters: What they are, and how they are recognised.

        Yields:
            A segment every `hop` seconds, and after each utterance its prediction.

        Raises:
            StreamError: The server closed the stream before its end; never sent again.
            ServerError: The server cannot be reached.
            Exception: What `blocks` raises.
        """
        return recognise_live(blocks, *self._server, parameters)

    def _get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        return self._transport.request("GET", path, params=query).json()

    def _upload(
        self,
        path: str,
        sources: Sequence[Source],
        fields: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The response to an upload.

        Args:
            path: Route.
            sources: Paths or bytes of files.
            fields: Further fields of the form.
            headers: Further headers.
        """
        with ExitStack() as stack:

            def body() -> dict[str, Any]:
                stack.close()  # the files of the last try
                return {"files": [("file", opened(source, stack)) for source in sources]}

            response = self._transport.request("POST", path, body, data=fields, headers=headers)
            return response.json()


def _id(job: Job | str) -> str:
    return job.id if isinstance(job, Job) else job


def _path(job: Job | str) -> str:
    return f"/v1/jobs/{quote(_id(job), safe='')}"
