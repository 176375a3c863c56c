"""Frames to samples: against the formulas of G.711, and the file that a container was made of."""

import io

import numpy as np
import pytest
from helpers import DEMO

from affekt.audio.decoding import read
from affekt.server.frames import decoder_of

CODES = bytes(range(256))


def samples(kind, frames, rate=None):
    decoder = decoder_of(kind, rate)
    return decoder.rate, np.concatenate(list(decoder.decode(iter(frames))))


def mulaw(code):
    """Value of a code word of mu-law (ITU-T G.711), of 16 bits."""
    code = ~code & 0xFF
    value = ((((code & 0x0F) << 3) + 132) << (code >> 4 & 7)) - 132
    return -value if code & 0x80 else value


def alaw(code):
    """Value of a code word of A-law (ITU-T G.711), of 16 bits."""
    code ^= 0x55
    exponent, value = code >> 4 & 7, ((code & 0x0F) << 4) + 8
    if exponent:
        value = (value + 256) << (exponent - 1)
    return value if code & 0x80 else -value


@pytest.mark.parametrize(("kind", "formula"), [("mulaw", mulaw), ("alaw", alaw)])
def test_g711_has_the_values_of_the_standard(kind, formula):
    rate, wave = samples(kind, [CODES[:100], CODES[100:]])
    assert rate == 8_000
    assert wave.tolist() == [formula(code) for code in CODES]


def test_pcm_is_little_endian():
    assert samples("int16", [b"\x01\x00", b"\xff\xff\x00\x80"])[1].tolist() == [1, -1, -32768]
    assert samples("float32", [b"\x00\x00\x80\x3f"], 48_000)[1].tolist() == [1.0]


@pytest.mark.parametrize("kind", ["webm", "ogg"])
@pytest.mark.parametrize("size", [100, 100_000])
def test_a_file_in_pieces_has_the_samples_of_the_whole_file(kind, size):
    av = pytest.importorskip("av")
    file = io.BytesIO()
    wave = np.repeat(read(DEMO[0]).wave, 3)
    with av.open(file, "w", format=kind) as out:
        stream = out.add_stream("libopus", rate=48_000, layout="stereo")
        for i in range(0, len(wave) - 960, 960):
            both = np.repeat(wave[i : i + 960], 2)[None]  # the same on both channels
            frame = av.AudioFrame.from_ndarray(both, format="flt", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, i
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    data = file.getvalue()
    rate, decoded = samples(kind, [data[i : i + size] for i in range(0, len(data), size)])
    assert rate == 48_000
    with av.open(io.BytesIO(data)) as container:
        whole = np.concatenate([frame.to_ndarray().T for frame in container.decode(audio=0)])
    assert abs(len(whole) - len(wave)) < 2_000
    assert np.array_equal(decoded, whole)
