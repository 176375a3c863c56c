"""Every form of a recording gives the same samples."""

import io

import numpy as np
import pytest
import soundfile
import torch
from faults.mistaken import SAMPLES_READ, SAMPLES_REFUSED
from helpers import DEMO

from affekt import AudioError
from affekt.inference.inputs import is_batch, read_input

WAVE, RATE = soundfile.read(DEMO[0], dtype="float32")
DATA = DEMO[0].read_bytes()
STEREO = np.stack([WAVE, np.zeros_like(WAVE)], axis=1)


@pytest.mark.parametrize(
    ("source", "rate"),
    [
        (DEMO[0], None),
        (str(DEMO[0]), None),
        (DATA, None),
        (io.BytesIO(DATA), None),
        (WAVE, RATE),
        (WAVE.tolist(), RATE),
        (torch.from_numpy(WAVE), RATE),
        (torch.from_numpy(WAVE)[None], RATE),
        ({"array": WAVE, "sampling_rate": RATE}, None),
        ({"array": WAVE, "sampling_rate": RATE, "path": "a.wav"}, None),
        ({"bytes": DATA, "path": None}, None),
        ({"bytes": None, "path": str(DEMO[0])}, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_recording_in_every_form(source, rate):
    assert not is_batch(source)
    assert np.array_equal(read_input(source, rate).wave, read_input(DEMO[0]).wave)


def test_a_tensor_has_channels_first_and_an_array_last():
    tensor, array = read_input(torch.from_numpy(STEREO.T.copy()), RATE), read_input(STEREO, RATE)
    assert np.array_equal(tensor.wave, array.wave)
    assert np.allclose(array.wave, read_input(DEMO[0]).wave / 2, atol=1e-6)


def test_a_dict_keeps_its_name():
    assert read_input({"array": WAVE, "sampling_rate": RATE, "path": "a.wav"}).name == "a.wav"
    assert read_input({"array": WAVE, "sampling_rate": RATE}).name == "<array>"


@pytest.mark.parametrize(
    "source",
    [[DEMO[0]], (DEMO[0], DEMO[1]), [WAVE, WAVE], [], iter([DEMO[0]]), [{"path": "a"}], {"a", "b"}],
)
def test_several_recordings_are_a_batch(source):
    assert is_batch(source)


@pytest.mark.parametrize(
    ("source", "rate", "reason"),
    [
        (WAVE, None, "sampling_rate=None: an array needs its sampling rate"),
        (WAVE, "16k", "sampling_rate='16k'"),
        ({"array": WAVE}, None, "needs its sampling rate"),
        (DEMO[0], RATE, "a file has its own sampling rate"),
        ({"wave": WAVE}, None, "keys wave: it needs array and sampling_rate"),
        (torch.zeros(2, 3, 4), RATE, "shape"),
    ],
)
def test_a_wrong_argument_is_named(source, rate, reason):
    with pytest.raises(ValueError, match=reason):
        read_input(source, rate)


@pytest.mark.parametrize("kind", SAMPLES_READ)
def test_samples_of_every_kind_are_the_recording(kind):
    source, rate = SAMPLES_READ[kind]
    assert not is_batch(source)
    wave = read_input(source, rate).wave
    assert np.abs(wave - read_input(DEMO[0]).wave).max() < 0.004  # bfloat16 has 8 bits


@pytest.mark.parametrize("kind", SAMPLES_REFUSED)
def test_samples_that_cannot_be_right_are_refused_with_a_reason(kind):
    source, rate, reason = SAMPLES_REFUSED[kind]
    assert not is_batch(source)
    with pytest.raises((AudioError, ValueError), match=reason):
        read_input(source, rate)


def test_a_batch_of_pairs_has_a_rate_each():
    assert is_batch([(WAVE, RATE), (RATE, WAVE)])
    assert is_batch((WAVE, WAVE))
