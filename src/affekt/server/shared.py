"""A recognizer that many threads share, with batches across them."""

import copy
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..audio.recording import Recording
from ..inference.classifier import EncodedRecording
from ..inference.recognizer import HOP, Recognizer
from ..inference.utterances import Options, recognise_recordings
from ..nn.checkpoint import Checkpoint
from ..types import Prediction
from .encoding_metrics import record_encoded, record_queued, record_taken
from .journal import Journal
from .tracing import current_context, record_batch

if TYPE_CHECKING:
    from opentelemetry.context import Context

BATCH = 32.0  # s of recordings after which a batch is closed


class Task(NamedTuple):
    """Recordings to be encoded, or recognised, together.

    Attributes:
        recordings: The recordings.
        future: Of the result of each: its embeddings, or the predictions of its utterances.
        ways: As of the `Classifier`.
        options: How they are recognised; None if they are only encoded.
        kind: interactive or background, for the metrics.
        created: Time of `time.perf_counter`, for the metrics.
        context: Of the trace that it belongs to, if any.
    """

    recordings: Sequence[Recording]
    future: "Future[list[Any]]"
    ways: int = 1
    options: Options | None = None
    kind: str = "interactive"
    created: float = 0.0
    context: "Context | None" = None

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        return sum(recording.seconds for recording in self.recordings)

    @property
    def work(self) -> tuple[int, Options | None]:
        """What is the same in all tasks of a batch: timeline and options."""
        return self.ways, self.options


class TaskQueue:
    """Recordings to be encoded, those of requests and live streams before those of jobs.

    Background tasks (jobs) are taken one at a time, at the latest after one batch of interactive
    tasks. Live speech thus waits for at most one utterance of a job, and a job for one batch.
    """

    def __init__(self) -> None:
        self._interactive: deque[Task] = deque()
        self._background: deque[Task] = deque()
        self._background_is_next = False
        self._closed = False
        self._changed = Condition()

    def put(self, task: Task, *, background: bool) -> None:
        """Add a task."""
        with self._changed:
            (self._background if background else self._interactive).append(task)
            self._changed.notify()

    def close(self) -> None:
        """End: from now on `take` returns no task."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> list[Task]:
        """Wait for tasks and remove the next ones: up to `BATCH` seconds, but at least one.

        After `close` there are none.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._interactive or self._background or self._closed)
            if self._closed:
                return []
            if self._background and (self._background_is_next or not self._interactive):
                self._background_is_next = False
                return [self._background.popleft()]
            self._background_is_next = bool(self._background)
            batch = [self._interactive.popleft()]
            seconds = batch[0].seconds
            work = batch[0].work
            while self._interactive and seconds < BATCH and self._interactive[0].work == work:
                batch.append(self._interactive.popleft())
                seconds += batch[-1].seconds
            return batch


