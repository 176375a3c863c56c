"""One model for many clients at the same time."""

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

BATCH = 32.0  # s of recordings encoded together, at most

Waiting = tuple[Sequence[Recording], "Future[list[EncodedRecording]]"]


class Line:
    """What waits to be encoded: those who look on before those who do not.

    A job's recordings go one at a time, and after each batch of others at the latest: live speech
    waits for one utterance of a job, and a job for no more than every other batch.
    """

    def __init__(self) -> None:
        self._watched: deque[Waiting] = deque()
        self._unwatched: deque[Waiting] = deque()
        self._owed = False
        self._some = Condition()

    def put(self, waiting: Waiting, *, watched: bool) -> None:
        """Stand in line."""
        with self._some:
            (self._watched if watched else self._unwatched).append(waiting)
            self._some.notify()

    def take(self) -> list[Waiting]:
        """What is next, once there is something: up to `BATCH` seconds, but one at least."""
        with self._some:
            self._some.wait_for(lambda: self._watched or self._unwatched)
            if self._unwatched and (self._owed or not self._watched):
                self._owed = False
                return [self._unwatched.popleft()]
            self._owed = bool(self._unwatched)
            batch, seconds = [], 0.0
            while self._watched and seconds < BATCH:
                batch.append(self._watched.popleft())
                seconds += sum(r.seconds for r in batch[-1][0])
            return batch


class SharedRecognizer(Recognizer):
    """A recognizer whose encoding is batched across the threads that call it.

    While a batch is computed the next one gathers: nobody waits for company, and a batch changes
    no result (`batching.encode`). Each thread that encodes uses one core: two batches side
    by side are done sooner than one after the other on two cores.

    Args:
        checkpoint: The model.
        threads: That encode.
    """

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        super().__init__(checkpoint, HOP)
        self._watched = True
        self._line = Line()
        for number in range(threads):
            Thread(target=self._work, daemon=True, name=f"{self.name} {number}").start()

    def unwatched(self) -> "SharedRecognizer":
        """The same, for work that nobody looks at meanwhile: others go before it."""
        other = copy.copy(self)
        other._watched = False
        return other

    def encode(self, recordings: Sequence[Recording]) -> list[EncodedRecording]:
        """As `Recognizer.encode`; from any thread."""
        parts = [recordings] if self._watched else [[r] for r in recordings]
        futures: list[Future[list[EncodedRecording]]] = []
        for part in parts:
            futures.append(Future())
            self._line.put((part, futures[-1]), watched=self._watched)
        return [encoded for future in futures for encoded in future.result()]

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            batch = self._line.take()
            try:
                encoded = iter(super().encode([r for recordings, _ in batch for r in recordings]))
                for recordings, future in batch:
                    future.set_result([next(encoded) for _ in recordings])
            except Exception as error:  # whoever waits must hear of it, and the thread live on
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
