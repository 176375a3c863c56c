"""Recordings that are decoded again where they do not fit in memory."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from affekt import AffektError
from affekt.config import Augment
from affekt.corpora.registry import load_corpus
from affekt.nn.emotion_model import rms_normalised
from affekt.training import recordings
from affekt.training.augmentation import with_copies
from affekt.training.clips import load_clips
from affekt.training.waves import prepared


@pytest.fixture(scope="module")
def examples(manifest):
    return load_corpus(str(manifest)).examples[:4]


def test_the_first_recordings_stay_in_memory(examples, monkeypatch):
    clips = load_clips(examples)
    room = sum(c.recording.wave.nbytes for c in clips[:2])
    monkeypatch.setattr(recordings, "MEMORY", room)
    held = [c.recording.wave is c.recording.wave for c in load_clips(examples)]
    assert held[:2] == [True, True] and not all(held)


def test_they_are_the_same_from_memory_and_from_the_file(examples, monkeypatch, tiny_config):
    settings = Augment(speeds=(0.9,), degraded=1)
    whole = with_copies(load_clips(examples), settings)
    monkeypatch.setattr(recordings, "MEMORY", 0)
    again = with_copies(load_clips(examples), settings)
    assert len(again) == 12
    waves = rms_normalised([c.recording for c in whole], tiny_config)
    (kept, _), (made, spans) = (
        prepared([c.recording for c in clips], tiny_config) for clips in (whole, again)
    )
    for i, (one, other) in enumerate(zip(whole, again, strict=True)):
        assert one.seconds == other.seconds
        assert one.recording.warnings == other.recording.warnings
        assert np.array_equal(one.recording.wave, other.recording.wave)
        assert np.array_equal(made[i], waves[i]) and np.array_equal(kept[i], waves[i])
        assert kept.digest(i) == made.digest(i)
    assert len(spans) == 12


def test_they_can_be_sent_to_another_process(examples, monkeypatch):
    monkeypatch.setattr(recordings, "MEMORY", 0)
    [*_, copy] = with_copies(load_clips(examples[:1]), Augment(speeds=(1.1,)))
    sent = pickle.loads(pickle.dumps(copy))
    assert sent.seconds == copy.seconds
    assert np.array_equal(sent.recording.wave, copy.recording.wave)


def test_parts_of_a_file_are_decoded_again(examples, monkeypatch):
    start = [replace(examples[0], end=0.3), replace(examples[0], start=0.3, end=0.6)]
    whole = load_clips(start)
    monkeypatch.setattr(recordings, "MEMORY", 0)
    for one, other in zip(whole, load_clips(start), strict=True):
        assert len(other.recording.wave) == 4800
        assert np.array_equal(one.recording.wave, other.recording.wave)


def test_a_file_that_changed_is_an_error(examples, monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "MEMORY", 0)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(16_000, 0.1), 16_000)
    [clip] = load_clips([replace(examples[0], path=str(path))])
    soundfile.write(path, np.full(8000, 0.1), 16_000)
    with pytest.raises(AffektError, match=r"a\.wav: changed since it was first read"):
        _ = clip.recording.wave
