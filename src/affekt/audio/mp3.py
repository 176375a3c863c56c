"""The length of an MP3 file."""

from typing import BinaryIO

TAG = 10  # bytes of the header of an ID3v2 tag
NEAR = 4096  # bytes in which the first frame is
LENGTHS = (b"Xing", b"Info", b"VBRI")  # the first frame has one of them if it states the length


def without_length(file: BinaryIO) -> bool:
    """Whether an MP3 file does not state its length, so that decoders guess it."""
    file.seek(0)
    head = file.read(TAG)
    while head[:3] == b"ID3" and len(head) == TAG:
        digits = zip(head[6:], (21, 14, 7, 0), strict=True)
        size = sum((digit & 127) << shift for digit, shift in digits)
        file.seek(size, 1)
        head = file.read(TAG)
    near = head + file.read(NEAR)
    return not any(name in near for name in LENGTHS)
