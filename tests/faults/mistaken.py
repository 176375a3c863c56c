"""Makers of what is mistaken for a recording, and of recordings with unusual names and suffixes.

Each writes into a folder and returns the path to give to affekt.
"""

import base64
import gzip
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import soundfile
import torch
from helpers import DEMO

Maker = Callable[[Path], Path]

WAVE, RATE = soundfile.read(DEMO[0], dtype="float32")
TRANSCRIPT = "Good morning, this is the service desk.\nHow can I help you?\n"


def recording(kind: str = "WAV", subtype: str | None = None) -> bytes:
    """The first demo clip in a format of libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, WAVE, RATE, format=kind, subtype=subtype)
    return file.getvalue()


def by_pyav(kind: str, codec: str, rate: int = RATE) -> bytes:
    """The first demo clip in a format of FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono", bit_rate=64_000)
        frame = av.AudioFrame.from_ndarray(WAVE[None], format="flt", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or 1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def _file(name: str, data: Callable[[], bytes]) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data())
        return path

    return make


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("call.wav", recording())
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(DEMO[0], "call.flac")
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, WAVE)
    return file.getvalue()


def named_not_in_utf8(folder: Path) -> Path:
    """A name in GB 18030, as a Chinese archive leaves it."""
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xb0\xa1.wav"))
    path.write_bytes(recording())
    return path


def fifo(folder: Path) -> Path:
    """A named pipe into which another thread writes a recording once."""
    path = folder / "fifo.wav"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=[recording()], daemon=True).start()
    return path


def dangling_link(folder: Path) -> Path:
    """A symbolic link to a file that does not exist."""
    path = folder / "dangling.wav"
    path.symlink_to("nowhere.wav")
    return path


def linked(folder: Path) -> Path:
    """A symbolic link to a recording."""
    path = folder / "linked.flac"
    path.symlink_to(DEMO[0])
    return path


def empty_folder(folder: Path) -> Path:
    """A folder with the name of a recording."""
    path = folder / "folder.wav"
    path.mkdir()
    return path


