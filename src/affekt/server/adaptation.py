"""Adaptations: states on disk, and a queue of which each worker process runs one at a time."""

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import Field, ValidationError

from ..atomic import write, write_folder
from ..config import Frozen
from ..errors import AffektError
from .adapted_models import AdaptedModels
from .adapting import adapt_in_process
from .job import Status
from .labelled_clips import LABELS
from .monitoring import log_event
from .queue import is_working
from .schema import AdaptationResult

MOST_WAITING = 8  # adaptations of a server
STOPPED = "the server stopped while adapting; send the labels again"


class NameTakenError(AffektError):
    """There is a model of this name, or one is being made."""


class CancelledError(AffektError):
    """The adaptation was cancelled."""


class TooManyError(AffektError):
    """Too many adaptations are waiting."""


class Adaptation(Frozen):
    """An adaptation, as it is stored."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    """32 hexadecimal digits."""
    name: str
    """Name of the new model."""
    model: str
    """Name of the model that is adapted."""
    owner: str = ""
    """Name of the key that asked for it, or ""."""
    clips: dict[str, int] = Field(default_factory=dict)
    """Number of clips of each label."""
    status: Status = "queued"
    created: float = Field(default_factory=time.time)
    ended: float | None = None
    error: str = ""
    """Why it failed, or ""."""
    result: AdaptationResult | None = None
    pid: int = Field(default_factory=os.getpid)
    process: str = ""
    """The process that has it in its queue, as process ids are used again."""

    @property
    def has_ended(self) -> bool:
        """Whether it is done or failed."""
        return self.status in ("done", "failed")


class Adaptations:
    """The adaptations of a server.

    Args:
        folder: Of the states and of the clips, which are deleted when an adaptation ends.
        models: Where new models go.
        model_folders: Returns the folders of the served models, by name.
        keep_seconds: Seconds after which an ended adaptation is forgotten; its model stays.
    """

    def __init__(
        self,
        folder: Path,
        models: AdaptedModels,
        model_folders: Callable[[], Mapping[str, Path]],
        keep_seconds: float,
    ) -> None:
        self._folder, self._models, self._model_folders = folder.resolve(), models, model_folders
        self._keep_seconds = keep_seconds
        self._process = uuid.uuid4().hex
        self._threads = ThreadPoolExecutor(1, "adapting")
        self._stopping = False
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tidy()

    def add(
        self, name: str, model: str, owner: str, unpack: Callable[[Path], dict[str, int]]
    ) -> Adaptation:
        """Queue an adaptation.

        Args:
            name: Name of the new model.
            model: Name of the model to adapt.
            owner: Name of the key, or "".
            unpack: Writes the clips into a folder; returns their number of each label.

        Raises:
            AffektError: What `unpack` raises, or `check` finds.
        """
        self.check(name)
        adaptation = Adaptation(name=name, model=model, owner=owner, process=self._process)
        clips = self._folder / adaptation.id
        clips.mkdir(mode=0o700)
        try:
            adaptation = adaptation.model_copy(update={"clips": unpack(clips)})
            self._store(adaptation)
        except BaseException:
            shutil.rmtree(clips, ignore_errors=True)
            raise
        self._threads.submit(self._run, adaptation)
        return adaptation

    def check(self, name: str) -> None:
        """Check that a model of this name can be made now.

        Raises:
            NameTakenError: There is one, or it is being made.
            TooManyError: Too many adaptations are waiting.
        """
        self._tidy()
        waiting = [one for one in self.find(None) if not one.has_ended]
        taken = {*self._model_folders(), *(one.name for one in waiting)}
        if name in taken or (self._models.folder / name).exists():
            raise NameTakenError(f"there is a model {name}; choose another name")
        if len(waiting) >= MOST_WAITING:
            raise TooManyError("too many adaptations are waiting; try again later")

    def find(self, owner: str | None) -> list[Adaptation]:
        """Adaptations of a key, or with None of all, the latest first."""
        own = [one for one in self._all() if owner in (None, one.owner)]
        known = [one for one in own if not self._is_cancelled(one)]
        return sorted(known, key=lambda one: one.created, reverse=True)

    def cancel(self, adaptation: Adaptation) -> None:
        """End an adaptation and forget it; of one that is done, the model stays.

        The worker process that runs it, which may be another one, ends its process a moment later.
        """
        self._mark(adaptation).touch(mode=0o600)
        shutil.rmtree(self._folder / adaptation.id, ignore_errors=True)
        self._tidy()

    def stop(self) -> None:
        """Stop what runs; it is then failed."""
        self._stopping = True
        self._threads.shutdown(cancel_futures=True)

    def _run(self, adaptation: Adaptation) -> None:
        """Adapt, serve the new model, and store how it ended."""
        clips, target = self._folder / adaptation.id, self._models.folder / adaptation.name

        def is_stopped() -> bool:
            return self._stopping or self._is_cancelled(adaptation)

        end: dict[str, object]
        try:
            self._check_cancelled(adaptation)
            self._store(adaptation, status="running")
            if target.exists():
                raise NameTakenError(f"there is a model {adaptation.name}; choose another name")
            result: list[AdaptationResult] = []
            base = self._model_folders()[adaptation.model]

            def fill(part: Path) -> None:
                found = adapt_in_process(clips / LABELS, base, part, is_stopped)
                self._check_cancelled(adaptation)
                result.append(AdaptationResult(**found))

            write_folder(target, fill)
            self._models.load_new()
        except AffektError as error:
            text = STOPPED if self._stopping else _without_paths(str(error), clips, target)
            end = {"status": "failed", "error": text}
        except Exception as error:  # of one adaptation; the next ones must still run
            log_event("adaptation failed", logging.ERROR, adaptation=adaptation.id)
            end = {"status": "failed", "error": f"internal error ({type(error).__name__})"}
        else:
            end = {"status": "done", "result": result[0]}
        shutil.rmtree(clips, ignore_errors=True)  # before anyone sees that it has ended
        self._store(adaptation, **end)
        self._tidy()  # forgets it, if it was cancelled

    def _all(self) -> list[Adaptation]:
        return [one for path in self._folder.glob("*.json") if (one := _read(path))]

    def _mark(self, adaptation: Adaptation) -> Path:
        """The file that tells all worker processes that an adaptation was cancelled."""
        return self._folder / f"{adaptation.id}.cancelled"

    def _is_cancelled(self, adaptation: Adaptation) -> bool:
        return self._mark(adaptation).exists()

    def _check_cancelled(self, adaptation: Adaptation) -> None:
        if self._is_cancelled(adaptation):
            raise CancelledError("it was cancelled")

    def _store(self, adaptation: Adaptation, **changes: object) -> Adaptation:
        new = adaptation.model_copy(update=changes)
        if new.has_ended:
            new = new.model_copy(update={"ended": time.time()})
        path = self._folder / f"{new.id}.json"
        write(path, new.model_dump_json())
        path.chmod(0o600)
        return new

    def _tidy(self) -> None:
        """Fail what dead processes left, and forget what ended long ago or was cancelled."""
        for one in self._all():
            dead = one.process != self._process and not is_working(one.pid)
            if not one.has_ended and dead:
                one = self._store(one, status="failed", error=STOPPED)
                shutil.rmtree(self._folder / one.id, ignore_errors=True)
            expired = one.ended and one.ended + self._keep_seconds < time.time()
            if expired or (one.has_ended and self._is_cancelled(one)):
                (self._folder / f"{one.id}.json").unlink(missing_ok=True)
                self._mark(one).unlink(missing_ok=True)


def _read(path: Path) -> Adaptation | None:
    try:
        return Adaptation.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # deleted meanwhile, or of another version
        return None


def _without_paths(text: str, clips: Path, target: Path) -> str:
    """An error without the folders of the server."""
    for folder in (clips, target.parent):
        text = text.replace(f"{folder}/", "")
    return text
