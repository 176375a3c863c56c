"""Makers of recordings as they come from real life: joined, damaged, truncated, late, odd formats.

Each maker writes one file into a folder and returns its path. The speech in them is `SPEECH`, twice
in those that are joined, so that a test knows where each word must be. ffmpeg is not needed.
"""

import io
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from helpers import ROOT

RATE = 16_000
SPEECH = soundfile.read(ROOT / "demo/mixed.flac", dtype="float32")[0]
SECONDS = len(SPEECH) / RATE
DAMAGE = 3000  # bytes set to zero

Maker = Callable[[Path], Path]


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def by_libsndfile(
    kind: str, subtype: str | None = None, wave: np.ndarray = SPEECH, rate: int = RATE
) -> bytes:
    file = io.BytesIO()
    if kind == "RAW":
        kind = "WAV"
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def packets(
    stream: av.AudioStream, wave: np.ndarray, rate: int, start: float = 0.0
) -> Iterator[av.Packet]:
    """Packets of a wave ``(samples,)`` or ``(samples, channels)``, the first at `start` seconds."""
    wave = soxr.resample(wave, RATE, rate).reshape(len(wave) * rate // RATE, -1)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(wave.reshape(1, -1), np.float32), "flt", stream.layout.name
    )
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(start * rate)
    size = stream.frame_size or 1024
    resampler = av.AudioResampler(stream.format, stream.layout, rate, size)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        yield from stream.encode(part)
    yield from stream.encode(None)


def by_pyav(
    kind: str,
    codec: str,
    rate: int = 48_000,
    wave: np.ndarray = SPEECH,
    start: float = 0.0,
    keep: Callable[[float], bool] = lambda seconds: True,
    options: dict[str, str] | None = None,
    bit_rate: int = 0,
    pause: tuple[float, float] = (0.0, 0.0),
    video: bool = False,
) -> bytes:
    """Encode a wave in a container of FFmpeg.

    Args:
        kind: Name of the container.
        codec: Name of the encoder.
        rate: Sampling rate in Hz.
        wave: ``(samples,)`` or ``(samples, channels)``, 16 kHz.
        start: Time stamp of the first packet in seconds.
        keep: Whether to write the packet at these seconds.
        options: Options of the container.
        bit_rate: Bits a second.
        pause: From the first on, packets are later by the second; both in seconds.
        video: Add a video track that begins at 0.
    """
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[wave.reshape(len(wave), -1).shape[1]]
    with av.open(file, "w", format=kind, options=options or {}) as container:
        if video:
            picture = container.add_stream("mpeg4", rate=1)
            picture.width = picture.height = 16
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        if video:
            blank = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
            frames = int(start + len(wave) / RATE) + 1
            container.mux([p for _ in range(frames) for p in picture.encode(blank)])
            container.mux(picture.encode(None))
        for packet in packets(stream, wave, rate, start):
            seconds = float((packet.pts or 0) * packet.time_base)
            if keep(seconds):
                if seconds >= pause[0] > 0:
                    packet.pts += round(pause[1] / packet.time_base)
                    packet.dts = packet.pts
                container.mux(packet)
    return file.getvalue()


def zeroed(data: bytes, at: float = 0.5, size: int = DAMAGE) -> bytes:
    """Data with bytes set to zero, from a share of its length on."""
    begin = int(len(data) * at)
    return data[:begin] + bytes(size) + data[begin + size :]


def cut(data: bytes, at: float = 0.5) -> bytes:
    return data[: int(len(data) * at)]


def without_length(data: bytes) -> bytes:
    """A FLAC file as piped encoders write it: the total number of samples is 0."""
    flac = bytearray(data)
    flac[21] &= 0xF0  # STREAMINFO: 36 bits of total samples
    flac[22:26] = bytes(4)
    return bytes(flac)


def with_data_size(data: bytes, size: int) -> bytes:
    """A WAV file whose header states another size of the audio."""
    at = data.index(b"data") + 4
    stated = struct.pack("<I", size)
    return data[:4] + stated + data[8:at] + stated + data[at + 4 :]


def joined_mp3_with_xing_header(folder: Path) -> Path:
    return written(folder, "joined.mp3", 2 * by_libsndfile("MP3"))


def chained_vorbis(folder: Path) -> Path:
    return written(folder, "chained.ogg", 2 * by_libsndfile("OGG", "VORBIS"))


def chained_opus(folder: Path) -> Path:
    return written(folder, "chained.opus", 2 * by_libsndfile("OGG", "OPUS"))


def joined_flac(folder: Path) -> Path:
    return written(folder, "joined.flac", 2 * by_libsndfile("FLAC"))


def flac_without_length(folder: Path) -> Path:
    return written(folder, "piped.flac", without_length(by_libsndfile("FLAC")))


def wav_of_a_killed_recorder(folder: Path) -> Path:
    return written(folder, "killed.wav", with_data_size(by_libsndfile("WAV"), 0))


def wav_of_a_pipe(folder: Path) -> Path:
    return written(folder, "piped.wav", with_data_size(by_libsndfile("WAV"), 0xFFFFFFFF))


def mp3_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.mp3", zeroed(by_libsndfile("MP3")))


def flac_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.flac", zeroed(by_libsndfile("FLAC")))


def vorbis_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.ogg", zeroed(by_libsndfile("OGG", "VORBIS")))


def opus_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.opus", zeroed(by_libsndfile("OGG", "OPUS")))


def m4a_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.m4a", zeroed(by_pyav("ipod", "aac", RATE)))


def mp4_that_starts_late(folder: Path) -> Path:
    return written(folder, "late.mp4", by_pyav("mp4", "aac", start=5, video=True))


def mkv_that_starts_late(folder: Path) -> Path:
    return written(folder, "late.mkv", by_pyav("matroska", "aac", start=5))


def webm_with_a_hole(folder: Path) -> Path:
    return written(folder, "hole.webm", by_pyav("webm", "libopus", pause=(4.0, 10.0)))


def antiphase_wav(folder: Path) -> Path:
    return written(
        folder, "antiphase.wav", by_libsndfile("WAV", wave=np.stack([SPEECH, -SPEECH], 1))
    )
