"""Any recording to a mono 16 kHz float32 wave.

libsndfile reads wav, flac, ogg, opus, mp3, aiff and more; what it does not know goes to
PyAV (extra ``media``). Files are decoded block by block, so that memory follows the
16 kHz result and not the size of the file.
"""

import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike, NDArray

from .errors import AudioError
from .segments import SAMPLE_RATE, SEGMENT

Wave = NDArray[np.float32]
Source = str | os.PathLike[str] | bytes | BinaryIO

# What libsndfile and PyAV open among what people call recordings.
SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"}
SUFFIXES |= {".m4a", ".mp4", ".avi", ".webm", ".mkv", ".mov"}
MAX_HOURS = 12.0
RATES = (1_000, 768_000)  # Hz
BLOCK = 1 << 14  # frames decoded at a time; of a damaged block all is lost
UNKNOWN_SIZE = 0x7F000000  # bytes; what piped WAV and AIFF promise (sox: 0x7FFFF000) and more
DELAY = 0.1  # s that a codec may add to what a header promises
MAX_PEAK = 1e10  # beyond what 32-bit integers stored as floats reach
SILENCE = 1e-4  # RMS, -80 dBFS: below it there is nothing to hear or to normalise
TARGET_RMS = 0.1  # -20 dBFS


@dataclass(frozen=True)
class Recording:
    """One decoded recording.

    Attributes:
        name: The file's path, or ``<bytes>``, ``<stream>``, ``<array>``.
        wave: Samples ``(samples,)``, float32, mono, 16 kHz, at the recorded level.
        warnings: What to know before trusting a result.
        rate: Sampling rate in Hz before it was brought to 16 kHz.
    """

    name: str
    wave: Wave
    warnings: tuple[str, ...] = ()
    rate: float = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.wave) / SAMPLE_RATE


class Decoder:
    """A recording as it is decoded: blocks ``(samples,)``, float32, mono, 16 kHz.

    Args:
        source: A path, the bytes of a file, or an open binary file.

    Attributes:
        name: The file's path, or ``<bytes>`` or ``<stream>``.
        rate: Sampling rate of the file, once a block is there.
        promised: Seconds that the header promises, once a block is there; 0 if it does not say.
        warnings: Of what is damaged or missing, complete after the last block.

    Raises:
        AudioError: The file is missing, empty, not audio, damaged, has NaN or infinite
            samples, or is longer than 12 hours; the message names it and says which.
    """

    def __init__(self, source: Source) -> None:
        self.name, self._file = _named(source)
        self.rate: float = SAMPLE_RATE
        self.promised = 0.0
        self.warnings: list[str] = []
        self._begun: list[Wave] = []
        self._rest = self._decoded()

    def __iter__(self) -> Iterator[Wave]:
        begun, self._begun = self._begun, []
        yield from begun
        yield from self._rest

    def whole(self, most: float = math.inf) -> Recording | None:
        """The recording in memory; None if it is longer than `most` seconds.

        It can then still be taken block by block, from its beginning on.
        """
        samples = 0
        for block in self._rest:
            self._begun.append(block)
            samples += len(block)
            if samples > most * SAMPLE_RATE:
                return None
        return _whole(self.name, self, self.warnings, self.rate)

    def _decoded(self) -> Iterator[Wave]:
        file = self._file
        # Names need not be UTF-8, but libsndfile gets them so unless they are bytes.
        target = os.fsencode(file) if isinstance(file, str) and os.name == "posix" else file
        try:
            with soundfile.SoundFile(target) as sound:
                yield from self._from(sound.samplerate, _blocks(sound), _promised(sound))
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
            if isinstance(file, io.BytesIO):
                file.seek(0)
                yield from self._media(file, str(error))
                return
            with Path(file).open("rb") as stream:
                yield from self._media(stream, str(error))

    def _media(self, file: BinaryIO, reason: str) -> Iterator[Wave]:
        """What libsndfile does not know."""
        try:
            import av
        except ModuleNotFoundError:
            raise AudioError(
                f"{self.name}: not a format that libsndfile reads ({reason}); "
                "for video and m4a: pip install 'affekt[media]'"
            ) from None
        try:
            # From an open file, and no protocol beside: a playlist must not make us fetch things.
            with av.open(
                file, "r", metadata_errors="replace", options={"protocol_whitelist": ""}
            ) as container:
                if not container.streams.audio:
                    raise AudioError(f"{self.name}: has no sound track")
                stream = container.streams.audio[0]
                if stream.codec_context is None:
                    raise AudioError(
                        f"{self.name}: its sound is in a format that nobody here decodes"
                    )
                # Only the sample format changes here: FFmpeg's own downmix weighs channels. Packed:
                # PyAV reads beyond the planes of 8 channels or more.
                to_float = av.AudioResampler(format="flt")
                blocks = (
                    out.to_ndarray().reshape(-1, out.layout.nb_channels).astype(np.float32)
                    for frame in container.decode(stream)
                    for out in to_float.resample(frame)
                )
                seconds = float((stream.duration or 0) * (stream.time_base or 0))
                seconds = seconds or (container.duration or 0) / av.time_base
                yield from self._from(stream.rate, blocks, round(seconds * stream.rate))
        except (av.FFmpegError, ValueError, EOFError) as error:
            detail = getattr(error, "strerror", None) or error
            raise AudioError(f"{self.name}: not a recording, or damaged ({detail})") from None

    def _from(
        self, rate: float, blocks: Iterable[NDArray[np.floating]], promised: int
    ) -> Iterator[Wave]:
        self.rate, self.promised = rate, promised / max(rate, 1)
        return _waves(self.name, rate, blocks, promised, self.warnings)


