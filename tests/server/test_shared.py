"""Requests before jobs, and the same results in any batch."""

from concurrent.futures import Future

import numpy as np
from helpers import DEMO

from affekt.audio.decoding import read
from affekt.audio.recording import make_recording
from affekt.inference.recognizer import HOP, Recognizer
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint
from affekt.server.shared import SharedRecognizer, TaskQueue


def task(name, seconds):
    return [make_recording(name, np.zeros(round(seconds * 16_000), np.float32))], Future()


def taken(queue):
    return [recordings[0].name for recordings, _ in queue.take()]


def test_requests_come_before_jobs_which_continue_after_each_batch():
    queue = TaskQueue()
    for i in range(3):
        queue.put(task(f"job {i}", 12), background=True)
    assert taken(queue) == ["job 0"]
    for i in range(4):
        queue.put(task(f"live {i}", 20), background=False)
    assert taken(queue) == ["live 0", "live 1"]  # together until a batch is full
    assert taken(queue) == ["job 1"]
    assert taken(queue) == ["live 2", "live 3"]
    queue.put(task("live 4", 2), background=False)
    assert taken(queue) == ["job 2"]
    assert taken(queue) == ["live 4"]


def test_requests_and_jobs_have_the_results_of_a_recognizer():
    checkpoint = load_checkpoint(model_folder("default"))
    recordings = [read(path) for path in DEMO]
    shared = SharedRecognizer(checkpoint, 2)
    expected = Recognizer(checkpoint, HOP).recognise(recordings)
    for recognizer in (shared, shared.background()):
        predictions = recognizer.recognise(recordings)
        assert [p.file for p in predictions] == [p.file for p in expected]
        for one, other in zip(predictions, expected, strict=True):
            assert np.allclose(
                list(one.probabilities.values()), list(other.probabilities.values()), atol=0.02
            )
