"""Cache of segment embeddings on disk."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..atomic import write
from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..audio.segmentation import Spans, uniform
from ..nn.devices import device_of
from ..nn.encoders.batching import encode
from ..nn.encoders.hashing import embedding_key
from ..nn.encoders.protocol import SegmentEncoder
from ..progress import Event, Report, silent
from .processes import gather, share, total
from .waves import Waves

GRID = 0.24  # s; the finest hop of any balance plan, and a divisor of the others
MEMORY = 1 << 27  # bytes of embeddings that are held in memory, of each call of `encode`
BLOCK = 1 << 14  # segments that are computed with at a time; 64 MB of embeddings of 1024 floats
EXCHANGED = 256  # clips of each process whose embeddings are exchanged at a time


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

    def encode(self, waves: Sequence[Wave], spans: Sequence[Spans]) -> "Embeddings":
        """Embeddings ``(segments, dim)`` of each clip, read from disk if they are there.

        With a contextual encoder, further segments of a clip cost little. Segments are therefore
        encoded on a fine grid, which has those of every hop of every balance plan.

        Args:
            waves: ``(samples,)`` of each clip.
            spans: Segments ``(segments, 2)`` of each clip.
        """
        if not isinstance(waves, Waves):
            waves = Waves([Recording("", wave) for wave in waves])
        embeddings = Embeddings(self, waves, spans)
        number = self.processes.num_processes if self.processes else 1
        known = torch.tensor(embeddings.find(), dtype=torch.int32)
        missing = (total(known, self.processes) < number).nonzero().flatten().tolist()
        done = len(waves) - len(missing)
        ordered, step = self._rotated(missing), EXCHANGED * number
        for start in range(0, len(ordered), step):
            block, computed = ordered[start : start + step], []
            for i in share(block, self.processes):
                computed.append(embeddings.encode_clip(i))
                done += number
                self.report(Event("encode segments", min(done, len(waves)), len(waves)))
            sizes = [embeddings.rows_of_file(i) for i in block]
            gathered = gather(computed, sizes, self.encoder.dim, self.processes)
            for i, together in zip(block, gathered, strict=True):
                embeddings.keep(i, together)
        return embeddings

    def _rotated(self, clips: list[int]) -> list[int]:
        """The clips from another one on in each program that fills the same folder."""
        main = self.processes is None or self.processes.is_main_process
        seed = int(total(torch.tensor(os.getpid() if main else 0), self.processes))
        first = int(np.random.default_rng(seed).integers(len(clips))) if clips else 0
        return [*clips[first:], *clips[:first]]

    def _compute(self, wave: Wave, spans: Spans, path: Path | None) -> Tensor:
        """Embeddings of one clip, encoded alone so that no bit depends on other clips."""
        [(_, encoded)] = encode(self.encoder, [wave], [spans])
        embeddings = encoded.clone()
        if path is not None:
            _write(path, embeddings)
        return embeddings

    def _path(self, digest: bytes, spans: Spans) -> Path | None:
        """File of a clip, given the SHA-256 of its wave."""
        if self.folder is None:
            return None
        key = hashlib.sha256(self.key)
        key.update(digest)
        key.update(hashlib.sha256(np.ascontiguousarray(spans).tobytes()).digest())
        name = key.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


class Embeddings(Sequence[Tensor]):
    """Embeddings ``(segments, dim)`` of clips; up to `MEMORY` bytes are held in memory.

    The others are read from their files when they are needed. Without a folder all are held.

    Args:
        cache: The cache that encodes, reads and writes them.
        waves: Of each clip.
        spans: Segments ``(segments, 2)`` of each clip.
    """

    def __init__(self, cache: EmbeddingCache, waves: Waves, spans: Sequence[Spans]) -> None:
        self._cache, self._waves, self._spans = cache, waves, spans
        self._on_grid = cache.encoder.contextual and all(
            _rows(_grid(waves.seconds(i)), own) is not None for i, own in enumerate(spans)
        )
        self._held: dict[int, Tensor] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waves)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]  # no slices
        held = self._held.get(index)
        if held is None:
            held = self._of_segments(index, self.encode_clip(index))
        return held

    def find(self) -> list[bool]:
        """Whether each clip has a file; what fits in memory is read.

        A file that is only found may be damaged; it is then replaced when it is read.
        """
        return [self._find(i) for i in range(len(self))]

    def encode_clip(self, index: int) -> Tensor:
        """Embeddings as the file of a clip has them, which is written if it is not there."""
        path = self._path(index)
        stored = _read(path)
        if stored is not None:
            return stored
        return self._cache._compute(self._waves[index], self._file_spans(index), path)

    def keep(self, index: int, embeddings: Tensor) -> None:
        """Hold what `encode_clip` returned, here or in another process, in memory or in its file.

        Args:
            index: The clip.
            embeddings: As its file has them.
        """
        path = self._path(index)
        if path is not None and not path.exists():  # of a process on another machine
            _write(path, embeddings)
        self._hold(index, embeddings)

    def rows_of_file(self, index: int) -> int:
        """Number of segments in the file of a clip."""
        return len(self._file_spans(index))

    def _find(self, index: int) -> bool:
        path = self._path(index)
        if self._bytes >= MEMORY:
            return path is not None and path.exists()
        stored = _read(path)
        if stored is not None:
            self._hold(index, stored)
        return stored is not None

    def _hold(self, index: int, stored: Tensor) -> None:
        if self._cache.folder is None or self._bytes < MEMORY:
            self._held[index] = self._of_segments(index, stored)
            self._bytes += self._held[index].nbytes

    def _of_segments(self, index: int, stored: Tensor) -> Tensor:
        """The segments of a clip among those in its file."""
        if not self._on_grid:
            return stored
        return stored[_rows(self._file_spans(index), self._spans[index])]

    def _file_spans(self, index: int) -> Spans:
        return _grid(self._waves.seconds(index)) if self._on_grid else self._spans[index]

    def _path(self, index: int) -> Path | None:
        if self._cache.folder is None:
            return None
        return self._cache._path(self._waves.digest(index), self._file_spans(index))


def blocks(sizes: Iterable[int]) -> Iterator[list[int]]:
    """Divide clips, in their order, into blocks of up to `BLOCK` segments, to be used together.

    Args:
        sizes: Number of segments of each clip.

    Yields:
        Positions of the clips of a block; a longer clip is a block of its own.
    """
    block, total_size = list[int](), 0
    for i, size in enumerate(sizes):
        if block and total_size + size > BLOCK:
            yield block
            block, total_size = [], 0
        block.append(i)
        total_size += size
    if block:
        yield block


def joined(embeddings: Sequence[Tensor], clips: Sequence[int]) -> Iterator[Tensor]:
    """Embeddings ``(segments, dim)`` of some clips, in blocks of at least `BLOCK` segments.

    Args:
        embeddings: Of all clips.
        clips: Indices of the clips.
    """
    block = list[Tensor]()
    size = 0
    for clip in clips:
        block.append(embeddings[clip])
        size += len(block[-1])
        if size >= BLOCK:
            together = torch.cat(block)
            block, size = [], 0  # not a second copy while the block is in use
            yield together
    if block:
        yield torch.cat(block)


def _grid(seconds: float) -> Spans:
    return uniform(seconds, GRID)


def _rows(grid: Spans, spans: Spans) -> NDArray[np.intp] | None:
    """Rows of the grid that equal the spans; None if one is not on the grid."""
    rows = np.searchsorted(grid[:, 0], spans[:, 0]).clip(max=len(grid) - 1)
    return rows if np.array_equal(grid[rows], spans) else None


def _read(path: Path | None) -> Tensor | None:
    if path is None:
        return None
    try:  # all bytes: a mapped file takes three times as long, and its pages count as memory
        return load(path.read_bytes())["embeddings"]
    except (SafetensorError, KeyError, OSError):
        return None  # missing, or damaged: encoded again and replaced


def _write(path: Path, embeddings: Tensor) -> None:
    write(path, save({"embeddings": embeddings}))
