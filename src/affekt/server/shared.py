"""A recognizer that many threads share, with batches across them."""

import copy
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Condition, Thread

import torch

from ..audio.recording import Recording
from ..inference.classifier import EncodedRecording
from ..inference.recognizer import HOP, Recognizer
from ..nn.checkpoint import Checkpoint

BATCH = 32.0  # s of recordings after which a batch is closed

Task = tuple[Sequence[Recording], "Future[list[EncodedRecording]]"]


class TaskQueue:
    """Recordings to be encoded, those of requests and live streams before those of jobs.

    Background tasks (jobs) are taken one at a time, at the latest after one batch of interactive
    tasks. Live speech thus waits for at most one utterance of a job, and a job for one batch.
    """

    def __init__(self) -> None:
        self._interactive: deque[Task] = deque()
        self._background: deque[Task] = deque()
        self._background_is_next = False
        self._changed = Condition()

    def put(self, task: Task, *, background: bool) -> None:
        """Add a task."""
        with self._changed:
            (self._background if background else self._interactive).append(task)
            self._changed.notify()

    def take(self) -> list[Task]:
        """Wait for tasks and remove the next ones: up to `BATCH` seconds, but at least one."""
        with self._changed:
            self._changed.wait_for(lambda: self._interactive or self._background)
            if self._background and (self._background_is_next or not self._interactive):
                self._background_is_next = False
                return [self._background.popleft()]
            self._background_is_next = bool(self._background)
            batch, seconds = [], 0.0
            while self._interactive and seconds < BATCH:
                batch.append(self._interactive.popleft())
                seconds += sum(r.seconds for r in batch[-1][0])
            return batch


class SharedRecognizer(Recognizer):
    """A recognizer that encodes the recordings of all calling threads in common batches.

    While one batch is computed, the next one is collected, so that no call waits for others. A
    batch changes no result (`batching.encode`). Each encoding thread uses one core: on two cores
    two batches at the same time are faster than one after the other.

    Args:
        checkpoint: The model.
        threads: Number of encoding threads.
        device: Where the encoder runs.
    """

    def __init__(self, checkpoint: Checkpoint, threads: int, device: str = "cpu") -> None:
        super().__init__(checkpoint, HOP, device)
        self._is_background = False
        self._queue = TaskQueue()
        for number in range(threads):
            Thread(target=self._work, daemon=True, name=f"{self.name} {number}").start()

    def background(self) -> "SharedRecognizer":
        """The same recognizer for jobs, whose recordings are encoded after those of requests."""
        other = copy.copy(self)
        other._is_background = True
        return other

    def encode(self, recordings: Sequence[Recording]) -> list[EncodedRecording]:
        """See `Recognizer.encode`; may be called from any thread."""
        parts = [[r] for r in recordings] if self._is_background else [recordings]
        futures: list[Future[list[EncodedRecording]]] = []
        for part in parts:
            futures.append(Future())
            self._queue.put((part, futures[-1]), background=self._is_background)
        return [encoded for future in futures for encoded in future.result()]

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            batch = self._queue.take()
            try:
                encoded = iter(super().encode([r for recordings, _ in batch for r in recordings]))
                for recordings, future in batch:
                    future.set_result([next(encoded) for _ in recordings])
            except Exception as error:  # raised in the calling threads; this one continues
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
