"""What the routes share."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import torch
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from ..nn.bundled import model_folder
from ..nn.checkpoint import load_checkpoint
from .problems import too_many
from .settings import Settings
from .shared import SharedRecognizer
from .store import JobStore
from .worker import Worker

DECODERS = 4  # recordings decoded at the same time: more only take memory


class Service:
    """The models, the jobs, and how many may use them at the same time.

    Raises:
        CheckpointError: A model that cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        checkpoints = [load_checkpoint(model_folder(m)) for m in settings.models]
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        # Threads that encode ask for the interpreter between any two operations, and would wait
        # 5 ms each time for one that parses a form.
        sys.setswitchinterval(0.0005)
        loaded = [SharedRecognizer(checkpoint, cores) for checkpoint in checkpoints]
        self.models = {recognizer.name: recognizer for recognizer in loaded}
        self.store = JobStore(settings.state, settings.jobs, settings.keep_hours * 3600)
        unwatched = {name: recognizer.unwatched() for name, recognizer in self.models.items()}
        self.worker = Worker(self.store, unwatched)
        self.decoding = asyncio.Semaphore(DECODERS)
        self._used = {"requests": 0, "streams": 0}
        self._most = {"requests": settings.waiting, "streams": settings.streams}

    def model(self, name: str | None) -> SharedRecognizer:
        """A model by its name, or the first.

        Raises:
            HTTPException: 404; it names those that there are.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise HTTPException(404, f"no model of that name; there are {', '.join(self.models)}")
        return self.models[name]

    @asynccontextmanager
    async def slot(self, kind: str) -> AsyncIterator[None]:
        """One of the places there are for ``requests`` or ``streams``.

        Raises:
            HTTPException: 429; all are taken.
        """
        if self._used[kind] >= self._most[kind]:
            raise too_many(kind)
        self._used[kind] += 1
        try:
            yield
        finally:
            self._used[kind] -= 1


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request or WebSocket belongs to."""
    service: Service = connection.app.state.service
    return service


Served = Annotated[Service, Depends(service_of)]
