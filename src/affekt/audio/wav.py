"""WAV, AIFF and AU files whose header is wrong about their audio: of killed recorders, or joined.

A recorder that is killed leaves the size of the audio that it wrote last, or 0.
"""

import io
import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple, cast

LARGEST = 0xFFFFFFFE  # bytes of a chunk
UNKNOWN_SIZE = 0x7F000000  # bytes; piped WAV and AIFF state this or more (sox: 0x7FFFF000)
LEAST = 4096  # bytes after the stated audio; fewer may be padding
NEAR = 1 << 16  # bytes at the end of a file in which the chunks after the audio begin
MOST = 100  # places in them that are examined
FORMS = {b"RIFF": (b"WAVE", "<", b"data"), b"RIFX": (b"WAVE", ">", b"data"),
         b"FORM": (b"AIF[FC]", ">", b"SSND")}  # fmt: skip
AU = {b".snd": ">", b"dns.": "<"}
# Chunks and tags that come after audio, and beginnings of joined files.
KNOWN = re.compile(
    rb"RIFF|RIFX|FORM|\.snd|LIST|list|id3 |ID3|TAG|APETAGEX|LYRICSBEGIN|bext|fact|cue |plst|smpl|"
    rb"inst|acid|iXML|axml|chna|umid|_PMX|DISP|JUNK|junk|FLLR|PAD |PEAK|afsp|cart|levl|note|labl|"
    rb"COMM|MARK|INST|COMT|NAME|AUTH|ANNO|\(c\) |APPL|CHAN|MIDI|AESD|SAUR|FVER"
)


class Correction(NamedTuple):
    """The right size of the audio of a file.

    Attributes:
        position: Where the header states it.
        data: The bytes that state it.
        stated: Share of the audio that the header states.
    """

    position: int
    data: bytes
    stated: float


class _Audio(NamedTuple):
    """Where the audio of a file is.

    Attributes:
        field: Position of its size in the header.
        order: Byte order of integers, as in `struct`.
        begin: Position of its first byte.
        size: Number of bytes that the header states.
    """

    field: int
    order: str
    begin: int
    size: int


def correction(file: BinaryIO) -> Correction | None:
    """The right size of the audio if more follows than the header states; else None."""
    audio, end = _audio(file), file.seek(0, io.SEEK_END)
    if not audio:
        return None
    rest = audio.begin + audio.size
    if end - rest < (LEAST if audio.size else 1):
        return None
    places = (rest, rest + audio.size % 2)
    if any(_is_known(file, place) or _chunks(file, place, audio.order) for place in places):
        return None
    if audio.size and _is_zero(file, rest):
        return None
    size = min(_begin_of_chunks(file, rest, audio.order) - audio.begin, LARGEST)
    return Correction(audio.field, struct.pack(audio.order + "I", size), audio.size / size)


def parts(file: BinaryIO) -> Iterator[BinaryIO]:
    """The files that were joined to this one, each alone; the file itself if none were."""
    begin, end = 0, file.seek(0, io.SEEK_END)
    while begin < end:
        size = _next(cast(BinaryIO, _Part(file, begin, end))) or end - begin
        yield file if size == end else cast(BinaryIO, _Part(file, begin, begin + size))
        begin += size


def _next(file: BinaryIO) -> int:
    """Position at which another file of the same format begins, after audio and chunks; or 0."""
    if not (audio := _audio(file)):
        return 0
    file.seek(0)
    mark = file.read(4)
    position = audio.begin + audio.size + audio.size % 2
    while file.seek(position) and re.match(rb"[ -~]{4}", chunk := file.read(8)):
        if chunk.startswith(mark):
            return position
        if len(chunk) < 8:
            break
        size = struct.unpack(audio.order + "I", chunk[4:])[0]
        position += 8 + size + size % 2
    return 0


def _audio(file: BinaryIO) -> _Audio | None:
    """Where the audio is; None of other formats."""
    file.seek(0)
    head = file.read(12)
    if head[:4] in AU and len(head) == 12:
        order = AU[head[:4]]
        return _Audio(8, order, *struct.unpack(order + "II", head[4:]))
    if head[:4] not in FORMS:
        return None
    form, order, wanted = FORMS[head[:4]]
    if not re.fullmatch(form, head[8:]):
        return None
    position = 12
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack(order + "4sI", chunk)
        if name == wanted:
            return _Audio(position + 4, order, position + 8, size)
        position += 8 + size + size % 2
        file.seek(position)
    return None


def _is_known(file: BinaryIO, position: int) -> bool:
    """Whether a chunk or tag that is no audio begins at a position."""
    file.seek(position)
    return KNOWN.match(file.read(12)) is not None


def _chunks(file: BinaryIO, position: int, order: str) -> bool:
    """Whether chunks fill a file from a position to its end."""
    end = file.seek(0, io.SEEK_END)
    while position < end:
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8 or not re.match(rb"[ -~]{4}", chunk):
            return False
        size = struct.unpack(order + "I", chunk[4:])[0]
        position += 8 + size + size % 2
    return position <= end + 1


def _begin_of_chunks(file: BinaryIO, begin: int, order: str) -> int:
    """Position of the chunks at the end of a file; its end if there are none."""
    end = file.seek(0, io.SEEK_END)
    near = max(begin, end - NEAR)
    file.seek(near)
    places = (near + found.start() for found in islice(KNOWN.finditer(file.read()), MOST))
    return next((place for place in places if _chunks(file, place, order)), end)


def _is_zero(file: BinaryIO, position: int) -> bool:
    """Whether all bytes from a position on are 0."""
    file.seek(position)
    while part := file.read(NEAR):
        if part.strip(b"\0"):
            return False
    return True


class Patched:
    """An open file in which some bytes are replaced, for libsndfile.

    Args:
        file: The file.
        position: Where the bytes are replaced.
        data: What stands there instead.
    """

    def __init__(self, file: BinaryIO, position: int, data: bytes) -> None:
        self._file, self._position, self._data = file, position, data
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Read as a file does."""
        begin = self.tell()
        data = bytearray(self._file.read(size))
        for at, byte in enumerate(self._data, self._position - begin):
            if 0 <= at < len(data):
                data[at] = byte
        return bytes(data)


class _Part(io.RawIOBase):
    """A part of an open file, as a file of its own.

    Args:
        file: The file.
        begin: Where the part begins.
        end: Where it ends.
    """

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        self._file, self._begin, self._end = file, begin, end

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase`."""
        base = {io.SEEK_SET: self._begin, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._end}
        return self._file.seek(base[whence] + offset) - self._begin

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._file.tell() - self._begin

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """See `io.RawIOBase`."""
        data = self._file.read(max(0, min(len(buffer), self._end - self._file.tell())))
        buffer[: len(data)] = data
        return len(data)
