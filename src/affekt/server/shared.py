"""One model for many clients at the same time."""

from collections.abc import Sequence
from concurrent.futures import Future
from queue import Empty, Queue
from threading import Thread

import torch

from ..checkpoint import Checkpoint
from ..recognizer import HOP, Heard, Recognizer
from ..recording import Recording

BATCH = 32.0  # s of recordings encoded together, at most

Waiting = tuple[Sequence[Recording], "Future[list[Heard]]"]


class SharedRecognizer(Recognizer):
    """A recognizer whose encoding is batched across the threads that call it.

    While a batch is computed the next one gathers: nobody waits for company, and a batch changes
    no result (`affekt.encoders.encode`). Each thread that encodes uses one core: two batches side
    by side are done sooner than one after the other on two cores.

    Args:
        checkpoint: The model.
        threads: That encode.
    """

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        super().__init__(checkpoint, HOP)
        self._waiting: Queue[Waiting] = Queue()
        for number in range(threads):
            Thread(target=self._work, daemon=True, name=f"{self.name} {number}").start()

    def hear(self, recordings: Sequence[Recording]) -> list[Heard]:
        """As `Recognizer.hear`; from any thread."""
        heard: Future[list[Heard]] = Future()
        self._waiting.put((recordings, heard))
        return heard.result()

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            batch = self._gathered()
            try:
                heard = iter(super().hear([r for recordings, _ in batch for r in recordings]))
                for recordings, future in batch:
                    future.set_result([next(heard) for _ in recordings])
            except Exception as error:  # whoever waits must hear of it, and the thread live on
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    def _gathered(self) -> list[Waiting]:
        """What waits, at least one, up to `BATCH` seconds."""
        batch = [self._waiting.get()]
        seconds = sum(r.seconds for r in batch[0][0])
        while seconds < BATCH:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
            seconds += sum(r.seconds for r in batch[-1][0])
        return batch