class EncodingThreads:
    """Threads that encode or recognise the recordings of a queue.

    Args:
        encoder: The model, without a queue; on each thread it uses one core.
        count: Number of threads.

    Attributes:
        queue: The recordings.
    """

    def __init__(self, encoder: Recognizer, count: int) -> None:
        self.queue = TaskQueue()
        self._threads = [
            Thread(target=_run, args=(encoder, self.queue), daemon=True, name=encoder.name)
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def are_alive(self) -> bool:
        """Whether any thread is running."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float) -> None:
        """End the threads: Python aborts if they are inside torch when it exits.

        Args:
            seconds: Longest time to wait for each.
        """
        self.queue.close()
        for thread in self._threads:
            thread.join(seconds)


class _Users:
    """What a recognizer and its copies share: without it, nobody uses the model any more."""


class SharedRecognizer(Recognizer):
    """A recognizer that encodes the recordings of all callers in common batches.

    While one batch is computed, the next one is collected, so that no call waits for others. A
    batch changes no result (`batching.encode`). Each encoding thread uses one core: on two cores
    two batches at the same time are faster than one after the other. The threads end with the last
    copy of the recognizer.

    Args:
        checkpoint: The model.
        threads: Number of encoding threads.
        device: Where the encoder runs.

    Attributes:
        threads: The encoding threads.
    """

    def __init__(self, checkpoint: Checkpoint, threads: int, device: str = "cpu") -> None:
        super().__init__(checkpoint, HOP, device)
        _ = self._identity  # hashed once, for all copies
        self._queue: TaskQueue | None = None  # the copy of the threads has none
        self.threads = EncodingThreads(copy.copy(self), threads)
        self._queue = self.threads.queue
        self._is_background = False
        self._journal: Journal | None = None
        self._users = _Users()  # which the copy of the threads does not have
        weakref.finalize(self._users, self.threads.queue.close).atexit = False

    def background(self) -> "SharedRecognizer":
        """The same recognizer for jobs, whose recordings are encoded after those of requests."""
        other = copy.copy(self)
        other._is_background = True
        return other

    def with_journal(self, folder: Path, stored: Callable[[], None]) -> "SharedRecognizer":
        """The same recognizer with a journal of what it encodes.

        Args:
            folder: Of the journal.
            stored: As of `Journal`.
        """
        other = copy.copy(self)
        version = f"{self._identity} {self.arithmetic} {self._ways}"
        other._journal = Journal(folder, version, stored)
        return other

    def encode(self, recordings: Sequence[Recording]) -> list[EncodedRecording]:
        """See `Recognizer.encode`; may be called from any thread."""
        if self._queue is None:
            return super().encode(recordings)
        if self._journal:
            return self._journal.encode(recordings, self._queued)
        return list(self._queued(recordings))

    def submit(self, recording: Recording, options: Options) -> "Future[list[list[Prediction]]]":
        """Recognise a short recording in a common batch.

        The encoding threads find its utterances and classify them too: there, this work does not
        compete with the encoding of other batches for the interpreter's lock.

        Args:
            recording: Of up to `LONG` seconds.
            options: How it is recognised.

        Returns:
            What `recognise_recordings` returns of the recording.
        """
        return self._put([recording], options)

    def _queued(self, recordings: Sequence[Recording]) -> Iterator[EncodedRecording]:
        """Recordings as soon as each is encoded: those of jobs one by one, others together."""
        parts = [[r] for r in recordings] if self._is_background else [recordings]
        for future in [self._put(part) for part in parts if part]:
            yield from future.result()

    def _put(
        self, recordings: Sequence[Recording], options: Options | None = None
    ) -> "Future[list[Any]]":
        """Put recordings into the queue."""
        kind = "background" if self._is_background else "interactive"
        future: Future[list[Any]] = Future()
        task = Task(
            recordings, future, self._ways, options, kind, time.perf_counter(), current_context()
        )
        record_queued(self.name, kind, len(recordings))
        self.threads.queue.put(task, background=self._is_background)
        return future


def _run(encoder: SharedRecognizer, queue: TaskQueue) -> None:
    """Work on the batches of a queue until it is closed."""
    torch.set_num_threads(1)
    while batch := queue.take():
        begun = time.perf_counter()
        for task in batch:
            record_taken(encoder.name, task.kind, len(task.recordings), begun - task.created)
        if awaited := [task for task in batch if task.future.set_running_or_notify_cancel()]:
            _work(encoder, awaited)


def _work(encoder: SharedRecognizer, batch: list[Task]) -> None:
    """Set the results of the tasks of a batch."""
    worker = copy.copy(encoder)
    worker._ways, options = batch[0].work
    begun = time.perf_counter()
    recordings = [r for task in batch for r in task.recordings]
    try:
        if options is None:
            results: Sequence[Any] = worker.encode(recordings)
        else:
            results = recognise_recordings(worker, options, recordings)
    except Exception as error:
        if len(batch) == 1:  # raised where the result is awaited; this thread continues
            batch[0].future.set_exception(error)
        else:  # of one task; the others have their results
            for task in batch:
                _work(encoder, [task])
        return
    record_encoded(encoder.name, len(recordings), time.perf_counter() - begun)
    record_batch(encoder.name, [(t.context, t.created, t.seconds) for t in batch], begun)
    each = iter(results)
    for task in batch:
        task.future.set_result([next(each) for _ in task.recordings])
