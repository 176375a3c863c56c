"""The commands; only this package prints.

Heavy imports are inside the commands, so that ``--help`` is fast.
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
    keys,
    listen,
    models,
    predict,
    reproduce,
    serve,
    study,
    train,
    tune,
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
    "keys",
    "listen",
    "models",
    "predict",
    "reproduce",
    "serve",
    "study",
    "train",
    "tune",
]
