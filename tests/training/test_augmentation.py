import numpy as np
import pytest

from affekt.audio.recording import Recording
from affekt.config import Augment
from affekt.corpora.registry import load_corpus
from affekt.training import augmentation
from affekt.training.augmentation import with_copies
from affekt.training.clips import load_clips


@pytest.fixture(scope="module")
def clips(manifest):
    return load_clips(load_corpus(str(manifest)).examples)


def test_a_copy_is_made_once(clips):
    settings = Augment(speeds=(0.9,), degraded=2)
    first, again = with_copies(clips[:2], settings), with_copies(clips[:2], settings)
    assert len(first) == 8
    assert all(a.recording.wave is b.recording.wave for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[4].recording.wave, first[6].recording.wave)
    assert first[2].copies == {}


def test_a_copy_has_its_length_and_digest_before_its_wave(clips, monkeypatch):
    settings = Augment(speeds=(0.9, 1.1), degraded=3)
    few = load_clips([c.example for c in clips[:12]])
    copies = [c.recording for c in with_copies(few, settings)[len(few) :]]
    digests = {r.digest(normalised=n) for r in copies for n in (False, True)}
    assert len(digests) == 2 * len(copies) == 2 * 60
    assert all(r._wave is None for r in copies)
    assert all(len(r.wave) == r.samples for r in copies)
    assert len({r.samples / c.recording.samples for r, c in zip(copies, few * 5)}) > 10
    monkeypatch.setattr(augmentation, "VERSION", augmentation.VERSION + 1)
    fresh = load_clips([c.example for c in clips[:12]])
    again = [c.recording for c in with_copies(fresh, settings)[len(few) :]]
    assert not digests & {r.digest(normalised=True) for r in again}


def test_a_fraction_of_degraded_copies_is_of_a_fraction_of_the_clips(clips):
    def copied(clips, number):
        copies = with_copies(clips, Augment(speeds=(), degraded=number))[len(clips) :]
        return [(c.example.id, c.change) for c in copies]

    some = copied(clips, 0.25)
    assert 0.1 < len(some) / len(clips) < 0.4
    assert some == [each for each in copied(clips, 1) if each in some]
    assert copied(clips[::-1], 0.25) == some[::-1]  # whatever other clips there are
    assert len(copied(clips, 1.25)) == len(clips) + len(
        [c for c in copied(clips, 1.25) if c[1] == "degraded 1"]
    )
    assert 0 < len(copied(clips, 1.25)) - len(clips) < len(clips)


def test_speeds_add_shorter_and_longer_copies_with_their_label(clips):
    few = clips[:2]
    copies = with_copies(few, Augment(speeds=(0.9, 1.1)))
    assert len(copies) == 6
    assert copies[:2] == few
    assert copies[2].seconds == pytest.approx(few[0].seconds / 0.9, abs=1e-3)
    assert copies[4].seconds == pytest.approx(few[0].seconds / 1.1, abs=1e-3)
    assert [c.label for c in copies] == [c.label for c in few] * 3
    wave = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    tone = few[0].__class__(few[0].example, Recording("tone", wave))
    faster = with_copies([tone], Augment(speeds=(1.25,)))[1].recording.wave
    assert np.argmax(np.abs(np.fft.rfft(faster))) * 16_000 / len(faster) == pytest.approx(
        1250, abs=5
    )
