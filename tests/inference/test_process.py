"""Recognition in a process with unusual settings: forked, or with another default type."""

import multiprocessing
import os
import subprocess
import sys

import pytest
import torch
from helpers import DEMO

from affekt.inference.recognizer import load


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_after_the_first_use_recognises_the_same():
    recognizer, context = load(), multiprocessing.get_context("fork")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        recognizer(DEMO[0])  # on all threads, unlike several recordings
        expected = recognizer(DEMO)
        results = context.SimpleQueue()
        child = context.Process(target=lambda: results.put((recognizer(DEMO), load()(DEMO[0]))))
        child.start()
        child.join(30)
        alive = child.is_alive()
        child.kill()
        assert not alive, "the forked process hangs"
    finally:
        torch.set_num_threads(threads)
    several, one = results.get()
    assert [p.label for p in several] == [p.label for p in expected]
    assert one.confidence == pytest.approx(expected[0].confidence, abs=0.02)


def test_the_default_type_of_torch_does_not_matter():
    expected = load()(DEMO[2])
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        recognizer = load()
        assert recognizer(DEMO[2]).confidence == pytest.approx(expected.confidence, abs=1e-5)
        assert list(recognizer.utterances(DEMO[2]))
    finally:
        torch.set_default_dtype(before)


def test_recognition_imports_nothing_of_training():
    code = (
        "import sys; sys.modules |= dict.fromkeys(['accelerate', 'affekt.training']); "
        f"import affekt; print(affekt.load(device='auto')({str(DEMO[2])!r}).label)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == load()(DEMO[2]).label
