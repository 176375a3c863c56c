"""Frames of a stream to samples: PCM, G.711, Opus packets, and webm or ogg files in pieces."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from .parameters import Samples

if TYPE_CHECKING:
    import av

OPUS_RATE = 48_000  # Hz, at which Opus is decoded
PROBED = "4096"  # bytes that tell what is in a container; with more, the first result would wait
G711 = {"mulaw": "ULAW", "alaw": "ALAW"}

Block = NDArray[np.generic]  # (samples,) or (samples, channels)
Decode = Callable[[Iterable[bytes]], Iterator[Block]]


class Decoder(NamedTuple):
    """How the frames of a stream become samples.

    Attributes:
        rate: Sampling rate of the samples in Hz.
        decode: Gives the samples of frames; raises `ValueError` where a frame cannot be decoded.
    """

    rate: int
    decode: Decode


def decoder_of(samples: Samples, rate: int | None) -> Decoder:
    """The decoder of a stream.

    Args:
        samples: What its frames are.
        rate: Sampling rate of samples in Hz, if the client named one.

    Raises:
        ValueError: The sampling rate does not fit, or the extra media is not installed.
    """
    if samples in ("int16", "float32"):
        return Decoder(rate or 16_000, lambda frames: _pcm(frames, samples))
    if samples in G711:
        return Decoder(rate or 8_000, lambda frames: map(_g711(samples), frames))
    if rate not in (None, OPUS_RATE):
        raise ValueError(f"samples={samples} is decoded at {OPUS_RATE} Hz; leave rate out")
    try:
        import av  # noqa: F401
    except ModuleNotFoundError as error:
        raise ValueError(f"samples={samples} needs the extra media on the server") from error
    if samples == "opus":
        return Decoder(OPUS_RATE, _opus)
    return Decoder(OPUS_RATE, lambda frames: _container(frames, samples))


def _pcm(frames: Iterable[bytes], samples: Samples) -> Iterator[Block]:
    kind = np.dtype(samples).newbyteorder("<")
    for data in frames:
        if len(data) % kind.itemsize:
            raise ValueError(
                f"a frame of {len(data)} bytes: not a multiple of the size of {samples} samples"
            )
        yield np.frombuffer(data, kind)


def _g711(samples: Samples) -> Callable[[bytes], Block]:
    """Decoder of mu-law or A-law by a table of its 256 values, which libsndfile gives."""
    table, _ = soundfile.read(
        io.BytesIO(bytes(range(256))), dtype="int16", format="RAW", subtype=G711[samples],
        samplerate=8_000, channels=1,
    )  # fmt: skip
    return lambda data: table[np.frombuffer(data, np.uint8)]


def _opus(frames: Iterable[bytes]) -> Iterator[Block]:
    """Samples of frames that each hold one Opus packet."""
    import av

    codec: av.AudioCodecContext = av.CodecContext.create("opus", "r")
    codec.sample_rate, codec.layout = OPUS_RATE, "mono"
    for data in frames:
        try:
            yield from map(_samples, codec.decode(av.Packet(data)) if data else [])
        except av.FFmpegError as error:
            raise ValueError(f"not an Opus packet ({error.strerror})") from error


def _container(frames: Iterable[bytes], kind: str) -> Iterator[Block]:
    """Samples of a webm or ogg file that comes in pieces."""
    import av

    planes = av.AudioResampler(format="fltp", rate=OPUS_RATE)
    options = {"probesize": PROBED, "analyzeduration": "0"}
    format = "matroska" if kind == "webm" else kind
    try:
        with av.open(_Pieces(frames), "r", format, options) as container:
            if not container.streams.audio:
                raise ValueError(f"the {kind} file has no audio track")
            for frame in container.decode(container.streams.audio[0]):
                yield from map(_samples, planes.resample(frame))
    except (av.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"not a {kind} file that can be decoded ({reason})") from error


class _Pieces:
    """A file whose bytes are those of frames; reading waits for the next one.

    Args:
        frames: The frames.
    """

    def __init__(self, frames: Iterable[bytes]) -> None:
        self._frames = iter(frames)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        while not self._rest:
            if (frame := next(self._frames, None)) is None:
                return b""
            self._rest = frame
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def _samples(frame: "av.AudioFrame") -> Block:
    """Samples of a frame of planes; FFmpeg's own downmix would weigh the channels."""
    return frame.to_ndarray().T
