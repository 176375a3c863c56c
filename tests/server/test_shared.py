"""Who is served first, and that company changes nothing."""

from concurrent.futures import Future

import numpy as np
from helpers import DEMO

from affekt.audio.decoding import read
from affekt.audio.recording import make_recording
from affekt.inference.recognizer import HOP, Recognizer
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint
from affekt.server.shared import Line, SharedRecognizer


def waiting(name, seconds):
    return [make_recording(name, np.zeros(round(seconds * 16_000), np.float32))], Future()


def taken(line):
    return [recordings[0].name for recordings, _ in line.take()]


def test_others_go_before_a_job_which_goes_on_all_the_same():
    line = Line()
    for i in range(3):
        line.put(waiting(f"job {i}", 12), watched=False)
    assert taken(line) == ["job 0"]
    for i in range(4):
        line.put(waiting(f"live {i}", 20), watched=True)
    assert taken(line) == ["live 0", "live 1"]  # together until half a minute is full
    assert taken(line) == ["job 1"]
    assert taken(line) == ["live 2", "live 3"]
    line.put(waiting("live 4", 2), watched=True)
    assert taken(line) == ["job 2"]
    assert taken(line) == ["live 4"]


def test_a_job_hears_what_others_hear():
    checkpoint = load_checkpoint(model_folder("default"))
    recordings = [read(path) for path in DEMO]
    shared = SharedRecognizer(checkpoint, 2)
    expected = Recognizer(checkpoint, HOP).recognise(recordings)
    for recognizer in (shared, shared.unwatched()):
        told = recognizer.recognise(recordings)
        assert [p.file for p in told] == [p.file for p in expected]
        for one, other in zip(told, expected, strict=True):
            assert np.allclose(
                list(one.probabilities.values()), list(other.probabilities.values()), atol=0.02
            )
