"""Embeddings of a job's recording on disk, so that a killed job goes on from where it was."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..audio.recording import Recording
from ..inference.classifier import EncodedRecording

Encode = Callable[[Sequence[Recording]], list[EncodedRecording]]


class Journal:
    """Stores what was encoded, and gives it back instead of encoding it again.

    Encoding takes nearly all of the time of a job; everything after it is computed again from the
    embeddings, so that a job that was killed has the result of one that was not.

    Args:
        folder: Created if missing.
        version: What the embeddings depend on besides the recordings: encoder and timeline.

    Attributes:
        advanced: Whether something was stored since the attribute was last set to False.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self._folder, self._version = folder, version
        self.advanced = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def encode(self, recordings: Sequence[Recording], encode: Encode) -> list[EncodedRecording]:
        """Encode recordings, unless that was done before.

        Args:
            recordings: Utterances of the job's recording.
            encode: Encodes them.
        """
        path = self._folder / f"{self._digest(recordings)}.safetensors"
        if stored := _read(path, recordings):
            return stored
        encoded = encode(recordings)
        with suppress(OSError):  # without room for it, a killed job begins again
            part = path.with_suffix(".part")
            part.write_bytes(save(_tensors(encoded)))
            part.replace(path)
            self.advanced = True
        return encoded

    def _digest(self, recordings: Sequence[Recording]) -> str:
        digest = hashlib.blake2b(self._version.encode(), digest_size=16)
        for recording in recordings:
            digest.update(b"%d:" % len(recording.wave))
            digest.update(recording.wave.tobytes())
        return digest.hexdigest()


def _tensors(encoded: Sequence[EncodedRecording]) -> dict[str, Tensor]:
    """What cannot be told from the recordings."""
    tensors = {}
    for i, one in enumerate(encoded):
        tensors[f"{i} embeddings"] = one.embeddings.contiguous().clone()
        tensors[f"{i} spans"] = torch.from_numpy(one.spans.copy())
        for k, sequence in enumerate(one.sequences):
            tensors[f"{i} sequence {k}"] = torch.from_numpy(sequence.copy())
    return tensors


def _read(path: Path, recordings: Sequence[Recording]) -> list[EncodedRecording]:
    """The stored embeddings of recordings; none if they are missing or damaged."""
    encoded = []
    try:
        tensors = load(path.read_bytes())
        for i, recording in enumerate(recordings):
            names = [f"{i} sequence {k}" for k in range(len(tensors))]
            sequences = [tensors[name].numpy() for name in names if name in tensors]
            spans, embeddings = tensors[f"{i} spans"].numpy(), tensors[f"{i} embeddings"]
            about = recording.name, recording.seconds, recording.warnings
            encoded.append(EncodedRecording(*about, spans, embeddings, sequences))
    except (FileNotFoundError, SafetensorError, KeyError):
        return []
    return encoded
