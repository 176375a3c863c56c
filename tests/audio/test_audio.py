import io

import av
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from affekt import AudioError
from affekt.audio import decoding, libsndfile
from affekt.audio.level import TARGET_RMS, rms_normalise
from affekt.audio.recording import from_array

RATE = 16_000


def tone(seconds=1.0, rate=RATE, level=0.2, channels=1):
    wave = level * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return np.stack([wave] * channels, axis=1).astype(np.float32)


def encoded(samples, rate=RATE, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"),
        ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None),
    ],
)  # fmt: skip
def test_every_format_gives_the_same_wave(kind, subtype):
    recording = decoding.read(encoded(tone(), RATE, kind, subtype))
    wave = recording.wave[1600:14400]
    assert recording.seconds == pytest.approx(1.0, abs=0.1)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(wave))
    assert np.argmax(spectrum) * RATE / len(wave) == pytest.approx(440, abs=3)


def encoded_by_av(kind, codec, channels, rate=48_000):
    """One second of the tone in a container that libsndfile does not know."""
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels]
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        samples = np.ascontiguousarray(tone(1.0, rate, channels=channels).reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, stream.layout, rate, stream.frame_size or 1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "aac"), ("matroska", "aac"), ("avi", "mp3")])
def test_video_containers_are_read_through_pyav(kind, codec):
    recording = decoding.read(encoded_by_av(kind, codec, channels=2))
    assert recording.seconds == pytest.approx(1.0, abs=0.1)
    assert np.sqrt(np.mean(recording.wave[3200:12800] ** 2)) == pytest.approx(0.1414, rel=0.05)


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "aac"), ("matroska", "libopus")])
def test_eight_channels_are_read_through_pyav(kind, codec, tmp_path):
    path = tmp_path / "call-10:30.mkv"  # no protocol, whatever FFmpeg makes of a colon
    path.write_bytes(encoded_by_av(kind, codec, channels=8))
    recording = decoding.read(path)
    assert recording.seconds == pytest.approx(1.0, abs=0.1)
    # 7/8 of it if the codec knows that one channel is for low frequencies only
    assert np.sqrt(np.mean(recording.wave[3200:12800] ** 2)) == pytest.approx(0.1414, rel=0.15)


def test_a_playlist_opens_nothing(tmp_path):
    (tmp_path / "a.mkv").write_bytes(encoded_by_av("matroska", "aac", channels=1))
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.mkv\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError, match="not a recording"):
        decoding.read(path)


def test_path_bytes_file_and_array_agree(tmp_path):
    data = encoded(tone(0.5), subtype="FLOAT")
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    expected = tone(0.5)[:, 0]
    for recording in (
        decoding.read(path),
        decoding.read(str(path)),
        decoding.read(data),
        decoding.read(io.BytesIO(data)),
        from_array(tone(0.5), RATE),
    ):
        assert np.array_equal(recording.wave, expected)


def test_channels_are_averaged_and_not_weighted():
    eight = np.zeros((RATE, 8), np.float32)
    eight[:, 3] = 0.8
    assert np.allclose(decoding.read(encoded(eight, subtype="FLOAT")).wave, 0.1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 192_000])
def test_block_by_block_resampling_equals_resampling_at_once(rate, monkeypatch):
    monkeypatch.setattr(libsndfile, "BLOCK", 1000)
    samples = np.random.default_rng(0).standard_normal((rate, 1)).astype(np.float32) * 0.1
    recording = decoding.read(encoded(samples, rate, subtype="FLOAT"))
    expected = soxr.resample(samples[:, 0], rate, RATE)
    assert len(recording.wave) == len(expected)
    assert np.abs(recording.wave - expected).max() < 1e-5


