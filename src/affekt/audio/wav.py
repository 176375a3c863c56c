"""WAV files whose recorder was killed before it wrote the size of the audio."""

import io
import struct
from typing import BinaryIO

CHUNK = struct.Struct("<4sI")
LARGEST = 0xFFFFFFFE  # bytes of a chunk
UNKNOWN_SIZE = 0x7F000000  # bytes; piped WAV and AIFF state this or more (sox: 0x7FFFF000)


def missing_size(file: BinaryIO) -> tuple[int, bytes] | None:
    """Position of a data chunk's size that is 0 although audio follows, and the right bytes.

    None of any other file.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    position = 12
    while len(chunk := file.read(CHUNK.size)) == CHUNK.size:
        name, size = CHUNK.unpack(chunk)
        position += CHUNK.size
        if name == b"data":
            if size or position == end or _chunks(file, position, end):
                return None
            return position - 4, struct.pack("<I", min(end - position, LARGEST))
        position += size + size % 2
        file.seek(position)
    return None


def _chunks(file: BinaryIO, position: int, end: int) -> bool:
    """Whether chunks fill a file from a position to its end."""
    while position < end:
        file.seek(position)
        chunk = file.read(CHUNK.size)
        if len(chunk) < CHUNK.size or not chunk[:4].isascii():
            return False
        size = CHUNK.unpack(chunk)[1]
        if not size:
            return False
        position += CHUNK.size + size + size % 2
    return position <= end + 1


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
