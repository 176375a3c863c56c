"""What libsndfile would lose of an Ogg file without an error: joined parts and damaged pages."""

import struct
import zlib
from typing import BinaryIO

HEADER = struct.Struct("<4sBBqIIIB")
FIRST_PAGE = 2  # of a logical stream
JOINED = "only the first of several joined parts is decoded"
DAMAGED = "damaged pages are left out, and later times are early"
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def fault(file: BinaryIO) -> str:
    """`JOINED`, `DAMAGED`, or "" of any other file, also one that is not Ogg."""
    file.seek(0)
    pages: dict[int, int] = {}  # serial number of a logical stream: number of its next page
    data = False  # whether pages other than the first ones were read
    while len(head := file.read(HEADER.size)) == HEADER.size:
        mark, _, kind, _, serial, number, checksum, segments = HEADER.unpack(head)
        if mark != b"OggS":
            return DAMAGED if pages else ""
        lacing = file.read(segments)
        body = file.read(sum(lacing))
        if len(lacing) < segments or len(body) < sum(lacing):
            return ""  # truncated
        first = bool(kind & FIRST_PAGE)
        if first and data:
            return JOINED
        if checksum != _checksum(head, lacing + body) or number != pages.get(serial, number):
            return DAMAGED
        data = data or not first
        pages[serial] = number + 1
    return ""


def _checksum(head: bytes, rest: bytes) -> int:
    """Ogg's CRC: zlib's, but with reversed bits and from 0 on."""
    page = (head[:22] + bytes(4) + head[26:] + rest).translate(REVERSED)
    value = zlib.crc32(page, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(value.to_bytes(4, "little").translate(REVERSED), "big")
