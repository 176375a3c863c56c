"""Batches of clips: what fits into memory."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from affekt.nn.encoders.batching import BATCH, LARGEST_BATCH, encode, seconds_that_fit
from affekt.nn.encoders.protocol import SegmentEncoder

SPANS = np.array([[0, 96]])


class Small(SegmentEncoder):
    """On a device with memory for two clips; an embedding is the sum of a clip's samples."""

    dim = 1

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.batches = []

    def forward(self, waves, spans):
        self.batches.append(len(waves))
        if len(waves) > 2:
            raise torch.OutOfMemoryError("2 clips fit")
        return torch.stack([wave.sum()[None] for wave in waves])


def test_a_batch_that_does_not_fit_is_encoded_in_halves():
    waves = [np.full(16_000, i, np.float32) for i in range(5)]
    encoder = Small()
    embeddings = dict(encode(encoder, waves, [SPANS] * 5))
    assert [embeddings[i].item() for i in range(5)] == [16_000 * i for i in range(5)]
    assert encoder.batches == [5, 2, 3, 1, 2]


def test_batches_are_of_the_seconds_asked_for():
    waves = [np.ones(16_000, np.float32)] * 4
    encoder = Small()
    list(encode(encoder, waves, [SPANS] * 4, seconds=2))
    assert encoder.batches == [2, 2]


def test_a_batch_takes_half_of_the_free_memory_within_bounds():
    assert seconds_that_fit(free=200e6, per_second=1e6) == 100
    assert seconds_that_fit(free=1e6, per_second=1e6) == BATCH
    assert seconds_that_fit(free=80e9, per_second=1e6) == LARGEST_BATCH


LENGTHS = """
import numpy, torch
import affekt
from affekt.nn.encoders.batching import encode

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

torch.set_num_threads(1)
encoder, spans = affekt.load("open")._encoder, [numpy.array([[0, 96]])]
for i in range(51):
    list(encode(encoder, [numpy.zeros(48_000 + 640 * i, numpy.float32)], spans))
    if i == 10:
        before = resident()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_different_lengths():
    done = subprocess.run([sys.executable, "-c", LENGTHS], capture_output=True, text=True)
    assert float(done.stdout) < 50, done.stderr  # MB; about 140 where all is kept
