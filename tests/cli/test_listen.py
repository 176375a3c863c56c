"""Live speech, as one would pipe it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from helpers import DEMO

from affekt.audio.decoding import read

WAVE = np.concatenate([read(DEMO[0]).wave[:48_000], np.zeros(16_000, np.float32)])


def listen(data, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "affekt", "listen", *arguments],
        input=data, capture_output=True,
    )  # fmt: skip


def test_raw_samples_become_moments_and_utterances():
    data = (WAVE * 32767).astype("<i2").tobytes()
    done = listen(data, "-", "--json")
    assert done.returncode == 0, done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    moments = [o["segment"] for o in objects if "segment" in o]
    assert len(moments) == (len(WAVE) / 16_000 - 0.96) // 0.24 + 1
    utterance = next(o["utterance"] for o in objects if "utterance" in o)
    assert utterance["start"] < 0.5
    lines = listen(data + b"x", "-", "--hop", "0.48", "--normalisation", "auto").stdout.decode()
    assert utterance["label"] in lines
    assert f"0:00:0{utterance['start']:.1f} - 0:00:0" in lines


def test_stereo_floats_at_another_rate():
    both = np.repeat(WAVE[::2, None], 2, axis=1).astype("<f4").tobytes()
    arguments = ["--samples", "float32", "--rate", "8000", "--channels", "2", "--json"]
    done = listen(both, "-", *arguments)
    assert done.returncode == 0, done.stderr
    assert sum(b'"segment"' in line for line in done.stdout.splitlines()) >= 12


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-", "--rate", "10"], "sampled at 10 Hz"),
        (["-", "--rate", "0"], "must be positive"),
        (["-", "--hop", "0.001"], "multiple of 0.01"),
        (["-", "--normalisation", "none.safetensors"], "not normalisation statistics"),
        (["-", "--samples", "float32"], "NaN"),
    ],
)
def test_mistakes_are_explained(arguments, says):
    done = listen(np.full(999, np.nan, np.float32).tobytes(), *arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_a_microphone_that_is_not_there_is_explained():
    done = listen(b"")
    if done.returncode != 0:
        assert done.returncode == 2
        assert b"microphone cannot be opened" in done.stderr or b"affekt[mic]" in done.stderr