# What each is called in the error.
REFUSED: dict[str, tuple[Maker, str]] = {
    "empty": (_file("empty.wav", bytes), "the file is empty"),
    "zeros": (_file("zeros.wav", lambda: bytes(100_000)), "all its bytes are zero"),
    "git-lfs": (
        _file("lfs.wav", lambda: b"version https://git-lfs.github.com/spec/v1\n"
              b"oid sha256:" + b"ab" * 32 + b"\nsize 124826\n"),
        "a Git LFS pointer; fetch the file itself: git lfs pull",
    ),
    "git-annex": (
        _file("annex.wav", lambda: b"/annex/objects/SHA256E-s124826--" + b"ab" * 32 + b".wav\n"),
        "a git-annex pointer",
    ),
    "html": (
        _file("page.wav", lambda: b"\n<!DOCTYPE html>\n<html><head><title>404 Not Found</title>"),
        "an HTML page",
    ),
    "xml": (_file("s3.wav", lambda: b'<?xml version="1.0"?><Error>AccessDenied</Error>'), "an XML"),
    "json": (_file("api.mp3", lambda: json.dumps({"error": "expired"}).encode()), "a JSON text"),
    "zip": (_file("call.zip", _zip), "a zip archive; unpack it"),
    "zip-as-wav": (_file("zip.wav", _zip), "a zip archive; unpack it"),
    "gzip": (_file("call.wav.gz", lambda: gzip.compress(recording())), "a compressed file"),
    "tar": (_file("tar.wav", _tar), "a tar archive"),
    "pdf": (_file("scan.wav", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"), "a PDF"),
    "picture": (_file("p.wav", lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17)), "a picture"),
    "numpy": (_file("wave.npy", _npy), "a NumPy array"),
    "sqlite": (_file("a.db", lambda: b"SQLite format 3\0" + bytes(84)), "a table or database"),
    "playlist": (_file("list.m3u", lambda: b"#EXTM3U\n#EXTINF:3,\ncall.wav\n"), "a playlist"),
    "midi": (_file("notes.mid", lambda: b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\0"), "MIDI"),
    "apple-double": (
        _file("._call.wav", lambda: b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(200)),
        "macOS metadata",
    ),
    "shortcut": (_file("call.url", lambda: b"[InternetShortcut]\r\nURL=file:///a.wav\r\n"), "link"),
    "base64": (_file("b64.wav", lambda: base64.b64encode(recording())), "base64 text"),
    "transcript": (_file("call.txt", TRANSCRIPT.encode), "not a recording but text"),
    "transcript-utf16": (_file("16.wav", lambda: TRANSCRIPT.encode("utf-16")), "but text"),
    "line-ends-wav": (
        _file("ftp.wav", lambda: recording().replace(b"\n", b"\r\n")),
        "damaged by a transfer as text, which changed its line ends; transfer it in binary mode",
    ),
    "line-ends-flac": (
        _file("ftp.flac", lambda: recording("FLAC").replace(b"\n", b"\r\n")), "its line ends"
    ),
    "latin1-as-utf8": (
        _file("utf8.wav", lambda: recording().decode("latin-1").encode()),
        "encoded its bytes as UTF-8",
    ),
    "replacement-characters": (
        _file("fffd.mp3", lambda: recording("MP3").decode("utf-8", "replace").encode()),
        "replaced bytes by U+FFFD",
    ),
    "raw-pcm": (
        _file("call.pcm", lambda: (WAVE * 32767).astype("<i2").tobytes()), "not a recording"
    ),
    "dangling-link": (dangling_link, "cannot be opened"),
}  # fmt: skip

# Recordings that are read whatever they are called.
READ: dict[str, Maker] = {
    "no-suffix": _file("call", recording),
    "strange-suffix": _file("call.recording", lambda: recording("FLAC")),
    "flac-called-mp3": _file("other.mp3", lambda: recording("FLAC")),
    "mp3-partly-downloaded": _file("mp3.part", lambda: recording("MP3")),
    "upper-case": _file("LOUD.WAV", recording),
    "dash": _file("-v.wav", recording),
    "brackets": _file("call[1]*?.wav", recording),
    "line-break": _file("a\nb.wav", recording),
    "formula": _file("=1+1.wav", recording),
    "markup": _file("[red]<b>&.wav", recording),
    "emoji": _file("通话 😀.wav", recording),
    "colon": _file("call-10:30.wav", recording),
    "long-name": _file("x" * 251 + ".wav", recording),
    "not-utf8": named_not_in_utf8,
    "fifo": fifo,
    "symbolic-link": linked,
    "oga": _file("a.oga", lambda: recording("OGG", "VORBIS")),
    "opus": _file("a.opus", lambda: recording("OGG", "OPUS")),
    "aifc": _file("a.aifc", lambda: recording("AIFF", "ULAW")),
    "au": _file("a.au", lambda: recording("AU")),
    "snd": _file("a.snd", lambda: recording("AU", "ULAW")),
    "caf": _file("a.caf", lambda: recording("CAF")),
    "w64": _file("a.w64", lambda: recording("W64")),
    "rf64": _file("a.rf64", lambda: recording("RF64")),
    "nist": _file("a.sph", lambda: recording("NIST")),
    "voc": _file("a.voc", lambda: recording("VOC")),
    "gsm-in-wav": _file("gsm.wav", lambda: recording("WAV", "GSM610")),
    "adpcm": _file("adpcm.wav", lambda: recording("WAV", "IMA_ADPCM")),
    "aac": _file("a.aac", lambda: by_pyav("adts", "aac")),
    "3gp": _file("a.3gp", lambda: by_pyav("3gp", "aac")),
    "m4b": _file("a.m4b", lambda: by_pyav("ipod", "aac")),
    "mka": _file("a.mka", lambda: by_pyav("matroska", "aac")),
    "mp2": _file("a.mp2", lambda: by_pyav("mp2", "mp2")),
    "ac3": _file("a.ac3", lambda: by_pyav("ac3", "ac3", 48_000)),
    "wma": _file("a.wma", lambda: by_pyav("asf", "wmav2")),
    "wv": _file("a.wv", lambda: by_pyav("wv", "wavpack")),
    "ts": _file("a.mts", lambda: by_pyav("mpegts", "mp2")),
    "flv": _file("a.flv", lambda: by_pyav("flv", "aac")),
    "mov": _file("a.mov", lambda: by_pyav("mov", "pcm_s16le")),
}

INT16 = (WAVE * 32767).astype(np.int16)
TWO = np.stack([WAVE, WAVE], axis=1)  # the same in both channels
TENSOR = torch.from_numpy(WAVE)

# Samples that give the first demo clip: source, sampling rate.
SAMPLES_READ: dict[str, tuple[Any, int | None]] = {
    "int16": (INT16, RATE),
    "int32": (INT16.astype(np.int32) << 16, RATE),
    "float64": (WAVE.astype(np.float64), RATE),
    "float16": (WAVE.astype(np.float16), RATE),
    "big-endian": (WAVE.astype(">f4"), RATE),
    "not-contiguous": (np.repeat(WAVE, 2)[::2], RATE),
    "read-only": (np.frombuffer(WAVE.tobytes(), np.float32), RATE),
    "channels-last": (TWO, RATE),
    "series": (pd.Series(WAVE), RATE),
    "data-frame": (pd.DataFrame(TWO), RATE),
    "list": (WAVE.tolist(), RATE),
    "tuple-of-numbers": (tuple(WAVE.tolist()), RATE),
    "numpy-rate": (WAVE, np.int64(RATE)),
    "samples-and-rate": ((WAVE, RATE), None),
    "rate-and-samples": ((RATE, INT16), None),
    "tensor-and-rate": ((TENSOR[None], RATE), None),
    "tensor-with-gradient": (TENSOR.clone().requires_grad_(), RATE),
    "tensor-bfloat16": (TENSOR.bfloat16(), RATE),
    "tensor-float16": (TENSOR.half(), RATE),
    "tensor-float64": (TENSOR.double(), RATE),
    "tensor-channels-first": (torch.from_numpy(TWO.T.copy()), RATE),
    "bytes": (recording(), None),
    "bytearray": (bytearray(recording()), None),
    "memoryview": (memoryview(recording()), None),
}

# Samples that cannot be right: source, sampling rate, what the error says.
SAMPLES_REFUSED: dict[str, tuple[Any, Any, str]] = {
    "nothing": (None, None, "NoneType of object: give a path"),
    "number": (5, None, "int is no recording: give a path"),
    "no-rate": (WAVE, None, "sampling_rate=None: an array needs its sampling rate in Hz"),
    "swapped": (RATE, WAVE, "sampling_rate=ndarray"),
    "rate-given-twice": ((WAVE, RATE), RATE, "a tuple has its own sampling rate"),
    "int16-in-int32": (INT16.astype(np.int32), RATE, "int32 samples of at most 32768"),
    "int64": (INT16.astype(np.int64), RATE, "array of int64"),
    "list-of-integers": (INT16.tolist(), RATE, "array of int64"),
    "uint8": ((INT16 // 256 + 128).astype(np.uint8), RATE, "array of uint8"),
    "bool": (INT16 > 0, RATE, "array of bool"),
    "complex": (WAVE.astype(complex), RATE, "array of complex128"),
    "object": (WAVE.astype(object), RATE, "ndarray of object: give a path"),
    "text": (np.array(["a", "b"]), RATE, "ndarray of <U1: give a path"),
    "0-d": (np.array(0.5), RATE, r"shape \(\)"),
    "3-d": (TWO[None], RATE, "shape"),
    "channels-first": (TWO.T, RATE, "more channels than samples"),
    "channels-first-short": (TWO[:50].T, RATE, r"shape \(2, 50\): .* transposed"),
    "tensor-channels-last": (torch.from_numpy(TWO), RATE, "more channels than samples"),
    "empty": (np.zeros(0), RATE, "has no samples"),
    "empty-int32": (np.zeros(0, np.int32), RATE, "has no samples"),
    "nan": (np.where(np.arange(len(WAVE)) == 99, np.nan, WAVE), RATE, "s is nan, where"),
    "infinite": (np.full(RATE, np.inf), RATE, "s is inf, where"),
    "rate-0": (WAVE, 0, "sampled at 0"),
    "rate-nan": (WAVE, float("nan"), "sampled at nan"),
    "rate-kilohertz": (WAVE, 16, "sampled at 16"),
    "raw-bytes": (INT16.tobytes(), None, "not a recording"),
}
