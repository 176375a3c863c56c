"""Samples from a pipe: raw PCM, or a WAV file that is read as it comes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from .kind import is_recording
from .wav import UNKNOWN_SIZE

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # tags of a WAV format
TYPES = {(PCM, 16): "int16", (PCM, 32): "int32", (FLOAT, 32): "float32", (FLOAT, 64): "float64"}
HEAD = 12  # first bytes, which show whether the stream is a file or raw samples
# Beginnings of files with which raw samples hardly begin.
FILES = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd", b"\x1aE\xdf\xa3")


@dataclass(frozen=True)
class SampleFormat:
    """How samples follow one another.

    Attributes:
        samples: Type, of little-endian samples: int16, int32, float32 or float64.
        sampling_rate: In Hz.
        channels: Number of interleaved channels.
    """

    samples: str
    sampling_rate: int
    channels: int


def read_samples(
    stream: BinaryIO, raw: SampleFormat, seconds: float
) -> tuple[SampleFormat, Iterator[NDArray[np.generic]]]:
    """Format of a stream, which a WAV file states itself, and its blocks ``(samples, channels)``.

    Args:
        stream: Raw PCM or a WAV file; need not be seekable.
        raw: Format of raw PCM.
        seconds: Duration of a block.

    Raises:
        AudioError: The stream is a file of another format.
    """
    head = stream.read(HEAD)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        form, size = _wav_header(stream)
        return form, _blocks(stream, form, seconds, b"", size)
    if head.startswith(FILES) and is_recording(head):
        raise AudioError(
            "standard input is a recording and not raw PCM; use: affekt predict -, or decode it: "
            "ffmpeg -i FILE -f s16le -ac 1 -ar 16000 -"
        )
    return raw, _blocks(stream, raw, seconds, head)


def _blocks(
    stream: BinaryIO, form: SampleFormat, seconds: float, head: bytes, left: float = np.inf
) -> Iterator[NDArray[np.generic]]:
    """Blocks ``(samples, channels)``; an incomplete sample at the end is dropped.

    Args:
        stream: Where the samples come from.
        form: Their format.
        seconds: Duration of a block.
        head: Bytes that have been read already.
        left: Number of bytes that are samples.
    """
    kind = np.dtype(form.samples).newbyteorder("<")
    size = kind.itemsize * form.channels
    block = size * max(1, round(seconds * form.sampling_rate))
    while data := head + stream.read(max(0, int(min(block, left)) - len(head))):
        complete = len(data) // size * size
        yield np.frombuffer(data[:complete], kind).reshape(-1, form.channels)
        head, left = b"", left - len(data)


def _wav_header(stream: BinaryIO) -> tuple[SampleFormat, float]:
    """Read up to the first sample: the format, and the number of bytes of the samples.

    Raises:
        AudioError: The header is incomplete, or samples are of another type than `TYPES` lists.
    """
    form = None
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data" and form:
            return form, size if 0 < size < UNKNOWN_SIZE else np.inf
        content = stream.read(size + size % 2)
        if name == b"fmt " and len(content) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if tag == EXTENSIBLE and len(content) >= 26:
                [tag] = struct.unpack("<H", content[24:26])
            if (tag, bits) not in TYPES or not channels or not rate:
                raise AudioError(
                    f"WAV on standard input with samples of {bits} bits, format {tag}; give "
                    "16-bit PCM: ffmpeg -i FILE -c:a pcm_s16le -f wav -"
                )
            form = SampleFormat(TYPES[tag, bits], rate, channels)
    raise AudioError("WAV on standard input: the header is incomplete")