def read(source: Source) -> Recording:
    """Decode a path, the bytes of a file, or an open binary file.

    Raises:
        AudioError: As `Decoder`.
    """
    return cast(Recording, Decoder(source).whole())


def from_array(samples: ArrayLike, rate: float | None) -> Recording:
    """Take samples ``(samples,)`` or ``(samples, channels)``, int16, int32 or floats in ±1.

    Raises:
        ValueError: The rate is missing or no number, or the array has another shape or type.
        AudioError: There are no samples, or NaN or infinite ones.
    """
    array = np.asarray(samples)
    if not isinstance(rate, Real):
        raise ValueError(f"rate={rate!r}: an array needs its sampling rate, such as rate=16000")
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] > max(64, len(array))):
        raise ValueError(f"array of shape {array.shape}: give (samples,) or (samples, channels)")
    if array.dtype.kind == "i" and array.dtype.itemsize <= 4:
        array = array / -float(np.iinfo(array.dtype).min)
    elif array.dtype.kind != "f":
        raise ValueError(f"array of {array.dtype}: give int16, int32 or floats in ±1")
    channels = array if array.ndim == 2 else array[:, None]
    warnings: list[str] = []
    blocks = _waves("<array>", float(rate), [channels], len(array), warnings)
    return _whole("<array>", blocks, warnings, float(rate))


def level(wave: Wave) -> Wave:
    """Remove the offset and scale to an RMS of -20 dBFS; silence stays silence.

    log(mel + 0.01) saturates on quiet recordings, and how loud someone was recorded says
    more about the microphone than about the emotion.
    """
    offset, rms = _offset_and_rms(wave)
    centred = wave - np.float32(offset)
    if rms > SILENCE:
        centred *= np.float32(TARGET_RMS / rms)
    return centred


def _offset_and_rms(wave: Wave) -> tuple[float, float]:
    """Mean, and RMS about it, without a copy of what may be ten hours."""
    offset = float(wave.mean(dtype=np.float64))
    blocks = (wave[i : i + BLOCK] for i in range(0, len(wave), BLOCK))
    energy = sum(float(np.square(b - offset, dtype=np.float64).sum()) for b in blocks)
    return offset, (energy / len(wave)) ** 0.5


class _Bytes(io.BytesIO):
    """Damaged headers make libsndfile seek before the start, which Python would report."""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return -1


def _named(source: Source) -> tuple[str, str | io.BytesIO]:
    if isinstance(source, bytes):
        return "<bytes>", _Bytes(source)
    if not isinstance(source, str | os.PathLike):
        data = source.read()
        if not isinstance(data, bytes):
            raise ValueError("a file opened as text; open it with mode 'rb'")
        return str(getattr(source, "name", "<stream>")), _Bytes(data)
    name = os.fspath(source)
    try:
        with Path(name).open("rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{name}: cannot be opened: {reason}") from None
    if empty:
        raise AudioError(f"{name}: the file is empty")
    return name, name


