"""Samples from a pipe: raw PCM, or WAV as it comes."""

import io

import numpy as np
import pytest
import soundfile
from faults.mistaken import RATE, WAVE, recording

from affekt import AudioError
from affekt.audio.pcm import SampleFormat, read_samples

RAW = SampleFormat("int16", 8_000, 1)
INT16 = (WAVE * 32767).astype("<i2")


def samples(data):
    form, blocks = read_samples(io.BytesIO(data), RAW, 0.06)
    return form, np.concatenate(list(blocks))


def test_raw_samples_are_as_the_options_say():
    form, wave = samples(INT16.tobytes() + b"x")
    assert form is RAW
    assert np.array_equal(wave[:, 0], INT16)
    assert len(samples(b"abc")[1]) == 1


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_file_states_its_format(subtype):
    file = io.BytesIO()
    both = np.stack([WAVE, -WAVE], axis=1)
    kind = "WAVEX" if subtype == "FLOAT" else "WAV"
    soundfile.write(file, both, RATE, format=kind, subtype=subtype)
    data = file.getvalue()
    form, wave = samples(data + b"LIST" + bytes(30))
    assert (form.sampling_rate, form.channels) == (RATE, 2)
    scale = np.iinfo(wave.dtype).max if wave.dtype.kind == "i" else 1
    assert np.allclose(wave / scale, both, atol=1e-4)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_file_from_a_pipe_does_not_know_its_length(size):
    data = recording()
    at = data.index(b"data") + 4
    wave = samples(data[:at] + size.to_bytes(4, "little") + data[at + 4 :])[1]
    assert len(wave) == len(WAVE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (recording("WAV", "PCM_24"), "samples of 24 bits, format 1; give 16-bit PCM"),
        (recording("WAV", "ULAW"), "samples of 8 bits, format 7; give"),
        (recording()[:30], "the header is incomplete"),
        (recording("FLAC"), "is a recording and not raw PCM; use: affekt predict -"),
        (recording("OGG"), "is a recording and not raw PCM"),
    ],
)
def test_a_file_of_another_format_is_refused(data, reason):
    with pytest.raises(AudioError, match=reason):
        samples(data)
