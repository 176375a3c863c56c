"""Recognise emotion in natural speech.

>>> import affekt
>>> recognizer = affekt.load()
>>> recognizer("call.wav").label
'anger'
"""

from typing import TYPE_CHECKING, Any

from .errors import AffektError, AudioError, CheckpointError, CorpusError
from .types import Example, Prediction, Segment

if TYPE_CHECKING:
    from .inference.recognizer import Recognizer, load
    from .inference.stream import Stream

__version__ = "0.1.0"
__all__ = [
    "AffektError",
    "AudioError",
    "CheckpointError",
    "CorpusError",
    "Example",
    "Prediction",
    "Recognizer",
    "Segment",
    "Stream",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import torch only when a model is wanted, so that ``affekt --help`` is quick."""
    if name in ("Recognizer", "load"):
        from .inference import recognizer

        return getattr(recognizer, name)
    if name == "Stream":
        from .inference.stream import Stream

        return Stream
    raise AttributeError(f"module 'affekt' has no attribute {name!r}")
