"""Any recording to a mono 16 kHz float32 wave.

libsndfile reads wav, flac, ogg, opus, mp3, aiff and more. Other formats go to PyAV (extra
``media``), and so do files of which libsndfile would lose a part: joined and damaged ones. Files
are decoded block by block, so that memory does not depend on the size of the file.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, cast

import numpy as np
import soundfile

from ..errors import AudioError, TooLongError
from ..types import Notice
from . import mp3, ogg, wav
from .libsndfile import Sound
from .recording import Recording, make_recording
from .resampling import Block, Resampler, Wave
from .segmentation import SAMPLE_RATE
from .source import Source, open_source, read_source

MAX_HOURS = 12.0
INSTALL = "pip install 'affekt[media]'"
STOPPED = "decoding stopped at a damaged place"
DELAY = 0.1  # s that a codec may add to the duration in the header


class Decoder:
    """A recording, decoded block by block: ``(samples,)``, float32, mono, 16 kHz.

    Args:
        source: A path, the bytes of a file, or an open binary file.
        channel: The channel to decode, from 0 on; by default the mean of all.
        name: What results and errors call it; by default the path, ``<bytes>`` or ``<stream>``.
        track: The audio track, from 1 on; by default that which the container marks as default,
            else the first.

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

    def __init__(
        self,
        source: Source,
        channel: int | None = None,
        name: str = "",
        track: int | None = None,
    ) -> None:
        self.name, self._file = open_source(source, name)
        self.channel, self.track = channel, track
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
        # Not buffered: libsndfile reads the same file, and where it stops is of interest.
        named = self._file
        with Path(named).open("rb", 0) if isinstance(named, str) else named as file:
            yield from self._waves(self._blocks(file))

    def _blocks(self, file: BinaryIO) -> Iterator[Block]:
        """Blocks of libsndfile; of PyAV from where libsndfile stops too early."""
        position, fault = 0.0, ogg.fault(file)
        # The library that reads MP3 for libsndfile stops at damage.
        if self.track not in (None, 1) or ((fault or mp3.is_mp3(file)) and _media()):
            yield from self._by_pyav(file, fault)
            return
        try:
            for part in wav.parts(file):
                with Sound(part) as sound:
                    if not position:
                        self.sampling_rate, self.channels = sound.samplerate, sound.channels
                    self.promised = sound.promised and position + sound.promised
                    for block in sound.to_end():
                        yield Block(sound.samplerate, block)
                        position += len(block) / sound.samplerate
                    if sound.understated:
                        text = (
                            f"damaged: its header states {sound.understated:.2f} s of audio, but "
                            "more follows, which is decoded too"
                        )
                        self.warnings.append(Notice("damaged", text))
                    if sound.format in ("MP3", "FLAC") and mp3.audio_follows(file):
                        early = position < 0.99 * self.promised - DELAY
                        fault = STOPPED if early else ogg.JOINED
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
            fault = str(error)
        if fault:
            yield from self._by_pyav(file, fault, position)

    def _by_pyav(self, file: BinaryIO, fault: str, position: float = 0.0) -> Iterator[Block]:
        """Decode with PyAV.

        Args:
            file: The file.
            fault: Why libsndfile does not read it, or not to its end.
            position: Seconds that libsndfile decoded.

        Raises:
            AudioError: Nothing can be decoded.
        """
        media = _media()
        if not media and self.track not in (None, 1):
            raise AudioError(f"{self.name}: to choose track {self.track}: {INSTALL}")
        if not media and not position:
            raise AudioError(
                f"{self.name}: not a format that libsndfile reads ({fault}); for video and m4a: "
                f"{INSTALL}"
            )
        if not media:
            text = f"damaged: {fault}; {INSTALL} decodes the rest"
            self.warnings.append(Notice("damaged", text))
            return
        try:
            damaged = fault == ogg.DAMAGED or (position > 0 and fault != ogg.JOINED)
            with media.Media(self.name, file, self.track, damaged) as track:
                if not position:
                    self.sampling_rate, self.channels = track.rate, track.channels
                    self.promised = track.promised
                yield from _from(position, track)
                self.warnings += track.warnings
        except AudioError:
            if not position:
                raise
            text = f"damaged: decoding stopped early ({fault})"
            self.warnings.append(Notice("damaged", text))

    def _waves(self, blocks: Iterable[Block]) -> Iterator[Wave]:
        """Blocks at 16 kHz, of one channel; missing audio is noted in `warnings`."""
        resampler: Resampler | None = None
        seconds = 0.0  # before those of the resampler
        warnings: list[Notice] = []  # of parts at other sampling rates before it
        for rate, samples in blocks:
            if not resampler or rate != resampler.sampling_rate:
                if resampler:
                    yield resampler.close()
                    seconds += resampler.seconds
                    warnings += resampler.warnings()
                resampler = Resampler(self.name, rate, self.channel)
            longest = max(self.promised, seconds + resampler.seconds + len(samples) / rate)
            if longest > MAX_HOURS * 3600:
                raise TooLongError(
                    f"{self.name}: longer than {MAX_HOURS:.0f} hours; cut it into parts"
                )
            yield resampler.push(samples)
        if not resampler or not seconds + resampler.seconds:
            raise AudioError(f"{self.name}: has no samples")
        yield resampler.close()
        self.warnings += dict.fromkeys((*warnings, *resampler.warnings()))
        seconds += resampler.seconds
        if seconds < 0.99 * self.promised - DELAY:
            text = f"truncated: {seconds:.2f} s of the {self.promised:.2f} s that its header states"
            self.warnings.append(Notice("truncated", text))


def split_channels(source: Source, name: str = "", track: int | None = None) -> list[Decoder]:
    """A decoder for each channel of a recording, such as the two parties of a call.

    Args:
        source: A path, the bytes of a file, or an open binary file.
        name: What results and errors call it; by default the path, ``<bytes>`` or ``<stream>``.
        track: The audio track, as of `Decoder`.

    Raises:
        AudioError: As `Decoder`.
    """
    name, content = read_source(source, name)
    first = Decoder(content, 0, name, track)
    first.read(0)
    return [first, *(Decoder(content, c, name, track) for c in range(1, first.channels))]


def read(source: Source, track: int | None = None) -> Recording:
    """Decode a path, the bytes of a file, or an open binary file.

    Args:
        source: What to decode.
        track: The audio track, as of `Decoder`.

    Raises:
        AudioError: As `Decoder`.
    """
    return cast(Recording, Decoder(source, track=track).read())


def _media() -> ModuleType | None:
    """The module that decodes with PyAV, if that is installed."""
    try:
        import av  # noqa: F401  # it may be missing also where `media` is imported already

        from . import media
    except ModuleNotFoundError:
        return None
    return media


def _from(position: float, blocks: Iterable[Block]) -> Iterator[Block]:
    """What comes after a position in seconds."""
    for rate, samples in blocks:
        skipped = min(len(samples), round(position * rate))
        position -= skipped / rate
        if skipped < len(samples):
            yield Block(rate, samples[skipped:])
