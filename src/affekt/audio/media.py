"""Decoding with PyAV: what libsndfile does not read, or would not read to its end.

Packets are decoded one by one, so that an undecodable one costs its own time only. Blocks follow
the time stamps of the container: where it has no audio, there is silence.
"""

import io
import re
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import BinaryIO, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..plural import counted
from ..types import Notice
from . import mp3
from .container import choose_track, open_container
from .resampling import Block

JITTER = 0.1  # s between time stamps and samples that mean nothing
LONGEST_GAP = 600.0  # s of a gap that the duration in the header does not confirm
SLOWEST = 50  # bytes of the file for a second of audio
CONFIRMED = 0.5  # s of audio that must follow a jump of the time stamps; else a stamp was damaged
RETRIES = 1000  # errors of the container in a row
# IndexError: of a packet whose track appeared only after the file was opened.
ERRORS = (av.FFmpegError, ValueError, IndexError)
SIZE = 1 << 14  # samples of a block
# Containers with time stamps of their own. FFmpeg computes those of others from the packets.
TIMED = {"mov", "matroska", "mpegts", "mpeg", "flv", "asf", "ogg", "nut", "rm", "flac"}
FROM_ZERO = {"mov", "matroska"}  # whose time begins at 0, not at the first packet
# Containers whose header states a duration. FFmpeg guesses that of others from the bit rate.
STATED = {"mov", "matroska", "flv", "asf", "avi", "flac", "wav", "w64", "aiff", "caf", "wv", "tta"}
# Formats of packets and nothing else, of which FFmpeg leaves out bytes without a word.
BARE = {"aac", "mp3", "ac3", "eac3", "amr", "dts"}
NEAR = 1 << 20  # bytes after a damaged packet in which the next one is searched
TAG = re.compile(rb"ID3[\2-\4]|APETAGEX|LYRICSBEGIN|TAG.{125}$", re.DOTALL)


class _Frame(NamedTuple):
    """A decoded frame.

    Attributes:
        rate: Sampling rate in Hz.
        samples: ``(samples, channels)``.
        time: Its time stamp in seconds, if it has one.
        lost: Seconds of undecodable data before it; only without time stamps.
        damaged: Whether undecodable data come before it.
    """

    rate: int
    samples: NDArray[np.float32]
    time: float | None
    lost: float
    damaged: bool

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.samples) / self.rate


