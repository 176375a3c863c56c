"""State that all routes share: models, jobs and limits."""

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import torch
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from .adaptation import Adaptations
from .adapted_models import AdaptedModels
from .errors import too_many
from .keys import KeyRing
from .model_loader import ModelLoader
from .queue import JobQueue
from .settings import Settings
from .shared import SharedRecognizer
from .store import JobStore
from .webhooks import Webhooks, secret_of
from .worker import Workers

BATCH_SECONDS = 5.0  # within which a batch is encoded, at the latest
DECODERS = 4  # recordings decoded at the same time; more use more memory and are no faster


class Service:
    """The models, the job store with its worker, and the limits of concurrent use.

    Attributes:
        settings: Settings of the server.
        loader: Loads the models, also anew.
        models: Recognizers by name of their model; the first is the default.
        store: The jobs.
        keys: Keys of the clients, if there are any.
        workers: The threads that recognise the recordings of jobs.
        webhooks: The thread that sends webhooks, if any may be sent.
        adaptations: Adaptations of models, if clients may adapt any.
        decoding: Semaphore that limits how many recordings are decoded at the same time.

    Raises:
        CheckpointError: A model cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        # Encoding threads take the interpreter's lock between any two operations of torch. With the
        # default interval, a thread that parses a form would wait 5 ms for it each time.
        sys.setswitchinterval(0.0005)
        self.loader = ModelLoader(
            settings.models, partial(SharedRecognizer, threads=cores, device=settings.device)
        )
        self.models = self.loader.models
        self.store = JobStore(settings.state, settings.jobs, settings.keep_hours * 3600)
        self.keys = KeyRing(settings.keys) if settings.keys else None
        self.workers = Workers(JobQueue(self.store), self.models)
        self.webhooks = None
        if settings.webhook_hosts:
            secret = secret_of(settings.webhook_secret)
            self.webhooks = Webhooks(self.store, secret, settings.webhook_hosts)
        self._adapted = AdaptedModels(settings.adapt, self.loader.add) if settings.adapt else None
        self.adaptations = None
        if self._adapted:
            folder, keep = settings.state / "adaptations", self.store.keep_seconds
            self.adaptations = Adaptations(folder, self._adapted, self.loader.folders, keep)
        self.decoding = threading.Semaphore(DECODERS)
        self._limits = {"requests": settings.waiting, "streams": settings.streams}
        self._used = dict.fromkeys(self._limits, 0)

    def start(self) -> None:
        """Start the threads."""
        self.workers.start()
        if self._adapted:
            self._adapted.start()
        if self.webhooks:
            self.webhooks.start()

    def stop(self) -> None:
        """Stop the threads; running jobs return to the queue."""
        if self.webhooks:
            self.webhooks.stop()
        if self._adapted and self.adaptations:
            self._adapted.stop()
            self.adaptations.stop()
        self.workers.stop(self.settings.drain_seconds)
        self.loader.stop(BATCH_SECONDS)

    def model(self, name: str | None) -> SharedRecognizer:
        """The recognizer of a model; without a name, that of the first model.

        Raises:
            HTTPException: 404 with the names of all models, if the name is unknown.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise HTTPException(404, f"no model of this name; there are {', '.join(self.models)}")
        return self.models[name]

    @asynccontextmanager
    async def slot(self, kind: str) -> AsyncIterator[None]:
        """Occupy one of the slots of ``requests`` or ``streams`` for the duration of a block.

        Raises:
            HTTPException: 429 if all are in use.
        """
        if self._used[kind] >= self._limits[kind]:
            raise too_many(kind)
        self._used[kind] += 1
        try:
            yield
        finally:
            self._used[kind] -= 1


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that handles a request or WebSocket."""
    service: Service = connection.app.state.service
    return service


CurrentService = Annotated[Service, Depends(service_of)]
