"""What the first bytes of a file say that it is: a recording, or what is mistaken for one."""

import re
from typing import BinaryIO

MAGIC = 600  # first bytes that identify a recording
ASCII = bytes(range(128))
HEAD = 1 << 16  # first bytes that identify anything else
MPEG = rb"\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd][\x10-\xef]."  # audio frame of layers II and III
# Beginnings of recordings; "." is any byte.
RECORDINGS = (
    rb"RIFF....(WAVE|AVI )", rb"RIFX....WAVE", rb"(RF64|BW64)....WAVE", rb"riff\x2e\x91\xcf\x11",
    rb"FORM....(AIFF|AIFC|8SVX)", rb"fLaC", rb"OggS", rb"ID3[\x02-\x04]", rb"wvpk", rb"caff\0\x01",
    rb"\.snd\0", rb"dns\.", rb"#!AMR", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # the last: ASF, WMA
    rb"\0...(ftyp|moov|wide|free|skip)", rb"....mdat", rb"\x1a\x45\xdf\xa3", rb"FLV\x01",
    rb"\.RMF\0", rb"\0\0\x01\xba", rb"\x0b\x77.{3}", rb"\x7f\xfe\x80\x01",
    rb"(\x47.{187}){3}",
    rb"NIST_1A\n", rb"Creative Voice File\x1a", rb"MAC \x96", rb"MAC .\x0f", rb"TTA1", rb"MPCK",
    rb"MP\+", rb"DSD ", rb"\x64\xa3[\x01-\x04]\0", rb"PVF1\n", rb"2BIT\0",
    rb"\xff[\xf0\xf1\xf8\xf9][\x00-\xbf].",  # AAC in ADTS
    MPEG,
)  # fmt: skip
RECORDING = re.compile(b"|".join(b"(?:%s)" % kind for kind in RECORDINGS), re.DOTALL)

AGAIN = "download or copy it again"
UNPACK = "unpack it and give the recordings in it"
OTHERS = (  # beginning, what it is, what to do
    (rb"version https://git-lfs", "a Git LFS pointer", "fetch the file itself: git lfs pull"),
    (rb"/annex/objects/", "a git-annex pointer", "fetch it: git annex get"),
    (rb"(\xef\xbb\xbf)?\s*(?i:<!doctype html|<html|<head)", "an HTML page, such as an error page",
     AGAIN),
    (rb"\s*<(\?xml|Error)", "an XML text, such as a server's error message", AGAIN),
    (rb"\s*[{\[]\s*[\"{\[\]}]", "a JSON text, such as a server's error message", AGAIN),
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive", UNPACK),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "a compressed file", UNPACK),
    (rb".{257}ustar", "a tar archive", UNPACK + ', or use "affekt batch"'),
    (rb"%PDF", "a PDF", "give the recording"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", "a picture", "give the recording"),
    (rb"\x93NUMPY", "a NumPy array", "load it and give the array with its sampling rate in Python"),
    (rb"PAR1|SQLite format 3|\x89HDF", "a table or database", "give the recordings themselves"),
    (rb"#EXTM3U|\[playlist\]", "a playlist", "give the files that it lists"),
    (rb"MThd", "MIDI notes without audio", "record or render them"),
    (rb"\0\x05\x16\x07", "macOS metadata of another file", 'give the file without "._"'),
    (rb"L\0\0\0\x01\x14\x02\0|\[InternetShortcut\]|bplist", "a link", "give the file it refers to"),
    (rb"UklGR|data:audio/|SUQz|T2dnU|ZkxhQ", "base64 text", "decode it, for instance by base64 -d"),
)  # fmt: skip
OTHER = [(re.compile(pattern, re.DOTALL), what, advice) for pattern, what, advice in OTHERS]


def is_recording(head: bytes) -> bool:
    """Whether a file whose first `MAGIC` bytes these are is a recording of a known format."""
    return RECORDING.match(head) is not None


def mistake(file: BinaryIO) -> str:
    """Why a file is not a recording, and what to do; "" if its beginning does not say so."""
    head = file.read(HEAD)
    if not head:
        return "the file is empty (0 bytes): the recording or its transfer failed; repeat it"
    for pattern, what, advice in OTHER:
        if pattern.match(head):
            return f"not a recording but {what}; {advice}"
    if _is_text(head):
        return "" if is_recording(head) else "not a recording but text; give the recording"
    if change := _text_mode(head):
        return f"damaged by a transfer as text, which {change}; transfer it in binary mode"
    while not head.strip(b"\0"):
        if not (head := file.read(HEAD)):
            return f"not a recording: all its bytes are zero; {AGAIN}"
    return ""


def _is_text(head: bytes) -> bool:
    """Whether these are characters that people write, in UTF-8 or UTF-16."""
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = _decoded(head, "utf-16" if utf16 else "utf-8-sig")
    return bool(text) and all(c.isprintable() or c.isspace() for c in text)


def _text_mode(head: bytes) -> str:
    """What a transfer as text has done to a recording; "" if none did."""
    if head.count("\ufffd".encode()) > 32:
        return "replaced bytes by U+FFFD"
    if _decoded(head, "utf-8") and len(head.translate(None, ASCII)) > 64:
        return "encoded its bytes as UTF-8"
    ends = head.count(b"\r\n")
    if ends <= 7 or head.count(b"\n") > ends:
        return ""
    # Lines of text in a chunk of its own may end so; they are preceded by a character.
    return "changed its line ends" if len(re.findall(rb"[^ -~\r\n]\r\n", head)) > 7 else ""


def _decoded(head: bytes, encoding: str) -> str:
    """Text of a beginning, whose last character may be incomplete; "" if it is no text."""
    try:
        return head.decode(encoding)
    except UnicodeDecodeError as error:
        return head[: error.start].decode(encoding) if error.start > len(head) - 4 else ""