class Media:
    """The audio track of an open file; iterating gives its blocks.

    Args:
        name: Name of the recording in errors.
        file: An open file.
        track: The audio track, from 1 on; by default that which the container marks as default,
            else the first.
        damaged: Whether the file is known to be damaged.

    Attributes:
        rate: Sampling rate in Hz.
        channels: Number of channels.
        promised: Duration in seconds that the header states, or 0.
        warnings: Other tracks, gaps and damage; complete after the last block.

    Raises:
        AudioError: Not audio, or no such track, or there is no decoder for it.
    """

    def __init__(
        self, name: str, file: BinaryIO, track: int | None = None, damaged: bool = False
    ) -> None:
        guessed = mp3.without_length(file)
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._container = open_container(name, file)
        try:
            self._stream, self.warnings = choose_track(name, self._container, track)
        except AudioError:
            self._container.close()
            raise
        formats = set(self._container.format.name.split(","))
        self._timed, self._bare = bool(formats & TIMED), bool(formats & BARE)
        self._file = file
        self.rate: float = self._stream.rate or 0
        self.channels: int = self._stream.codec_context.channels
        stated = formats & STATED or ("mp3" in formats and not guessed)
        self.promised = self._stated() if stated else 0.0
        if self.promised * SLOWEST > size:  # absurd
            self.promised = 0.0
        start = (self._container.start_time or 0) / av.time_base
        self._origin = min(start, 0.0) if formats & FROM_ZERO and start < LONGEST_GAP else start
        self._damaged = damaged
        self._to_float = av.AudioResampler(format="flt")

    def __enter__(self) -> "Media":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Block]:
        """Blocks, with silence where the container has no audio."""
        return joined(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        places, first, silent, position = 0, 0.0, 0.0, 0.0
        for gap, frame in self._placed():
            if frame.damaged or (gap and position):
                first = first if places else position
                places, silent = places + 1, silent + gap
            yield from _silence(gap, frame.rate)
            yield Block(frame.rate, frame.samples)
            position += gap + frame.seconds
        if places and self._damaged:
            text = (
                f"damaged: {counted(places, 'part')} cannot be decoded, {silent:.2f} s in all, the "
                f"first at {first:.2f} s; silence stands there"
            )
            self.warnings.append(Notice("damaged", text))
        elif places:
            text = (
                f"gaps: no audio for {silent:.2f} s in all, in {counted(places, 'place')}, the "
                f"first at {first:.2f} s; silence stands there"
            )
            self.warnings.append(Notice("gaps", text))

    def _stated(self) -> float:
        """Duration of the track in seconds that the header states, or 0."""
        stream, seconds = self._stream, (self._container.duration or 0) / av.time_base
        tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
        if tag:
            return float(tag[1]) * 3600 + float(tag[2]) * 60 + float(tag[3])
        if stream.duration and stream.time_base:
            # Matroska states none of a track; then FFmpeg guesses it from the bit rate.
            matroska = "matroska" in self._container.format.name
            return 0.0 if matroska else float(stream.duration * stream.time_base)
        return seconds if len(self._container.streams) == 1 else 0.0

    def _placed(self) -> Iterator[tuple[float, _Frame]]:
        """Frames, each with the seconds of silence before it."""
        clock = gap = before = 0.0  # time stamp of the next frame; of the frame after the gap
        held: list[_Frame] = []  # frames after a gap that is not confirmed yet
        for frame in self._frames():
            time = clock if frame.time is None else frame.time
            if held and abs(time - clock) > JITTER:  # the stamp of the gap was damaged
                yield from ((0.0, one) for one in held)
                clock, held = clock - gap, []
            jump = time - clock
            if jump > JITTER and not held and self._credible(jump, time):
                gap, before, clock, held = jump, clock, time + frame.seconds, [frame]
                continue
            # Other jumps are of the clock: joined parts, or absurd.
            clock = frame.seconds + (time if abs(jump) > JITTER else clock)
            if not held:
                yield frame.lost, frame
                continue
            held.append(frame)
            if clock - before - gap > CONFIRMED:
                yield from zip((gap, *[0.0] * len(held)), held, strict=False)
                held = []
        yield from zip((gap, *[0.0] * len(held)), held, strict=False)

    def _credible(self, gap: float, end: float) -> bool:
        return gap <= LONGEST_GAP or end <= self.promised

    def _frames(self) -> Iterator[_Frame]:
        """Decoded frames, without those that cannot be decoded."""
        size = seconds = lost = 0.0  # bytes and seconds decoded; seconds lost before a frame
        end = 0  # position in the file of the end of a packet
        damaged = False
        for packet in self._packets():
            if packet is not None and self._bare:
                if damaged and size:
                    skipped = self._skipped(packet, end)
                    lost, end = lost + skipped * seconds / size, end + skipped
                end = (end or packet.pos or 0) + packet.size
            try:
                frames = [
                    (frame.time, frame.sample_rate, self._samples(frame))
                    for frame in self._stream.codec_context.decode(packet)
                ]
            except ERRORS:
                if packet is not None and not TAG.search(bytes(packet)):
                    damaged = self._damaged = True
                    if not self._timed and seconds:
                        lost += packet.size * seconds / size
                continue
            size += packet.size if packet is not None else 0
            for stamp, rate, samples in frames:
                if not len(samples):
                    continue
                if self._damaged:
                    samples = np.nan_to_num(samples, posinf=0, neginf=0)
                time = stamp - self._origin if self._timed and stamp is not None else None
                yield _Frame(rate, samples, time, min(lost, LONGEST_GAP), damaged)
                seconds += len(samples) / rate
                lost, damaged = 0.0, False

    def _skipped(self, packet: "av.Packet[av.AudioStream]", position: int) -> int:
        """Bytes between a position in the file and a packet."""
        current = self._file.tell()
        self._file.seek(position)
        skipped = self._file.read(NEAR).find(bytes(packet))
        self._file.seek(current)
        return max(skipped, 0)

    def _packets(self) -> Iterator["av.Packet[av.AudioStream] | None"]:
        """Packets of the track, and None at the end."""
        errors = 0
        while errors < RETRIES:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        errors = 0
                        yield packet
                break
            except ERRORS:
                errors += 1
                self._damaged = True
        yield None

    def _samples(self, frame: av.AudioFrame) -> NDArray[np.float32]:
        """Samples ``(samples, channels)`` of a frame."""
        planes = frame.planes
        if frame.format.name == "fltp" and len(planes) < 8:  # PyAV reads beyond more planes
            each = [np.frombuffer(memoryview(p), np.float32, frame.samples) for p in planes]
            return np.stack(each, axis=1)
        # Only the sample format changes here: FFmpeg's own downmix weighs channels.
        try:
            parts = self._to_float.resample(frame)
        except ValueError:  # another rate or layout than before
            self._to_float = av.AudioResampler(format="flt")
            parts = self._to_float.resample(frame)
        packed = np.concatenate([part.to_ndarray() for part in parts], axis=1)
        return packed.reshape(-1, frame.layout.nb_channels).astype(np.float32, copy=False)


def joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same samples in fewer blocks, which are resampled faster."""
    parts: list[Block] = []
    size = 0
    for block in blocks:
        if parts and (size > SIZE or not _alike(block, parts[0])):
            yield Block(parts[0].rate, np.concatenate([part.samples for part in parts]))
            parts, size = [], 0
        parts.append(block)
        size += len(block.samples)
    if parts:
        yield Block(parts[0].rate, np.concatenate([part.samples for part in parts]))


def _alike(one: Block, other: Block) -> bool:
    return one.rate == other.rate and one.samples.shape[1] == other.samples.shape[1]


def _silence(seconds: float, rate: float) -> Iterator[Block]:
    """Blocks of silence."""
    left = round(seconds * rate)
    while left:
        size = min(left, SIZE)
        yield Block(rate, np.zeros((size, 1), np.float32))
        left -= size
