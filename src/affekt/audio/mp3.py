"""Whether a file is MP3, and whether it states its length."""

import re
from typing import BinaryIO

from .kind import MPEG

TAG = 10  # bytes of the header of an ID3v2 tag
NEAR = 4096  # bytes in which the first frame is
LENGTHS = (b"Xing", b"Info", b"VBRI")  # the first frame has one of them if it states the length


def is_mp3(file: BinaryIO) -> bool:
    """Whether a file is MPEG audio, such as MP3."""
    return re.match(MPEG, _after_tags(file), re.DOTALL) is not None


def without_length(file: BinaryIO) -> bool:
    """Whether an MP3 file does not state its length, so that decoders guess it."""
    near = _after_tags(file)
    return not any(name in near for name in LENGTHS)


def _after_tags(file: BinaryIO) -> bytes:
    """The beginning of a file after its ID3v2 tags."""
    file.seek(0)
    head = file.read(TAG)
    while head[:3] == b"ID3" and len(head) == TAG:
        digits = zip(head[6:], (21, 14, 7, 0), strict=True)
        size = sum((digit & 127) << shift for digit, shift in digits)
        file.seek(size, 1)
        head = file.read(TAG)
    return head + file.read(NEAR)
