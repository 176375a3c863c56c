"""Whether a file is MP3, whether it states its length, and where it ends."""

import re
from typing import BinaryIO

from .kind import MPEG

TAG = 10  # bytes of the header of an ID3v2 tag
APE = 32  # bytes of the header of an APE tag
ID3V1 = 128  # bytes of an ID3v1 tag
NEAR = 4096  # bytes in which the first frame is
XING = re.compile(rb"(?:Xing|Info)(.{4})(?:.{4})(.{4})", re.DOTALL)  # flags, frames, bytes


def is_mp3(file: BinaryIO) -> bool:
    """Whether a file is MPEG audio, such as MP3."""
    return re.match(MPEG, _after_tags(file), re.DOTALL) is not None


def without_length(file: BinaryIO) -> bool:
    """Whether an MP3 file does not state its length, so that decoders guess it.

    Of joined files the first frame states the length of the first part only.
    """
    near = _after_tags(file)
    begin = file.tell() - len(near)
    header = XING.search(near)
    if not header:
        return b"VBRI" not in near
    flags, size = (int.from_bytes(part, "big") for part in header.groups())
    return flags & 3 == 3 and file.seek(0, 2) - begin > size + size // 20


def audio_follows(file: BinaryIO) -> bool:
    """Whether anything but tags and padding follows the current position."""
    while head := file.read(APE):
        if head[:8] == b"APETAGEX":
            file.seek(int.from_bytes(head[12:16], "little"), 1)
        elif head[:3] == b"TAG":
            file.seek(ID3V1 - len(head), 1)
        elif head.strip(b"\0"):
            return True
    return False


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
