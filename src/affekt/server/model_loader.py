"""Models that are loaded anew when their folders have changed, without a restart."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from ..errors import AffektError
from ..nn.bundled import bundled_models, model_folder
from ..nn.checkpoint import WEIGHTS, Checkpoint, load_checkpoint, require_classes
from ..nn.model_config import FILE
from .monitoring import log_event
from .schema import Reloaded
from .shared import EncodingThreads, SharedRecognizer

Stamp = tuple[tuple[int, int, int], ...]  # inode, time of change and size of each file


class ReloadError(AffektError):
    """A model cannot be loaded anew; the text has no path of the server."""


class _Loaded(NamedTuple):
    """What a model was loaded from: a bundled model or folder, and the stamp of its files."""

    model: str
    stamp: Stamp


class ModelLoader:
    """Loads the models of a server.

    Args:
        given: Bundled models or model folders.
        make: Makes the recognizer of a model.

    Attributes:
        models: Recognizers by name of their model, in the order given. A model that is
            loaded anew replaces the old one; what has begun with the old one ends with it.

    Raises:
        AffektError: A model cannot be loaded, or two have the same name.
    """

    def __init__(
        self, given: Sequence[str], make: Callable[[Checkpoint], SharedRecognizer]
    ) -> None:
        self._make, self._lock = make, Lock()
        self._loaded: dict[str, _Loaded] = {}  # by name
        self._replaced: list[EncodingThreads] = []
        self.models: dict[str, SharedRecognizer] = {}
        for model in given:
            self.add(model)

    def folders(self) -> dict[str, Path]:
        """Folders of the models, by name."""
        with self._lock:
            return {name: model_folder(model) for name, (model, _) in self._loaded.items()}

    def add(self, model: str | Path) -> None:
        """Serve a model.

        Args:
            model: Bundled model or model folder.

        Raises:
            AffektError: It cannot be loaded, or another one has its name.
        """
        with self._lock:
            stamp = _stamp(str(model))
            checkpoint = load_checkpoint(model_folder(model))
            require_classes(checkpoint.name, checkpoint.dimensions, "the server")
            if checkpoint.name in self.models:
                raise AffektError(f"{model}: another model is named {checkpoint.name}")
            self._loaded[checkpoint.name] = _Loaded(str(model), stamp)
            self.models[checkpoint.name] = self._make(checkpoint)

    def reload(self) -> Reloaded:
        """Load the models anew whose files have changed: all of them, or none.

        Raises:
            ReloadError: A model cannot be loaded; all stay as they were.
        """
        with self._lock:
            changed: dict[str, tuple[_Loaded, SharedRecognizer]] = {}
            for name, (model, earlier) in self._loaded.items():
                if (stamp := _stamp(model)) != earlier:
                    changed[name] = _Loaded(model, stamp), self._make(_load(model, name))
            for name, (loaded, recognizer) in changed.items():
                self._replaced.append(self.models[name].threads)
                self.models[name] = recognizer
                self._loaded[name] = loaded
            self._replaced = [threads for threads in self._replaced if threads.are_alive()]
            unchanged = [name for name in self._loaded if name not in changed]
        log_event("models reloaded", loaded=[*changed], unchanged=unchanged)
        return Reloaded(loaded=[*changed], unchanged=unchanged)

    def reload_and_log(self) -> None:
        """Load the changed models anew; where that fails, the log says why."""
        try:
            self.reload()
        except ReloadError as error:
            log_event("models not reloaded", logging.WARNING, reason=str(error))

    def stop(self, seconds: float) -> None:
        """End the encoding threads of all models.

        Args:
            seconds: Longest time to wait for each.
        """
        current = [model.threads for model in self.models.values()]
        for threads in (*current, *self._replaced):
            threads.stop(seconds)


def _stamp(model: str) -> Stamp:
    """What changes with the files of a model; empty where one is missing."""
    try:
        folder = model_folder(model)
        files = [(folder / name).stat() for name in (FILE, WEIGHTS)]
    except (OSError, AffektError):  # `load_checkpoint` says what is wrong
        return ()
    return tuple((f.st_ino, f.st_mtime_ns, f.st_size) for f in files)


def _load(model: str, name: str) -> Checkpoint:
    """Read a model anew.

    Args:
        model: Bundled model or model folder.
        name: Name that it had.

    Raises:
        ReloadError: It cannot be loaded, or has another name.
    """
    try:
        checkpoint = load_checkpoint(model_folder(model))
        require_classes(name, checkpoint.dimensions, "the server")
    except AffektError as error:
        reason = str(error)
        for path in (model, str(bundled_models().get(model, Path(model)))):
            reason = reason.replace(path, name) if os.sep in path else reason
        raise ReloadError(f"the models stay as they were: {reason}") from error
    if checkpoint.name != name:
        raise ReloadError(
            f"the models stay as they were: {name} is now named {checkpoint.name}; restart the "
            "server to serve a model of another name"
        )
    return checkpoint
