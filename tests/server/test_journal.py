"""The journal of a job: what was encoded is not encoded again, and nothing else changes."""

import numpy as np
import pytest
from helpers import DEMO

from affekt.audio.decoding import read
from affekt.inference.recognizer import load
from affekt.server.journal import Journal

RECORDINGS = [read(path) for path in DEMO]


@pytest.fixture(scope="module")
def recognizer():
    return load(hop=0.24)


def alike(one, other):
    for a, b in zip(one, other, strict=True):
        assert (a.file, a.seconds, a.warnings) == (b.file, b.seconds, b.warnings)
        assert np.array_equal(a.spans, b.spans)
        assert np.array_equal(a.embeddings, b.embeddings)
        assert len(a.sequences) == len(b.sequences) > 1
        for first, second in zip(a.sequences, b.sequences, strict=True):
            assert np.array_equal(first, second)


def refuse(_):
    raise AssertionError("encoded again")


class Count:
    """How often something was stored."""

    def __init__(self):
        self.number = 0

    def __call__(self):
        self.number += 1


def test_a_later_attempt_reads_what_was_encoded(tmp_path, recognizer):
    stored = Count()
    first = Journal(tmp_path, "1", stored)
    encoded = first.encode(RECORDINGS, recognizer.encode)
    assert stored.number == len(RECORDINGS)
    alike(encoded, recognizer.encode(RECORDINGS))
    later = Journal(tmp_path, "1", refuse)
    alike(later.encode(RECORDINGS[1:], lambda left: refuse(left) if left else []), encoded[1:])


def test_an_attempt_that_is_interrupted_stores_what_it_has(tmp_path, recognizer):
    def interrupted(recordings):
        yield from recognizer.encode(recordings[:1])
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Journal(tmp_path, "1", Count()).encode(RECORDINGS, interrupted)
    left = []

    def encode(recordings):
        left.extend(recordings)
        return recognizer.encode(recordings)

    Journal(tmp_path, "1", Count()).encode(RECORDINGS, encode)
    assert left == RECORDINGS[1:]


def test_another_model_recording_or_a_damaged_file_is_encoded_again(tmp_path, recognizer):
    def encoded(version, part, encode=refuse):
        return Journal(tmp_path, version, Count()).encode(part, encode)

    expected = encoded("1", RECORDINGS[:1], recognizer.encode)
    [file] = tmp_path.iterdir()
    for version, part in (("2", RECORDINGS[:1]), ("1", RECORDINGS[1:2])):
        with pytest.raises(AssertionError, match="encoded again"):
            encoded(version, part)
    file.write_bytes(file.read_bytes()[:1000])
    alike(encoded("1", RECORDINGS[:1], recognizer.encode), expected)
    alike(encoded("1", RECORDINGS[:1], lambda left: refuse(left) if left else []), expected)


def test_a_folder_that_is_gone_is_no_error(tmp_path, recognizer):
    stored = Count()
    journal = Journal(tmp_path / "job", "1", stored)
    (tmp_path / "job").rmdir()
    assert len(journal.encode(RECORDINGS[:1], recognizer.encode)) == 1
    assert stored.number == 0
