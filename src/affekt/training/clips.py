"""Decoded utterances, and their segment vectors, cached on disk."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..atomic import write
from ..audio import decoding
from ..audio.recording import Recording, Wave
from ..audio.segmentation import SAMPLE_RATE, Spans, uniform
from ..corpora.splits import inner_validation
from ..errors import AudioError, CorpusError
from ..nn.encoders.batching import encode
from ..nn.encoders.hashing import embedding_key
from ..nn.encoders.protocol import SegmentEncoder
from ..progress import Event, Report, silent
from ..types import Example
from .distributed import Distributed

GRID = 0.24  # s; the finest hop of any balance plan, and a divisor of the others


@dataclass(frozen=True)
class Clip:
    """A labelled utterance and its sound."""

    example: Example
    recording: Recording

    @property
    def label(self) -> str:
        """The emotion."""
        return self.example.label

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.recording.seconds


def load_clips(examples: Sequence[Example], report: Report = silent) -> list[Clip]:
    """Decode every utterance.

    Raises:
        AudioError: Some cannot be read; the message counts them and names the first.
    """
    clips, broken = [], []
    for done, example in enumerate(examples, 1):
        try:
            clips.append(Clip(example, decoding.read(example.path)))
        except AudioError as error:
            broken.append(str(error))
        report(Event("read recordings", done, len(examples)))
    if broken:
        raise AudioError(
            f"{len(broken)} of {len(examples)} recordings cannot be used, the first: {broken[0]}"
        )
    return clips


def inner_split(
    clips: Sequence[Clip], share: float, seed: int, held_out: Sequence[Clip] | None
) -> tuple[Sequence[Clip], Sequence[Clip]]:
    """What is learned, and what chooses the epoch.

    Of a single speaker a share of the clips of each class chooses: voices that are known
    judge too well, but there are no others.

    Args:
        clips: The training part.
        share: Of its speakers, those who choose.
        seed: Draws them.
        held_out: Clips that choose in their place; nothing is then taken from `clips`.

    Raises:
        CorpusError: A single speaker, and of some class a single clip.
    """
    if held_out is not None:
        return clips, held_out
    if len(speakers(clips)) == 1:
        return _by_clip(clips, share, seed)
    chosen = inner_validation([c.example for c in clips], share, seed)
    inner = [c for c in clips if c.example.speaker not in chosen]
    return inner, [c for c in clips if c.example.speaker in chosen]


def _by_clip(clips: Sequence[Clip], share: float, seed: int) -> tuple[list[Clip], list[Clip]]:
    rng = np.random.default_rng(seed)
    inner, validation_part = [], []
    for label in sorted({c.label for c in clips}):
        own = [c for c in clips if c.label == label]
        if len(own) < 2:
            raise CorpusError(
                f"one training speaker, and one clip of {label}: training needs a second "
                "speaker, or of each class a second clip for validation"
            )
        order = rng.permutation(len(own))
        number = min(max(1, round(share * len(own))), len(own) - 1)
        validation_part += [own[i] for i in order[:number]]
        inner += [own[i] for i in order[number:]]
    return inner, validation_part


def speakers(clips: Sequence[Clip]) -> list[str]:
    """Whose clips they are, sorted."""
    return sorted({c.example.speaker for c in clips})


def audio_warnings(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """What is odd about the sound of some utterances, by their id."""
    odd = ((clip.example.id, clip.recording.warnings) for clip in clips)
    return {name: list(warnings) for name, warnings in odd if warnings}


class EmbeddingCache:
    """Segment vectors on disk, one file for a clip, an encoder and a set of spans.

    The key is a hash of the samples, the spans and everything that decides the encoder's
    output, so a changed input finds nothing rather than something stale. Files are written
    whole or not at all; several processes can share a folder.
    """

    def __init__(
        self, folder: Path | None, encoder: SegmentEncoder, distributed: Distributed = Distributed()
    ) -> None:
        self.folder = folder
        self.encoder = encoder
        self.distributed = distributed

    @cached_property
    def key(self) -> bytes:
        """Hash of everything that determines the embeddings."""
        return embedding_key(self.encoder)

    def encode(
        self, waves: Sequence[Wave], spans: Sequence[Spans], report: Report = silent
    ) -> list[Tensor]:
        """Vectors ``(segments, dim)`` of each clip, from disk where they are known.

        An encoder that hears the whole clip gives further segments almost for free: one
        pass then serves every hop of every balance plan.
        """
        if not self.encoder.contextual:
            return self._encode(waves, spans, report)
        grids = [uniform(len(w) / SAMPLE_RATE, GRID) for w in waves]
        rows = [_rows(grid, s) for grid, s in zip(grids, spans, strict=True)]
        if any(r is None for r in rows):
            return self._encode(waves, spans, report)
        on_grid = self._encode(waves, grids, report)
        return [embeddings[r] for embeddings, r in zip(on_grid, rows, strict=True)]

    def _encode(
        self, waves: Sequence[Wave], spans: Sequence[Spans], report: Report
    ) -> list[Tensor]:
        paths = [self._path(w, s) for w, s in zip(waves, spans, strict=True)]
        embeddings = {i: known for i, p in enumerate(paths) if (known := _read(p)) is not None}
        found = torch.tensor([i in embeddings for i in range(len(waves))], dtype=torch.int32)
        missing = (self.distributed.add(found) < self.distributed.size).nonzero().flatten().tolist()
        computed = []
        for done, i in enumerate(self.distributed.mine(missing), 1):
            # One at a time: bits must not depend on what else was missing.
            [(_, encoded)] = encode(self.encoder, [waves[i]], [spans[i]])
            computed.append(encoded.clone())
            if (path := paths[i]) is not None:
                write(path, save({"vectors": computed[-1]}))
            so_far = len(waves) - len(missing) + done * self.distributed.size
            report(Event("encode segments", min(so_far, len(waves)), len(waves)))
        sizes = [len(spans[i]) for i in missing]
        embeddings |= zip(
            missing, self.distributed.rows(computed, sizes, self.encoder.dim), strict=True
        )
        return [embeddings[i] for i in range(len(waves))]

    def _path(self, wave: Wave, spans: Spans) -> Path | None:
        if self.folder is None:
            return None
        key = hashlib.sha256(self.key)
        key.update(hashlib.sha256(wave.tobytes()).digest())
        key.update(hashlib.sha256(np.ascontiguousarray(spans).tobytes()).digest())
        name = key.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


def _rows(grid: Spans, spans: Spans) -> NDArray[np.intp] | None:
    """Where the spans stand in the grid; None if one does not."""
    rows = np.searchsorted(grid[:, 0], spans[:, 0]).clip(max=len(grid) - 1)
    return rows if np.array_equal(grid[rows], spans) else None


def _read(path: Path | None) -> Tensor | None:
    if path is None or not path.exists():
        return None
    try:
        return load_file(path)["vectors"]
    except (SafetensorError, KeyError, OSError):
        return None  # damaged: encoded anew and replaced
