"""Requests before jobs, and the same results in any batch."""

from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from helpers import DEMO, waited
from prometheus_client import REGISTRY

from affekt.audio.decoding import read
from affekt.audio.recording import make_recording
from affekt.inference.pipeline import recognise_file
from affekt.inference.recognizer import HOP, Recognizer
from affekt.inference.utterances import Options
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint
from affekt.server.shared import SharedRecognizer, Task, TaskQueue


def task(name, seconds, ways=1, options=None):
    wave = np.zeros(round(seconds * 16_000), np.float32)
    return Task([make_recording(name, wave)], Future(), ways, options)


def taken(queue):
    return [task.recordings[0].name for task in queue.take()]


def waited_tasks(kind):
    """How many tasks the metrics know that waited."""
    return REGISTRY.get_sample_value("affekt_queue_seconds_count", {"kind": kind}) or 0.0


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
    before = {kind: waited_tasks(kind) for kind in ("interactive", "background")}
    expected = Recognizer(checkpoint, HOP).recognise(recordings)
    for recognizer in (shared, shared.background()):
        predictions = recognizer.recognise(recordings)
        assert [p.file for p in predictions] == [p.file for p in expected]
        for one, other in zip(predictions, expected, strict=True):
            assert np.allclose(
                list(one.probabilities.values()), list(other.probabilities.values()), atol=0.02
            )
    assert waited_tasks("interactive") == before["interactive"] + 1
    assert waited_tasks("background") == before["background"] + len(recordings)


def test_tasks_of_another_timeline_are_a_batch_of_their_own():
    queue = TaskQueue()
    for name, ways in (("a", 2), ("b", 2), ("c", 4), ("d", 2)):
        queue.put(task(name, 1, ways), background=False)
    assert [taken(queue) for _ in range(3)] == [["a", "b"], ["c"], ["d"]]


def test_tasks_with_other_options_are_a_batch_of_their_own():
    queue, one, two = TaskQueue(), Options(), Options(speakers=2)
    for name, options in (("a", None), ("b", one), ("c", one), ("d", two), ("e", None)):
        queue.put(task(name, 1, options=options), background=False)
    assert [taken(queue) for _ in range(4)] == [["a"], ["b", "c"], ["d"], ["e"]]


def test_submitted_recordings_have_the_predictions_of_a_file():
    checkpoint = load_checkpoint(model_folder("default"))
    recordings = [read(path) for path in DEMO]
    shared, alone = SharedRecognizer(checkpoint, 1), Recognizer(checkpoint, HOP)
    options = [Options(), Options(), Options(speakers=2)]
    futures = [shared.submit(*each) for each in zip(recordings, options, strict=True)]
    for recording, option, future in zip(recordings, options, futures, strict=True):
        [predictions] = future.result(60)
        expected = [*recognise_file(alone, recording, option)]
        for one, other in zip(predictions, expected, strict=True):
            assert (one.start, one.speaker, one.label) == (other.start, other.speaker, other.label)
            assert np.allclose(
                list(one.probabilities.values()), list(other.probabilities.values()), atol=0.02
            )


def test_an_error_is_of_one_recording_and_a_cancelled_one_is_left_out():
    shared = SharedRecognizer(load_checkpoint(model_folder("open")), 1)
    good = read(DEMO[0])
    damaged = replace(good, wave=good.wave[None])  # samples in two dimensions
    busy = shared.submit(make_recording("busy", np.tile(good.wave, 8)), Options())
    futures = [shared.submit(each, Options()) for each in (good, damaged, good, good)]
    assert futures[2].cancel()
    busy.result(60)  # the others are one batch
    assert len(futures[0].result(60)) == len(futures[3].result(60)) == 1
    with pytest.raises(ValueError):
        futures[1].result(60)


def test_a_recognizer_at_another_hop_has_the_results_of_one_loaded_with_it():
    checkpoint = load_checkpoint(model_folder("default"))
    recording = read(DEMO[0])
    shared = SharedRecognizer(checkpoint, 1)
    for hop in (0.12, 0.48):
        [prediction] = shared.at_hop(hop).recognise([recording])
        [expected] = Recognizer(checkpoint, hop).recognise([recording])
        assert [s.start for s in prediction.segments] == [s.start for s in expected.segments]
        for one, other in zip(prediction.segments, expected.segments, strict=True):
            assert np.allclose(
                list(one.probabilities.values()), list(other.probabilities.values()), atol=0.02
            )


def test_the_encoding_threads_end_when_it_stops():
    """A thread that is inside torch when Python exits aborts the process."""
    shared = SharedRecognizer(load_checkpoint(model_folder("open")), 2)
    for i in range(20):  # of a job that was returned to the queue
        shared.threads.queue.put(task(f"job {i}", 5), background=True)
    shared.threads.stop(60)
    assert not shared.threads.are_alive()
    assert shared.threads.queue.take() == []


def test_the_encoding_threads_end_with_the_last_copy():
    shared = SharedRecognizer(load_checkpoint(model_folder("open")), 2)
    threads, job = shared.threads, shared.background().at_hop(0.12)
    del shared
    assert threads.are_alive()
    assert len(job.recognise([read(DEMO[0])])) == 1
    del job
    waited(lambda: not threads.are_alive())
