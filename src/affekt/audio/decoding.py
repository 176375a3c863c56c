"""Any recording to a mono 16 kHz float32 wave.

libsndfile reads wav, flac, ogg, opus, mp3, aiff and more; other formats go to PyAV (extra
``media``). Files are decoded block by block, so that memory does not depend on the size of the
file.
"""

import io
import math
import os
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import AudioError, TooLongError
from ..types import Notice
from .recording import Recording, make_recording
from .resampling import Resampler, Wave
from .segmentation import SAMPLE_RATE
from .source import Source, open_source, read_source

MAX_HOURS = 12.0
BLOCK = 1 << 14  # frames decoded at a time; a damaged block is lost completely
UNKNOWN_SIZE = 0x7F000000  # bytes; piped WAV and AIFF state this or more (sox: 0x7FFFF000)
DELAY = 0.1  # s that a codec may add to the duration in the header


class Decoder:
    """A recording, decoded block by block: ``(samples,)``, float32, mono, 16 kHz.

    Args:
        source: A path, the bytes of a file, or an open binary file.
        channel: The channel to decode, from 0 on; by default the mean of all.
        name: What results and errors call it; by default the path, ``<bytes>`` or ``<stream>``.

    Attributes:
        name: The name in results and errors.
        sampling_rate: Sampling rate of the file in Hz, once a block is decoded.
        channels: Number of channels of the file, once a block is decoded.
        promised: Duration in seconds that the header states, once a block is decoded; 0 if none.
        warnings: Warnings about damaged or missing parts, complete after the last block.

    Raises:
        AudioError: The file is missing, empty, damaged, not audio, longer than 12 hours, or has NaN
            or infinite samples.
    """

    def __init__(self, source: Source, channel: int | None = None, name: str = "") -> None:
        self.name, self._file = open_source(source, name)
        self.channel = channel
        self.sampling_rate: float = SAMPLE_RATE
        self.channels = 1
        self.promised = 0.0
        self._taken = 0
        self.warnings: list[Notice] = []
        self._begun: list[Wave] = []
        self._rest = self._decoded()

    def __iter__(self) -> Iterator[Wave]:
        begun, self._begun = self._begun, []
        for block in chain(begun, self._rest):
            self._taken += len(block)
            yield block

    @property
    def seconds(self) -> float:
        """Duration of the blocks that were decoded so far."""
        return self._taken / SAMPLE_RATE

    def read(self, most: float = math.inf) -> Recording | None:
        """The decoded recording; None if it is longer than `most` seconds.

        In that case iterating over the decoder still begins with the first block.
        """
        samples = 0
        for block in self._rest:
            self._begun.append(block)
            samples += len(block)
            if samples > most * SAMPLE_RATE:
                return None
        parts = list(self)
        wave = np.concatenate(parts)
        parts.clear()  # a second copy of ten hours takes 2.3 GB
        return make_recording(self.name, wave, self.sampling_rate, self.warnings)

    def _decoded(self) -> Iterator[Wave]:
        file = self._file
        # Names need not be UTF-8, but libsndfile gets them so unless they are bytes.
        target = os.fsencode(file) if isinstance(file, str) and os.name == "posix" else file
        try:
            with soundfile.SoundFile(target) as sound:
                self.channels = sound.channels
                yield from self._waves(sound.samplerate, _blocks(sound), _promised(sound))
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
            if isinstance(file, io.BytesIO):
                file.seek(0)
                yield from self._media(file, str(error))
                return
            with Path(file).open("rb") as stream:
                yield from self._media(stream, str(error))

    def _media(self, file: BinaryIO, reason: str) -> Iterator[Wave]:
        """Decode a format that libsndfile does not read."""
        try:
            import av
        except ModuleNotFoundError as error:
            raise AudioError(
                f"{self.name}: not a format that libsndfile reads ({reason}); "
                "for video and m4a: pip install 'affekt[media]'"
            ) from error
        try:
            # An open file and no protocols: a playlist must not make us fetch other files.
            with av.open(
                file, "r", metadata_errors="replace", options={"protocol_whitelist": ""}
            ) as container:
                if not container.streams.audio:
                    raise AudioError(f"{self.name}: has no audio track")
                stream = container.streams.audio[0]
                if stream.codec_context is None:
                    raise AudioError(f"{self.name}: there is no decoder for its audio")
                # Only the sample format changes here: FFmpeg's own downmix weighs channels. Packed:
                # PyAV reads beyond the planes of 8 channels or more.
                to_float = av.AudioResampler(format="flt")
                blocks = (
                    out.to_ndarray().reshape(-1, out.layout.nb_channels).astype(np.float32)
                    for frame in container.decode(stream)
                    for out in to_float.resample(frame)
                )
                self.channels = stream.codec_context.channels
                seconds = float((stream.duration or 0) * (stream.time_base or 0))
                seconds = seconds or (container.duration or 0) / av.time_base
                yield from self._waves(stream.rate, blocks, round(seconds * stream.rate))
        except (av.FFmpegError, ValueError, EOFError) as error:
            detail = getattr(error, "strerror", None) or error
            raise AudioError(f"{self.name}: not a recording, or damaged ({detail})") from error

    def _waves(
        self, rate: float, blocks: Iterable[NDArray[np.floating]], promised: int
    ) -> Iterator[Wave]:
        """Blocks at 16 kHz, of one channel; missing audio is noted in `warnings`.

        Args:
            rate: Sampling rate of the file in Hz.
            blocks: ``(samples, channels)``.
            promised: Samples of a channel that the header states, or 0.
        """
        self.sampling_rate, self.promised = rate, promised / max(rate, 1)
        resampler = Resampler(self.name, rate, self.channel)
        too_long = TooLongError(
            f"{self.name}: longer than {MAX_HOURS:.0f} hours; cut it into parts"
        )
        if promised > MAX_HOURS * 3600 * rate:
            raise too_long
        for block in _until_damage(blocks, self.warnings):
            yield resampler.push(block)
            if resampler.taken > MAX_HOURS * 3600 * rate:
                raise too_long
        if not resampler.taken:
            raise AudioError(f"{self.name}: has no samples")
        yield resampler.close()
        if resampler.taken < 0.99 * promised - DELAY * rate:
            found, header = resampler.taken / rate, promised / rate
            text = f"truncated: {found:.2f} s of the {header:.2f} s that its header states"
            self.warnings.append(Notice("truncated", text))


