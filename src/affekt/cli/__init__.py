"""The commands: the only place that prints.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

from . import corpus, data, predict, study, train
from .app import app, complain

__all__ = ["app", "complain", "corpus", "data", "predict", "study", "train"]
