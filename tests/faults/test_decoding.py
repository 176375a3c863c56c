"""Nothing is lost or displaced: every kind of file has its duration, its speech in place, and says
what is missing.
"""

import re
import subprocess
import sys

import numpy as np
import pytest

from affekt import AudioError
from affekt.audio import decoding
from affekt.audio.recording import from_array
from faults import damaged
from faults.damaged import RATE, SECONDS, SPEECH, by_libsndfile
from faults.table import DECODED, TRUNCATED, UNDECODABLE


def displacement(wave, begin, end, expected):
    """Seconds by which a part of SPEECH is later than in SPEECH, near what is expected."""
    part = SPEECH[int(begin * RATE) : int(end * RATE)]
    first = max(0, int((begin + expected - 0.5) * RATE))
    near = wave[first : int((end + expected + 0.5) * RATE)]
    likeness = np.correlate(near, part, "valid")
    return (first + int(np.abs(likeness).argmax())) / RATE - begin


@pytest.mark.parametrize("maker", DECODED, ids=lambda maker: maker.__name__)
def test_decoding_to_the_end(maker, tmp_path):
    seconds, late, codes = DECODED[maker]
    recording = decoding.read(maker(tmp_path))
    assert recording.seconds == pytest.approx(seconds, abs=0.25)
    assert displacement(recording.wave, 6.8, 7.4, late) == pytest.approx(late, abs=0.2)
    assert tuple(w.code for w in recording.warnings) == codes


