"""Recordings in, `Prediction`s out. Takes no label, by type."""

import os
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from . import audio
from .audio import Recording, Source
from .checkpoint import Checkpoint, load_checkpoint
from .encoders import encode
from .encoders.onednn import for_inference
from .errors import CheckpointError
from .model import prepare
from .segments import Spans
from .types import Prediction, Segment

CHUNK = 3600.0  # s of recordings held in memory at a time
LONG = 30.0  # s; beyond this one label says little


class Recognizer:
    """A loaded model that recognises recordings.

    Attributes:
        name: What results call the model.
        labels: Its classes.
        note: What it is good for and what not.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model = checkpoint.model.eval()
        self._encoder = for_inference(self._model.encoder)
        self._config = checkpoint.config
        self.name = checkpoint.name
        self.labels = checkpoint.labels
        self.note = checkpoint.note

    def __call__(self, source: Source | ArrayLike, rate: int | None = None) -> Prediction:
        """Recognise one recording.

        Args:
            source: Path, bytes of a file, open binary file, or samples ``(samples,)`` or
                ``(samples, channels)``.
            rate: Sampling rate of samples in Hz; not given for anything else.

        Raises:
            AudioError: It cannot be read as a recording.
            ValueError: Samples without a rate, or of a shape or type that is not sound.
        """
        if isinstance(source, str | os.PathLike | bytes) or hasattr(source, "read"):
            if rate is not None:
                raise ValueError("a file knows its sampling rate; give a rate only with samples")
            return self.recognise([audio.read(cast(Source, source))])[0]
        return self.recognise([audio.from_array(cast(ArrayLike, source), rate)])[0]

    def many(self, sources: Iterable[Source]) -> list[Prediction]:
        """Recognise several recordings, batched; the same results as one by one.

        Raises:
            AudioError: One of them cannot be read as a recording.
        """
        predictions: list[Prediction] = []
        chunk: list[Recording] = []
        held = 0.0
        for source in sources:
            chunk.append(audio.read(source))
            held += chunk[-1].seconds
            if held > CHUNK:
                predictions += self.recognise(chunk)
                chunk, held = [], 0.0
        return predictions + self.recognise(chunk)

    def recognise(self, recordings: Sequence[Recording]) -> list[Prediction]:
        """Recognise decoded recordings, in their order."""
        waves, spans = prepare(recordings, self._config)
        results: dict[int, Prediction] = {}
        for i, vectors in encode(self._encoder, waves, spans):
            results[i] = self._prediction(recordings[i], spans[i], vectors)
        return [results[i] for i in range(len(recordings))]

    @torch.inference_mode()
    def _prediction(self, recording: Recording, spans: Spans, vectors: Tensor) -> Prediction:
        output = self._model.classify([vectors])
        clip = _softmax(output.logits[0])
        timeline = _softmax(self._model.sequence.timeline(output.hidden)[0])
        weights = output.attention[0].double()
        attention: list[float] = (weights / weights.sum()).tolist()
        segments = [
            Segment(
                float(start),
                min(float(end), recording.seconds),
                self._label(p),
                self._by_class(p),
                a,
            )
            for (start, end), p, a in zip(spans, timeline, attention, strict=True)
        ]
        warnings = list(recording.warnings)
        if recording.seconds > LONG:
            warnings.append(f"long: {recording.seconds:.0f} s in one label; the segments tell more")
        return Prediction(
            file=recording.name,
            duration=recording.seconds,
            label=self._label(clip),
            confidence=float(clip.max()),
            probabilities=self._by_class(clip),
            segments=segments,
            model=self.name,
            warnings=warnings,
        )

    def _label(self, probabilities: NDArray[np.float64]) -> str:
        return self.labels[int(probabilities.argmax())]

    def _by_class(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.labels, probabilities.tolist(), strict=True))


def load(model: str | Path = "default") -> Recognizer:
    """Load a bundled model by name, or a model folder.

    Raises:
        CheckpointError: No such model, or a damaged one.
    """
    bundled = resources.files("affekt") / "models"
    folder = Path(model)
    if folder.name == str(model) and (bundled / str(model)).is_dir():
        folder = Path(str(bundled / str(model)))
    elif not folder.is_dir():
        raise CheckpointError(f"{model}: no such model; give a model folder or one of default")
    return Recognizer(load_checkpoint(folder))


def _softmax(logits: Tensor) -> NDArray[np.float64]:
    """In double precision, so that the probabilities sum to 1 for whoever checks."""
    return logits.double().softmax(-1).numpy()
