"""Cache of segment embeddings on disk."""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..atomic import write
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE, Spans, uniform
from ..nn.devices import device_of
from ..nn.encoders.batching import encode
from ..nn.encoders.hashing import embedding_key
from ..nn.encoders.protocol import SegmentEncoder
from ..progress import Event, Report, silent
from .processes import gather, share, total

GRID = 0.24  # s; the finest hop of any balance plan, and a divisor of the others


class EmbeddingCache:
    """Embeddings of clips on disk: one file for each clip, encoder and set of segments.

    The name of a file is a hash of the samples, the segments and everything that determines the
    encoder's output, so that no stale file is ever used. Files are written atomically. Several
    processes can share a folder; each begins with another clip and skips what is there by then.

    Args:
        encoder: The encoder; its weights must not change during the life of the cache.
        folder: Folder of the files; None stores none.
        processes: Processes that share the work; by default this one does it alone.
        report: Receives progress.
    """

    def __init__(
        self,
        encoder: SegmentEncoder,
        folder: Path | None = None,
        processes: PartialState | None = None,
        report: Report = silent,
    ) -> None:
        self.encoder = encoder
        self.folder = folder
        self.processes = processes
        self.report = report

    @cached_property
    def key(self) -> bytes:
        """Hash of everything in the encoder that determines the embeddings."""
        device = device_of(self.encoder).type  # another one rounds otherwise
        return embedding_key(self.encoder) + (b"" if device == "cpu" else device.encode())

    def encode(self, waves: Sequence[Wave], spans: Sequence[Spans]) -> list[Tensor]:
        """Embeddings ``(segments, dim)`` of each clip, read from disk if they are there.

        With a contextual encoder, further segments of a clip cost little. Segments are therefore
        encoded on a fine grid, which has those of every hop of every balance plan.

        Args:
            waves: ``(samples,)`` of each clip.
            spans: Segments ``(segments, 2)`` of each clip.
        """
        if not self.encoder.contextual:
            return self._encode(waves, spans)
        grids = [uniform(len(w) / SAMPLE_RATE, GRID) for w in waves]
        rows = [_rows(grid, s) for grid, s in zip(grids, spans, strict=True)]
        if any(r is None for r in rows):
            return self._encode(waves, spans)
        on_grid = self._encode(waves, grids)
        return [embeddings[r] for embeddings, r in zip(on_grid, rows, strict=True)]

    def _encode(self, waves: Sequence[Wave], spans: Sequence[Spans]) -> list[Tensor]:
        paths = [self._path(w, s) for w, s in zip(waves, spans, strict=True)]
        stored = {i: known for i, p in enumerate(paths) if (known := _read(p)) is not None}
        number = self.processes.num_processes if self.processes else 1
        known = torch.tensor([i in stored for i in range(len(waves))], dtype=torch.int32)
        missing = (total(known, self.processes) < number).nonzero().flatten().tolist()
        own = share(missing, self.processes)
        first = int(np.random.default_rng(os.getpid()).integers(len(own))) if own else 0
        computed = {}
        for done, i in enumerate([*own[first:], *own[:first]], 1):
            by_now = _read(paths[i])
            computed[i] = self._compute(waves[i], spans[i], paths[i]) if by_now is None else by_now
            so_far = len(waves) - len(missing) + done * number
            self.report(Event("encode segments", min(so_far, len(waves)), len(waves)))
        sizes = [len(spans[i]) for i in missing]
        ordered = [computed[i] for i in own]
        gathered = gather(ordered, sizes, self.encoder.dim, self.processes)
        embeddings = stored | dict(zip(missing, gathered, strict=True))
        return [embeddings[i] for i in range(len(waves))]

    def _compute(self, wave: Wave, spans: Spans, path: Path | None) -> Tensor:
        """Embeddings of one clip, encoded alone so that no bit depends on other clips."""
        [(_, encoded)] = encode(self.encoder, [wave], [spans])
        embeddings = encoded.clone()
        if path is not None:
            write(path, save({"embeddings": embeddings}))
        return embeddings

    def _path(self, wave: Wave, spans: Spans) -> Path | None:
        if self.folder is None:
            return None
        key = hashlib.sha256(self.key)
        key.update(hashlib.sha256(wave.tobytes()).digest())
        key.update(hashlib.sha256(np.ascontiguousarray(spans).tobytes()).digest())
        name = key.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


def _rows(grid: Spans, spans: Spans) -> NDArray[np.intp] | None:
    """Rows of the grid that equal the spans; None if one is not on the grid."""
    rows = np.searchsorted(grid[:, 0], spans[:, 0]).clip(max=len(grid) - 1)
    return rows if np.array_equal(grid[rows], spans) else None


def _read(path: Path | None) -> Tensor | None:
    if path is None or not path.exists():
        return None
    try:
        return load_file(path)["embeddings"]
    except (SafetensorError, KeyError, OSError):
        return None  # damaged: encoded again and replaced
