"""What worker processes of evaluations and batch jobs have in common."""

import multiprocessing
import os
from threading import Thread


def exit_with_parent() -> None:
    """End this process as soon as its parent has ended, even if the parent was killed."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