def split_channels(source: Source, name: str = "") -> list[Decoder]:
    """A decoder for each channel of a recording, such as the two parties of a call.

    Args:
        source: A path, the bytes of a file, or an open binary file.
        name: What results and errors call it; by default the path, ``<bytes>`` or ``<stream>``.

    Raises:
        AudioError: As `Decoder`.
    """
    name, content = read_source(source, name)
    first = Decoder(content, 0, name)
    first.read(0)
    return [first, *(Decoder(content, c, name) for c in range(1, first.channels))]


def read(source: Source) -> Recording:
    """Decode a path, the bytes of a file, or an open binary file.

    Raises:
        AudioError: As `Decoder`.
    """
    return cast(Recording, Decoder(source).read())


def _blocks(sound: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _promised(sound: soundfile.SoundFile) -> int:
    """Samples of a channel that the header states; 0 if it does not.

    libsndfile corrects the length of a truncated WAV or AIFF and notes the stated one in its log.
    """
    cut = re.search(r"(?:data|SSND) *: (\d+) \(should be (\d+)\)", sound.extra_info)
    if cut and int(cut[1]) < UNKNOWN_SIZE:
        return round(sound.frames * int(cut[1]) / max(int(cut[2]), 1))
    return sound.frames if not cut and sound.frames < 2**62 else 0


def _until_damage(
    blocks: Iterable[NDArray[np.floating]], warnings: list[Notice]
) -> Iterator[NDArray[np.floating]]:
    """Blocks up to the first error, which becomes a warning; raised if there is no block."""
    decoded = False
    try:
        for block in blocks:
            yield block
            decoded = True
    except AudioError:
        raise
    except Exception as error:  # whatever decoders raise: PyAV's errors share no builtin base
        if not decoded:
            raise
        warnings.append(Notice("damaged", f"damaged: decoding stopped early ({error})"))