def test_integers_are_scaled_by_their_range():
    wave = from_array(np.full(RATE, -(2**14), np.int16), RATE).wave
    assert np.allclose(wave, -0.5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7 no audio", "not a recording"),
        (encoded(np.zeros((0, 1))), "has no samples"),
        (
            encoded(np.array([[0.1], [np.nan], [0.1]]), subtype="FLOAT"),
            "at 0.00 s is nan, where full scale is 1",
        ),
        (encoded(np.full((100, 1), np.inf), subtype="FLOAT"), "at 0.00 s is inf"),
        (encoded(np.full((100, 1), 3e38), 8_000, subtype="FLOAT"), "is 3e.38"),
    ],
    ids=["nothing", "pdf", "no-samples", "nan", "infinite", "absurd"],  # WAV may hold the time
)
def test_files_that_are_no_audio_are_refused_with_name_and_reason(data, reason, tmp_path):
    with pytest.raises(AudioError, match=reason) as caught:
        decoding.read(data)
    assert "<bytes>" in str(caught.value)
    path = tmp_path / "odd.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError, match="odd.wav"):
        decoding.read(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(AudioError, match="No such file"):
        decoding.read(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="directory"):
        decoding.read(tmp_path)
    with pytest.raises(AudioError, match="null"):
        decoding.read("a\0b.wav")


def test_headerless_raw_files_are_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(AudioError, match=r"a\.raw"):
        decoding.read(tmp_path / "a.raw")


@pytest.mark.parametrize(
    ("samples", "warning"),
    [
        (np.zeros((RATE, 1)), "silent"),
        (np.full((RATE, 1), 0.3), "constant offset"),
        (tone(0.1), "short: 0.10 s"),
        (np.sign(tone()), "clipped"),
        (tone(level=20_000.0), "beyond ±1"),
    ],
)
def test_unusual_audio_is_read_with_a_warning(samples, warning):
    recording = decoding.read(encoded(samples, subtype="FLOAT"))
    assert any(warning in w for w in recording.warnings)


def test_ordinary_audio_has_no_warning():
    assert decoding.read(encoded(tone())).warnings == ()


@pytest.mark.parametrize("kind", ["FLAC", "WAV", "AIFF"])
def test_a_truncated_file_is_read_with_a_warning(kind):
    data = encoded(tone(3.0), kind=kind)
    recording = decoding.read(data[: len(data) // 2])
    assert 0.4 < recording.seconds < 2.9
    assert any("truncated" in w for w in recording.warnings)


@pytest.mark.parametrize("kind", ["FLAC", "WAV", "WAV of sox"])
def test_a_streamed_file_without_a_length_is_read_without_a_warning(kind):
    data = bytearray(encoded(tone(1.0), kind=kind[:4].strip()))
    if kind == "FLAC":
        data[21] &= 0xF0  # STREAMINFO: 36 bits of total samples
        data[22:26] = bytes(4)
    else:
        unknown = 0x7FFFF000 if "sox" in kind else 0xFFFFFFFF
        data[4:8] = data[40:44] = unknown.to_bytes(4, "little")
    recording = decoding.read(bytes(data))
    assert recording.seconds == pytest.approx(1.0)
    assert recording.warnings == ()


def test_a_truncated_video_is_read_with_a_warning():
    data = encoded_by_av("matroska", "aac", channels=2)
    assert decoding.read(data).warnings == ()
    assert any("truncated" in w for w in decoding.read(data[: len(data) // 2]).warnings)


def test_an_empty_array_is_refused():
    for empty in (np.zeros(0), np.zeros((0, 2))):
        with pytest.raises(AudioError, match="no samples"):
            from_array(empty, RATE)


def test_more_than_twelve_hours_are_refused_before_decoding():
    silence = encoded(np.zeros((13 * 3600 * 1000, 1), np.int16), 1000, subtype="PCM_U8")
    with pytest.raises(AudioError, match="longer than 12 hours"):
        decoding.read(silence)


def test_rms_normalisation_equals_levels_and_removes_the_offset():
    quiet, loud = tone(level=0.01)[:, 0] + 0.05, tone(level=0.9)[:, 0]
    assert np.allclose(rms_normalise(quiet), rms_normalise(loud), atol=2e-3)
    assert np.sqrt(np.mean(rms_normalise(quiet) ** 2)) == pytest.approx(TARGET_RMS, rel=1e-3)
    assert not rms_normalise(np.zeros(100, np.float32)).any()


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.zeros(10), None, "sampling rate"),
        (np.zeros((2, 3, 4)), RATE, "shape"),
        (np.zeros((2, 16000)), RATE, "shape"),
        (np.array(["a"]), RATE, "array of"),
        ([0, 1000, -1000], RATE, "array of int64"),
        (np.zeros(10), "16000", "sampling_rate='16000'"),
    ],
)
def test_wrong_arrays_are_refused(samples, rate, reason):
    with pytest.raises(ValueError, match=reason):
        from_array(samples, rate)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_raise_anything_else(data):
    try:
        decoding.read(data)
    except AudioError as error:
        assert "<bytes>" in str(error)


HEADS = [encoded(tone(0.2), kind=k)[:600] for k in ("WAV", "FLAC", "OGG", "MP3", "AIFF")]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(HEADS), st.data())
def test_damaged_files_never_raise_anything_else(head, data):
    damaged = bytearray(head)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    try:
        recording = decoding.read(bytes(damaged))
        assert np.isfinite(recording.wave).all()
    except AudioError as error:
        assert "<bytes>" in str(error)
