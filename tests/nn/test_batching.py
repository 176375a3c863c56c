"""Batches of clips: what fits into memory."""

import numpy as np
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
