"""The commands: the only place that prints.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

from . import audit, corpus, data, predict, reproduce, study, train
from .app import app, complain

__all__ = ["app", "audit", "complain", "corpus", "data", "predict", "reproduce", "study", "train"]
