"""The commands: the only place that prints.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

from . import (
    adapt,
    audit,
    bench,
    corpus,
    data,
    export,
    listen,
    models,
    predict,
    reproduce,
    score,
    serve,
    study,
    train,
)
from .app import app, complain

__all__ = [
    "adapt",
    "app",
    "audit",
    "bench",
    "complain",
    "corpus",
    "data",
    "export",
    "listen",
    "models",
    "predict",
    "reproduce",
    "score",
    "serve",
    "study",
    "train",
]