def _blocks(sound: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _promised(sound: soundfile.SoundFile) -> int:
    """Frames that the header promises; 0 if it does not say.

    libsndfile corrects a WAV's or AIFF's length to what is there and leaves word in its log.
    """
    cut = re.search(r"(?:data|SSND) *: (\d+) \(should be (\d+)\)", sound.extra_info)
    if cut and int(cut[1]) < UNKNOWN_SIZE:
        return round(sound.frames * int(cut[1]) / max(int(cut[2]), 1))
    return sound.frames if not cut and sound.frames < 2**62 else 0


def _until_damage(
    blocks: Iterable[NDArray[np.floating]], warnings: list[str]
) -> Iterator[NDArray[np.floating]]:
    """What decodes before the first error, and a warning; the error itself if that is nothing."""
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
        warnings.append(f"damaged: decoding stopped early ({error})")


def _waves(
    name: str,
    rate: float,
    blocks: Iterable[NDArray[np.floating]],
    promised: int,
    warnings: list[str],
) -> Iterator[Wave]:
    """Mean of the channels, 16 kHz, block by block; what is missing goes to `warnings`."""
    if not RATES[0] <= rate <= RATES[1]:
        raise AudioError(f"{name}: sampled at {rate} Hz; {RATES[0]} to {RATES[1]} Hz can be read")
    if promised > MAX_HOURS * 3600 * rate:
        raise AudioError(f"{name}: longer than {MAX_HOURS:.0f} hours; cut it into parts")
    resampler = None
    if rate != SAMPLE_RATE:
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    decoded = 0
    for block in _until_damage(blocks, warnings):
        mono = block.mean(axis=1, dtype=np.float64)
        if not (np.abs(mono) < MAX_PEAK).all():
            at = (decoded + int(np.argmin(np.abs(mono) < MAX_PEAK))) / rate
            raise AudioError(
                f"{name}: has NaN, infinite or absurd samples, the first at {at:.2f} s"
            )
        decoded += len(mono)
        if decoded > MAX_HOURS * 3600 * rate:
            raise AudioError(f"{name}: longer than {MAX_HOURS:.0f} hours; cut it into parts")
        mono = mono.astype(np.float32)
        yield resampler.resample_chunk(mono) if resampler else mono
    if not decoded:
        raise AudioError(f"{name}: has no samples")
    if resampler:
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
    if decoded < 0.99 * promised - DELAY * rate:
        found, header = decoded / rate, promised / rate
        warnings.append(f"truncated: {found:.2f} s of the {header:.2f} s that its header promises")


def _whole(name: str, blocks: Iterable[Wave], warnings: Sequence[str], rate: float) -> Recording:
    """A recording in memory, and what is odd about it."""
    parts = list(blocks)
    wave = np.concatenate(parts)
    parts.clear()  # of ten hours a second copy is 2.3 GB
    if not len(wave):
        raise AudioError(f"{name}: has no samples")
    return recorded(name, wave, rate, warnings)


def recorded(
    name: str, wave: Wave, rate: float = SAMPLE_RATE, warnings: Sequence[str] = ()
) -> Recording:
    """A wave at 16 kHz as a recording, with what is odd about it."""
    return Recording(name, wave, (*_oddities(wave), *warnings), rate)


def _oddities(wave: Wave) -> Iterator[str]:
    (offset, rms), peak = _offset_and_rms(wave), float(max(wave.max(), -wave.min()))
    full = 0.999 * max(peak, 0.5)
    if rms < SILENCE:
        yield "silent: a constant offset and no sound" if abs(offset) > SILENCE else "silent"
    elif peak > 2:
        yield f"peaks at {peak:.0f}, far beyond ±1: integer samples stored as floats?"
    elif np.count_nonzero(wave >= full) + np.count_nonzero(wave <= -full) > 0.01 * len(wave):
        yield "clipped: more than 1 % of the samples are at full scale"
    if len(wave) < SEGMENT * SAMPLE_RATE:
        yield f"short: {len(wave) / SAMPLE_RATE:.2f} s, less than one segment of {SEGMENT:.2f} s"
