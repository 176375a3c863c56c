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
from av.stream import Disposition
from helpers import ROOT

RATE = 16_000
SPEECH = soundfile.read(ROOT / "demo/mixed.flac", dtype="float32")[0]
SECONDS = len(SPEECH) / RATE
DAMAGE = 3000  # bytes set to zero
LIST = b"LIST" + struct.pack("<I", 9000) + b"INFO" + bytes(8996)

Maker = Callable[[Path], Path]


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def by_libsndfile(
    kind: str, subtype: str | None = None, wave: np.ndarray = SPEECH, rate: int = RATE
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def packets(
    stream: av.AudioStream, wave: np.ndarray, rate: int, start: float = 0.0
) -> Iterator[av.Packet]:
    """Packets of a wave ``(samples,)`` or ``(samples, channels)``, the first at `start` seconds."""
    packed = np.ascontiguousarray(soxr.resample(wave, RATE, rate), np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", stream.layout.name)
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
    coding: dict[str, str] | None = None,
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
        coding: Options of the encoder.
        pause: From the first on, packets are later by the second; both in seconds.
        video: Add a video track that begins at 0.
    """
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[wave.reshape(len(wave), -1).shape[1]]
    with av.open(file, "w", format=kind, options=options or {}) as container:
        if video:
            picture = container.add_stream("mpeg4", rate=1)
            picture.width = picture.height = 16
        stream = container.add_stream(codec, rate=rate, layout=layout, options=coding or {})
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


def with_little_stated(kind: str) -> bytes:
    """A file whose header states 1000 bytes of audio, as its recorder wrote it at the beginning."""
    data = by_libsndfile(kind, "PCM_16")
    order = "<" if kind == "WAV" or data[:4] == b"dns." else ">"
    at = 8 if kind == "AU" else data.index({"WAV": b"data", "AIFF": b"SSND"}[kind]) + 4
    return data[:at] + struct.pack(order + "I", 1000) + data[at + 4 :]


def wav_of_a_recorder_killed_later(folder: Path) -> Path:
    return written(folder, "later.wav", with_little_stated("WAV") + LIST)


def aiff_of_a_recorder_killed_later(folder: Path) -> Path:
    return written(folder, "later.aiff", with_little_stated("AIFF"))


def au_of_a_recorder_killed_later(folder: Path) -> Path:
    return written(folder, "later.au", with_little_stated("AU"))


def joined_wav(folder: Path) -> Path:
    return written(folder, "joined.wav", by_libsndfile("WAV") + LIST + by_libsndfile("WAV"))


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


def two_tracks(kind: str) -> bytes:
    """SPEECH is the second track, the default; the first is SPEECH backwards, with a wild title."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        streams = [container.add_stream("aac", rate=48_000, layout="mono") for _ in range(2)]
        for stream, language, title in zip(
            streams, ("deu", "eng"), ("\x1b[31mred" + 99 * "x", "speech"), strict=True
        ):
            stream.metadata.update(language=language, title=title)
        streams[0].disposition = Disposition(0)
        streams[1].disposition = Disposition.default
        waves = zip(streams, (SPEECH[::-1], SPEECH), strict=True)
        coded = [p for stream, wave in waves for p in packets(stream, wave, 48_000)]
        for packet in sorted(coded, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return file.getvalue()


def mkv_with_two_tracks(folder: Path) -> Path:
    return written(folder, "tracks.mkv", two_tracks("matroska"))


def mp4_with_two_tracks(folder: Path) -> Path:
    return written(folder, "tracks.mp4", two_tracks("mp4"))


def video_without_audio(folder: Path) -> Path:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=1)
        picture.width = picture.height = 16
        blank = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        container.mux(picture.encode(blank))
        container.mux(picture.encode(None))
    return written(folder, "silent.mp4", file.getvalue())


def mp4_of_a_killed_recorder(folder: Path) -> Path:
    """Its index (moov) was never written."""
    return written(folder, "killed.mp4", cut(by_pyav("mp4", "aac")))


def fragmented_mp4_of_a_killed_recorder(folder: Path) -> Path:
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"}
    return written(folder, "fragments.mp4", cut(by_pyav("mp4", "aac", options=flags)))


def wav_with_data_after_audio(folder: Path) -> Path:
    """An odd number of bytes of audio, its padding, then a LIST chunk."""
    data = by_libsndfile("WAV", "PCM_U8", SPEECH[: len(SPEECH) // 2 * 2 - 1])
    chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
    return written(folder, "list.wav", data + bytes(len(data) % 2) + chunk)


def wav_truncated(folder: Path) -> Path:
    return written(folder, "cut.wav", cut(by_libsndfile("WAV")))


def mp3_truncated(folder: Path) -> Path:
    return written(folder, "cut.mp3", cut(by_libsndfile("MP3")))


def flac_truncated(folder: Path) -> Path:
    return written(folder, "cut.flac", cut(by_libsndfile("FLAC")))


def ogg_truncated(folder: Path) -> Path:
    return written(folder, "cut.ogg", cut(by_libsndfile("OGG", "VORBIS")))


def mkv_truncated(folder: Path) -> Path:
    return written(folder, "cut.mkv", cut(by_pyav("matroska", "aac", video=True)))


def ogg_without_some_pages(folder: Path) -> Path:
    pages = by_libsndfile("OGG", "VORBIS").split(b"OggS")
    return written(folder, "pages.ogg", b"OggS".join([*pages[:5], *pages[6:]]))


def adts(folder: Path) -> Path:
    """FFmpeg guesses its duration from the bit rate, and wrongly: it begins with silence."""
    wave = np.concatenate([np.zeros(10 * RATE, np.float32), SPEECH])
    return written(folder, "stream.aac", by_pyav("adts", "aac", RATE, wave))


def adts_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.aac", zeroed(by_pyav("adts", "aac", RATE)))


def mp3_without_xing_header(folder: Path) -> Path:
    """As `adts`."""
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)
    wave = np.concatenate([np.zeros(6 * RATE, np.float32), SPEECH, noise])
    variable = {"flags": "+qscale", "global_quality": "472"}
    data = by_pyav("mp3", "libmp3lame", RATE, wave, options={"write_xing": "0"}, coding=variable)
    return written(folder, "vbr.mp3", data)


def joined_mp3_of_two_rates(folder: Path) -> Path:
    """Its first part has a low bit rate, from which FFmpeg guesses a far longer duration."""
    quiet = by_libsndfile("MP3", wave=np.zeros(6 * RATE, np.float32))
    return written(folder, "rates.mp3", quiet + by_libsndfile("MP3"))


def mp3_with_tags(folder: Path) -> Path:
    ape = b"APETAGEX" + struct.pack("<4I", 2000, 72, 1, 1 << 31) + bytes(8 + 72)
    tag = b"ID3\3\0\0\0\0\7\x68" + bytes(1000)
    return written(folder, "tags.mp3", tag + by_libsndfile("MP3") + ape + b"TAG" + bytes(125))


def mp3_joined_with_tags(folder: Path) -> Path:
    mp3 = mp3_with_tags(folder).read_bytes()
    return written(folder, "joined-tags.mp3", 2 * mp3)


def flac_with_a_tag(folder: Path) -> Path:
    return written(folder, "tag.flac", by_libsndfile("FLAC") + b"TAG" + bytes(125))


def mkv_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.mkv", zeroed(by_pyav("matroska", "aac")))


def mpegts(folder: Path) -> Path:
    return written(folder, "stream.ts", by_pyav("mpegts", "aac"))


def mpegts_joined(folder: Path) -> Path:
    """Its time stamps begin anew."""
    return written(folder, "joined.ts", 2 * by_pyav("mpegts", "aac"))


def mpegts_with_zeros(folder: Path) -> Path:
    return written(folder, "zeros.ts", zeroed(by_pyav("mpegts", "aac")))


def mkv_from_the_year_3000(folder: Path) -> Path:
    """Half of its time stamps are absurd."""
    data = by_pyav("matroska", "aac", pause=(4.0, 3e10))
    return written(folder, "3000.mkv", data)


def webm_without_length(folder: Path) -> Path:
    data = by_pyav("webm", "libopus", options={"live": "1"})
    return written(folder, "live.webm", data)


def wave_of_channels(folder: Path) -> Path:
    wave = np.zeros((len(SPEECH), 8), np.float32)
    wave[:, 5] = SPEECH
    return written(folder, "eight.wav", by_libsndfile("WAV", "PCM_24", wave))


def plain(name: str, kind: str, subtype: str | None) -> Maker:
    """Maker of an undamaged file in a format of libsndfile."""

    def maker(folder: Path) -> Path:
        rate = 8000 if subtype == "GSM610" else RATE
        wave = soxr.resample(SPEECH, RATE, rate)
        return written(folder, name, by_libsndfile(kind, subtype, wave, rate))

    maker.__name__ = f"plain_{name}"
    return maker


def plain_by_pyav(name: str, kind: str, codec: str, rate: int) -> Maker:
    """Maker of an undamaged file in a format of FFmpeg."""

    def maker(folder: Path) -> Path:
        coding = {"b": "24000"} if codec == "wmav2" else {}
        return written(folder, name, by_pyav(kind, codec, rate, coding=coding))

    maker.__name__ = f"plain_{name}"
    return maker


PLAIN = [
    plain("pcm.wav", "WAV", "PCM_16"), plain("pcm8.wav", "WAV", "PCM_U8"),
    plain("pcm24.wav", "WAV", "PCM_24"), plain("pcm32.wav", "WAV", "PCM_32"),
    plain("float.wav", "WAV", "FLOAT"), plain("double.wav", "WAV", "DOUBLE"),
    plain("alaw.wav", "WAV", "ALAW"), plain("ulaw.wav", "WAV", "ULAW"),
    plain("gsm.wav", "WAV", "GSM610"), plain("ima.wav", "WAV", "IMA_ADPCM"),
    plain("ms.wav", "WAV", "MS_ADPCM"), plain("extensible.wav", "WAVEX", "PCM_16"),
    plain("big.wav", "RF64", "PCM_16"), plain("sony.w64", "W64", "PCM_16"),
    plain("apple.caf", "CAF", "PCM_16"), plain("lossless.caf", "CAF", "ALAC_16"),
    plain("sun.au", "AU", "PCM_16"), plain("sun-ulaw.au", "AU", "ULAW"),
    plain("apple.aiff", "AIFF", "PCM_16"), plain("apple.aifc", "AIFF", "ULAW"),
    plain("coded.flac", "FLAC", None), plain("coded.mp3", "MP3", None),
    plain("coded.ogg", "OGG", "VORBIS"), plain("coded.opus", "OGG", "OPUS"),
    plain_by_pyav("phone.amr", "amr", "libopencore_amrnb", 8000),
    plain_by_pyav("phone.3gp", "3gp", "aac", RATE), plain_by_pyav("old.wma", "asf", "wmav2", RATE),
    plain_by_pyav("lossless.m4a", "ipod", "alac", RATE),
    plain_by_pyav("lossless.wv", "wv", "wavpack", RATE),
    plain_by_pyav("camera.avi", "avi", "libmp3lame", RATE),
    plain_by_pyav("camera.mov", "mov", "pcm_s16le", RATE),
    plain_by_pyav("lossless.oga", "ogg", "flac", RATE),
    plain_by_pyav("film.flv", "flv", "aac", 44_100),
    plain_by_pyav("dvd.mpg", "mpeg", "mp2", 48_000),
]  # fmt: skip
