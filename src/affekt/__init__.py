"""Recognise emotion in natural speech.

>>> import affekt
>>> recognizer = affekt.load()
>>> recognizer("call.wav").label
'anger'
"""

from typing import TYPE_CHECKING, Any

from .errors import AffektError, AudioError, CheckpointError, CorpusError
from .types import Prediction, Segment, Utterance

if TYPE_CHECKING:
    from .recognizer import Recognizer, load
    from .stream import Stream

__version__ = "0.1.0"
__all__ = [
    "AffektError",
    "AudioError",
    "CheckpointError",
    "CorpusError",
    "Prediction",
    "Recognizer",
    "Segment",
    "Stream",
    "Utterance",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import torch only when a model is wanted, so that ``affekt --help`` is quick."""
    if name in ("Recognizer", "load"):
        from . import recognizer

        return getattr(recognizer, name)
    if name == "Stream":
        from .stream import Stream

        return Stream
    raise AttributeError(f"module 'affekt' has no attribute {name!r}")