TAILS = {
    "chunk": damaged.LIST,
    "chunk-cut": damaged.LIST[:5000],
    "chunk-of-another-name": b"abcd" + damaged.LIST[4:],
    "tag": b"ID3\4\0\0" + bytes(range(128)) * 40,
    "padding": bytes(9000),
    "few-bytes": b"abc" * 1000,
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_what_follows_the_audio_of_a_wav_is_not_audio(tail):
    recording = decoding.read(by_libsndfile("WAV") + tail)
    assert (recording.seconds, recording.warnings) == (SECONDS, ())


def test_channels_that_cancel_are_a_warning(tmp_path):
    path = damaged.antiphase_wav(tmp_path)
    (warning,) = decoding.read(path).warnings[1:]
    assert warning.code == "antiphase"
    assert not [w for d in decoding.split_channels(path) for w in d.read().warnings]
    codes = [w.code for w in from_array(np.stack([SPEECH, -0.9 * SPEECH], 1), RATE).warnings]
    assert codes == ["antiphase"]
    assert not from_array(np.stack([SPEECH, 0 * SPEECH], 1), RATE).warnings


@pytest.mark.parametrize("rates", [(24_000, 16_000), (24_000, 16_000, 24_000)])
def test_channels_that_cancel_in_one_part_are_one_warning(rates):
    sides = {24_000: -SPEECH, 16_000: SPEECH}
    parts = [by_libsndfile("MP3", wave=np.stack([SPEECH, sides[r]], 1), rate=r) for r in rates]
    codes = [w.code for w in decoding.read(b"".join(parts)).warnings]
    assert codes == ["antiphase"]


CONTAINERS = [("mp4", "aac"), ("matroska", "aac"), ("webm", "libopus"), ("mpegts", "aac")]
CONTAINERS += [("flv", "aac"), ("adts", "aac"), ("ogg", "libopus"), ("mp3", "libmp3lame")]


def test_damaged_containers_never_raise_anything_else():
    rng = np.random.default_rng(0)
    for kind, codec in CONTAINERS:
        data = damaged.by_pyav(kind, codec, wave=SPEECH[:RATE])
        for _ in range(15):
            bad = np.frombuffer(data, np.uint8).copy()
            places = rng.integers(0, rng.choice([600, len(bad)]), rng.choice([1, 20, 300]))
            bad[places] = rng.integers(0, 256, len(places))
            try:
                assert np.isfinite(decoding.read(2 * bad.tobytes()).wave).all()
            except AudioError as error:
                assert "<bytes>" in str(error)


@pytest.mark.parametrize("maker", TRUNCATED, ids=lambda maker: maker.__name__)
def test_what_is_left_of_a_file(maker, tmp_path):
    recording = decoding.read(maker(tmp_path))
    assert 2.5 < recording.seconds < 5
    assert displacement(recording.wave, 1.6, 2.4, 0) == pytest.approx(0, abs=0.1)
    assert tuple(w.code for w in recording.warnings) == TRUNCATED[maker]


@pytest.mark.parametrize("maker", UNDECODABLE, ids=lambda maker: maker.__name__)
def test_what_cannot_be_decoded(maker, tmp_path):
    with pytest.raises(AudioError, match=re.escape(UNDECODABLE[maker])):
        decoding.read(maker(tmp_path))


def test_a_track_is_chosen(tmp_path):
    path = damaged.mkv_with_two_tracks(tmp_path)
    (warning,) = decoding.read(path).warnings
    assert warning.startswith("tracks: audio track 2 (eng, speech) is used, of 2; choose another")
    assert "\x1b" not in warning and len(warning) < 160
    first = decoding.read(path, track=1)
    assert not first.warnings
    assert displacement(first.wave[::-1], 6.8, 7.4, 0) == pytest.approx(0, abs=0.1)
    with pytest.raises(AudioError, match=r"has no audio track 3; its tracks: 1 \(deu, .*, 2 \(eng"):
        decoding.read(path, track=3)
    wav = damaged.wav_of_a_pipe(tmp_path)
    assert decoding.read(wav, track=1).seconds == pytest.approx(SECONDS)
    with pytest.raises(AudioError, match="has no audio track 2; its tracks: 1$"):
        decoding.read(wav, track=2)


@pytest.mark.parametrize(
    ("maker", "seconds"),
    [
        (damaged.joined_mp3_with_xing_header, SECONDS),
        (damaged.chained_opus, SECONDS),
        (damaged.flac_with_zeros, 3.1),
        (damaged.flac_without_length, SECONDS),
        (damaged.wav_of_a_killed_recorder, SECONDS),
    ],
)
def test_without_pyav_a_warning_names_what_decodes_the_rest(maker, seconds, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    recording = decoding.read(maker(tmp_path))
    assert recording.seconds == pytest.approx(seconds, abs=0.1)
    complete = maker in (damaged.flac_without_length, damaged.wav_of_a_killed_recorder)
    assert any("affekt[media]" in w for w in recording.warnings) != complete


@pytest.mark.parametrize("maker", [damaged.mp3_with_tags, damaged.flac_with_a_tag])
def test_tags_at_the_end_are_not_decoded_again(maker, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert decoding.read(maker(tmp_path)).warnings == ()


QUIET = """
import ctypes, os, sys, threading
sys.modules["av"] = None
from affekt.audio import decoding
from affekt.audio.quiet import quiet

for path in sys.argv[1:]:
    decoding.read(path)
perror = ctypes.CDLL(None).perror  # prints as libmpg123 does
with quiet():
    perror(b"discarded")
    thread = threading.Thread(target=print, args=["of Python"], kwargs={"file": sys.stderr})
    thread.start()
    thread.join()
    with quiet():
        child = os.fork()
    if not child:
        perror(b"of a process")
        os._exit(0)
os.waitpid(child, 0)
perror(b"later")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the C library of Linux")
def test_without_pyav_no_line_of_libmpg123_is_on_standard_error(tmp_path):
    mp3, rng = by_libsndfile("MP3"), np.random.default_rng(0)
    damage = [mp3[:9000] + mp3[9100:], mp3[:9000] + rng.bytes(3000)]
    files = [damaged.joined_mp3_with_xing_header(tmp_path), damaged.mp3_with_zeros(tmp_path)]
    files += [damaged.written(tmp_path, f"{i}.mp3", data) for i, data in enumerate(damage)]
    command = [sys.executable, "-c", QUIET, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    lines = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert (done.returncode, lines) == (0, ["of Python", "of a process", "later"])
