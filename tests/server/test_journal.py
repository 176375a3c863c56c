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


def test_a_later_attempt_reads_what_was_encoded(tmp_path, recognizer):
    first = Journal(tmp_path, "1")
    encoded = [first.encode(part, recognizer.encode) for part in (RECORDINGS[:2], RECORDINGS[2:])]
    assert first.advanced
    later = Journal(tmp_path, "1")
    for part, expected in zip((RECORDINGS[:2], RECORDINGS[2:]), encoded, strict=True):
        alike(later.encode(part, refuse), expected)
    assert not later.advanced


def test_another_model_recording_or_a_damaged_file_is_encoded_again(tmp_path, recognizer):
    expected = Journal(tmp_path, "1").encode(RECORDINGS[:1], recognizer.encode)
    [file] = tmp_path.iterdir()
    for version, part in (("2", RECORDINGS[:1]), ("1", RECORDINGS[1:2])):
        with pytest.raises(AssertionError, match="encoded again"):
            Journal(tmp_path, version).encode(part, refuse)
    file.write_bytes(file.read_bytes()[:1000])
    alike(Journal(tmp_path, "1").encode(RECORDINGS[:1], recognizer.encode), expected)
    alike(Journal(tmp_path, "1").encode(RECORDINGS[:1], refuse), expected)


def test_a_folder_that_is_gone_is_no_error(tmp_path, recognizer):
    journal = Journal(tmp_path / "job", "1")
    (tmp_path / "job").rmdir()
    assert len(journal.encode(RECORDINGS[:1], recognizer.encode)) == 1
    assert not journal.advanced
