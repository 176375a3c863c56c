"""Live speech, piped or from a microphone."""

import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import soundfile
from helpers import COMMANDS, DEMO, ROOT

from affekt.audio.decoding import read

WAVE = np.concatenate([read(DEMO[0]).wave[:48_000], np.zeros(16_000, np.float32)])


def listen(data, *arguments, env=None):
    """Run the command from a shell, with a pipe as standard input."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "affekt", "listen", *arguments],
        input=data, capture_output=True, env=env,
    )  # fmt: skip


def listen_to_file(data, *arguments):
    """Run the command without the seconds of imports, with a file as standard input."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return COMMANDS.run(["listen", *arguments], ROOT, environment, file.name)


def test_raw_samples_become_segments_and_utterances():
    data = (WAVE * 32767).astype("<i2").tobytes()
    done = listen(data, "-", "--json")
    assert done.returncode == 0, done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    segments = [o["segment"] for o in objects if "segment" in o]
    assert len(segments) == (len(WAVE) / 16_000 - 0.96) // 0.24 + 1
    utterance = next(o["utterance"] for o in objects if "utterance" in o)
    assert utterance["start"] < 0.5
    lines = listen_to_file(data + b"x", "-", "--hop", "0.48", "--normalisation", "none").stdout
    assert utterance["label"] in lines
    assert f"0:00:0{utterance['start']:.1f} - 0:00:0" in lines


def test_stereo_floats_at_another_rate():
    both = np.repeat(WAVE[::2, None], 2, axis=1).astype("<f4").tobytes()
    arguments = ["--samples", "float32", "--rate", "8000", "--channels", "2", "--json"]
    done = listen_to_file(both, "-", *arguments)
    assert done.returncode == 0, done.stderr
    assert sum('"segment"' in line for line in done.stdout.splitlines()) >= 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--rate", "10"], "sampled at 10 Hz"),
        (["-", "--rate", "0"], "must be positive"),
        (["-", "--hop", "0.001"], "multiple of 0.01"),
        (["-", "--normalisation", "none.safetensors"], "choose speaker, none, or a file"),
        (["-", "--samples", "float32"], "the sample at 0.00 s is nan"),
    ],
)
def test_mistakes_are_explained(arguments, message):
    done = listen_to_file(np.full(999, np.nan, np.float32).tobytes(), *arguments)
    assert done.returncode == 2
    assert message in done.stderr


DEVICE = """
import numpy as np

class PortAudioError(Exception):
    pass

class InputStream:
    def __init__(self, samplerate, channels, dtype):
        self.wave = np.load(PATH)
        if channels > 2:
            raise PortAudioError("no such number of channels")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, size):
        if not len(self.wave):
            raise KeyboardInterrupt
        block, self.wave = self.wave[:size, None], self.wave[size:]
        return block, False
"""


@pytest.fixture
def device(tmp_path):
    """A module in place of sounddevice, whose microphone records `WAVE`."""
    np.save(tmp_path / "wave.npy", WAVE)

    def write(text):
        (tmp_path / "sounddevice.py").write_text(text.replace("PATH", repr(f"{tmp_path}/wave.npy")))
        return os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}

    return write


def test_a_microphone_is_recognised_until_ctrl_c(device):
    done = listen(b"", "--json", env=device(DEVICE))
    assert done.returncode == 0, done.stderr
    piped = listen_to_file((WAVE * 32767).astype("<i2").tobytes(), "-", "--json")
    expected = [json.loads(line) for line in piped.stdout.splitlines()]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(o) for o in found] == [list(o) for o in expected]
    assert [o["segment"]["end"] for o in found if "segment" in o] == [
        o["segment"]["end"] for o in expected if "segment" in o
    ]


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("raise OSError('PortAudio library not found')", [], "cannot be opened: PortAudio library"),
        ("raise ModuleNotFoundError(name='sounddevice')", [], "affekt[mic]"),
        (DEVICE, ["--channels", "3"], "no such number of channels; raw PCM can be piped"),
    ],
)
def test_a_missing_microphone_is_an_error(device, module, arguments, message):
    done = listen(b"", *arguments, env=device(module))
    assert done.returncode == 2
    assert message in done.stderr.decode()


def test_a_wav_file_is_noticed_and_its_header_read():
    file = io.BytesIO()
    soundfile.write(file, WAVE[::2], 8_000, format="WAV")
    done = listen_to_file(file.getvalue(), "-", "--json")
    assert done.returncode == 0, done.stderr
    assert "WAV on standard input: int16, 8000 Hz, 1 channel" in done.stderr
    assert sum('"segment"' in line for line in done.stdout.splitlines()) >= 12
