"""Embeddings of a job's recording on disk, so that a killed job goes on from where it was."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..audio.recording import Recording
from ..inference.classifier import EncodedRecording

Encode = Callable[[Sequence[Recording]], Iterable[EncodedRecording]]


class Journal:
    """Stores each utterance that was encoded, and gives it back instead of encoding it again.

    Encoding takes nearly all of the time of a job; everything after it is computed again from the
    embeddings, so that a job that was killed has the result of one that was not.

    Args:
        folder: Created if missing.
        version: What the embeddings depend on besides the recordings: encoder and timeline.
        stored: Called whenever an utterance was stored.
    """

    def __init__(self, folder: Path, version: str, stored: Callable[[], None]) -> None:
        self._folder, self._version, self._stored = folder, version, stored
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def encode(self, recordings: Sequence[Recording], encode: Encode) -> list[EncodedRecording]:
        """Encode recordings, unless that was done before.

        Args:
            recordings: Utterances of the job's recording.
            encode: Encodes them; gives each as soon as it is encoded.
        """
        paths = [
            self._folder / f"{self._digest(recording)}.safetensors" for recording in recordings
        ]
        known = [_read(path, r) for path, r in zip(paths, recordings, strict=True)]
        fresh = iter(encode([r for r, k in zip(recordings, known, strict=True) if not k]))
        encoded = []
        for path, earlier in zip(paths, known, strict=True):
            encoded.append(earlier or next(fresh))
            if not earlier:
                self._write(path, encoded[-1])
        return encoded

    def _digest(self, recording: Recording) -> str:
        digest = hashlib.blake2b(self._version.encode(), digest_size=16)
        digest.update(recording.wave.tobytes())
        return digest.hexdigest()

    def _write(self, path: Path, encoded: EncodedRecording) -> None:
        tensors = {
            "embeddings": encoded.embeddings.contiguous().clone(),
            "spans": torch.from_numpy(encoded.spans.copy()),
        }
        for number, sequence in enumerate(encoded.sequences):
            tensors[str(number)] = torch.from_numpy(sequence.copy())
        with suppress(OSError):  # without room for it, a killed job begins again
            part = path.with_suffix(".part")
            part.write_bytes(save(tensors))
            part.replace(path)
            self._stored()


def _read(path: Path, recording: Recording) -> EncodedRecording | None:
    """The stored embeddings of a recording, unless they are missing or damaged."""
    try:
        tensors = load(path.read_bytes())
        embeddings, spans = tensors.pop("embeddings"), tensors.pop("spans")
        sequences = [tensors[str(number)].numpy() for number in range(len(tensors))]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None
    about = recording.name, recording.seconds, recording.warnings
    return EncodedRecording(*about, embeddings=embeddings, spans=spans.numpy(), sequences=sequences)
