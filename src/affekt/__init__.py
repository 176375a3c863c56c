"""Recognise emotion in natural speech.

>>> import affekt
>>> recognizer = affekt.load()
>>> recognizer("demo/lively.flac").label
'anger'
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import AffektError, AudioError, CheckpointError, CorpusError
from .types import Example, Prediction, Segment

if TYPE_CHECKING:
    from .api import adapt, audit, available_models, embed, evaluate, load_corpus, train, tune
    from .corpora.published import LoadedExamples
    from .evaluation.systems.system import System
    from .formats.frame import to_frame
    from .inference.recognizer import Recognizer, load
    from .inference.stream import Stream
    from .nn.encoders.protocol import SegmentEncoder
    from .nn.pooling import Pooling

__version__ = "0.2.0"
__all__ = [
    "AffektError",
    "AudioError",
    "CheckpointError",
    "CorpusError",
    "Example",
    "LoadedExamples",
    "Pooling",
    "Prediction",
    "Recognizer",
    "Segment",
    "SegmentEncoder",
    "Stream",
    "System",
    "adapt",
    "audit",
    "available_models",
    "embed",
    "evaluate",
    "load",
    "load_corpus",
    "to_frame",
    "train",
    "tune",
]
LAZY = {  # public names that are imported at their first use, by module
    "api": (
        "adapt",
        "audit",
        "available_models",
        "embed",
        "evaluate",
        "load_corpus",
        "train",
        "tune",
    ),
    "corpora.published": ("LoadedExamples",),
    "formats.frame": ("to_frame",),
    "evaluation.systems.system": ("System",),
    "inference.recognizer": ("Recognizer", "load"),
    "inference.stream": ("Stream",),
    "nn.encoders.protocol": ("SegmentEncoder",),
    "nn.pooling": ("Pooling",),
}


def __dir__() -> list[str]:
    """The public names, those that are not imported yet too."""
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """Import torch only when a model is wanted, so that ``affekt --help`` is quick."""
    if name == "Utterance":  # until version 0.3
        warnings.warn("affekt.Utterance is now affekt.Example", FutureWarning, stacklevel=2)
        return Example
    for module, names in LAZY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module 'affekt' has no attribute {name!r}")
