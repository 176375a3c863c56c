"""The folder of adapted models, of which new ones are served at once, by every worker process."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

from ..errors import AffektError
from ..nn.model_config import FILE
from .monitoring import log_event

POLL = 1.0  # s between two looks into the folder


class AdaptedModels(Thread):
    """Watches a folder of model folders.

    Args:
        folder: Created if missing; folders whose names begin with a dot are not complete.
        load: Called once with each model folder.
    """

    def __init__(self, folder: Path, load: Callable[[Path], None]) -> None:
        super().__init__(daemon=True, name="adapted models")
        self.folder = folder.resolve()
        self._load = load
        self._seen: set[str] = set()
        self._lock, self._stop_event = Lock(), Event()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.load_new()

    def load_new(self) -> None:
        """Load the models that were added since the last call."""
        with self._lock:
            for path in sorted(self.folder.iterdir()):
                if path.name.startswith(".") or path.name in self._seen:
                    continue
                if (path / FILE).is_file():
                    self._seen.add(path.name)
                    self._load_one(path)

    def _load_one(self, path: Path) -> None:
        try:
            self._load(path)
        except AffektError as error:  # a folder of the operator; the other models are served
            log_event("model not loaded", logging.ERROR, error=str(error))

    def run(self) -> None:
        """See `AdaptedModels`."""
        while not self._stop_event.wait(POLL):
            try:
                self.load_new()
            except OSError as error:
                log_event("adapted models unavailable", logging.WARNING, error=str(error))

    def stop(self) -> None:
        """Let the thread end."""
        self._stop_event.set()
