"""The commands: the only place that prints.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

from . import (
    adapt,
    audit,
    balance,
    batch,
    bench,
    data,
    embed,
    evaluate,
    export,
    listen,
    models,
    predict,
    reproduce,
    serve,
    study,
    train,
)
from .app import app, complain

__all__ = [
    "adapt",
    "app",
    "audit",
    "balance",
    "batch",
    "bench",
    "complain",
    "data",
    "embed",
    "evaluate",
    "export",
    "listen",
    "models",
    "predict",
    "reproduce",
    "serve",
    "study",
    "train",
]
