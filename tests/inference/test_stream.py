import numpy as np
import pytest
import torch
from helpers import ROOT

import affekt
from affekt import AudioError
from affekt.audio import decoding
from affekt.audio.recording import from_array
from affekt.errors import RenamedWarning
from affekt.inference.recognizer import Recognizer
from affekt.inference.stream import WINDOW, Stream
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer():
    """At the model's own hop, in exact arithmetic."""
    loaded = Recognizer(load_checkpoint(model_folder("default")))
    loaded._encoder = loaded._model.encoder
    return loaded


@pytest.fixture(scope="module")
def wave():
    pause = np.zeros(RATE, np.float32)
    parts = [
        decoding.read(ROOT / f"demo/{name}.flac").wave[: 4 * RATE] for name in ("lively", "flat")
    ]
    return np.concatenate([pause, parts[0], pause, parts[1], pause])


def pushed(stream, wave, size):
    segments = [s for i in range(0, len(wave), size) for s in stream.push(wave[i : i + size])]
    return segments + stream.close()


def values(segments):
    return np.array([[s.start, s.end, *s.probabilities.values()] for s in segments])


def test_each_moment_equals_offline_recognition_of_the_seconds_before_it(recognizer, wave):
    segments = pushed(Stream(recognizer, normalisation="none"), wave, 1600)
    assert [s.end for s in segments[:3]] == pytest.approx([0.96, 1.2, 1.44])
    assert len(segments) == (len(wave) - 0.96 * RATE) // (0.24 * RATE) + 1
    assert {"uncertain"} < {s.label for s in segments}
    for segment in segments[::5]:
        end = round(segment.end * RATE)
        before = from_array(wave[max(0, end - round(WINDOW * RATE)) : end], RATE)
        [offline] = recognizer.recognise([before])
        expected = list(offline.segments[-1].probabilities.values())
        assert list(segment.probabilities.values()) == pytest.approx(expected, abs=1e-4)
        assert segment.label in (offline.segments[-1].label, "uncertain")


def test_a_pause_has_no_emotion(recognizer, wave):
    rng = np.random.default_rng(0)
    pause = 10 ** (-50 / 20) * rng.standard_normal(4 * RATE).astype(np.float32)
    segments = pushed(Stream(recognizer), np.concatenate([pause, wave, pause]), 1600)
    seconds = len(wave) / RATE
    for segment in segments:
        if segment.end <= 4.5 or segment.start > seconds + 4.5:
            assert segment.label == "uncertain"
    spoken = [s for s in segments if s.start > 6 and s.end < seconds + 2.5]
    assert np.mean([s.label != "uncertain" for s in spoken]) > 0.5


def test_the_size_of_pushed_blocks_does_not_matter(recognizer, wave):
    expected = values(pushed(Stream(recognizer, hop=0.48), wave, 1600))
    for size in (777, 10**6):
        got = values(pushed(Stream(recognizer, hop=0.48), wave, size))
        assert np.allclose(got, expected, atol=1e-4), size


def test_a_moment_depends_on_nothing_later(recognizer, wave):
    changed = wave.copy()
    changed[5 * RATE :] = np.random.default_rng(0).standard_normal(len(wave) - 5 * RATE) * 0.1
    before, after = (values(Stream(recognizer, hop=0.48).push(w)) for w in (wave, changed))
    early = before[:, 1] <= 5
    assert np.allclose(before[early], after[early], atol=1e-4)
    assert not np.allclose(before[~early], after[~early], atol=1e-2)


def test_utterances_are_those_of_a_file(recognizer, wave, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    for normalisation in ("none", "speaker"):
        how = {"normalisation": normalisation, "lookahead": 0}
        expected = list(recognizer.utterances(tmp_path / "a.wav", **how))
        ended = []
        stream = Stream(recognizer, ended=ended.append, normalisation=normalisation)
        pushed(stream, wave, 1600)
        assert [p.start for p in ended] == [p.start for p in expected]
        assert [p.normalisation_segments for p in ended] == [
            p.normalisation_segments for p in expected
        ]
        for one, other in zip(ended, expected, strict=True):
            assert list(one.probabilities.values()) == pytest.approx(
                list(other.probabilities.values()), abs=1e-3
            )
            assert np.allclose(values(one.segments), values(other.segments), atol=1e-3)


def test_other_rates_channels_and_types(recognizer, wave):
    def stream(rate=RATE):
        return Stream(recognizer, rate, hop=0.48, normalisation="none")

    wave = wave[: 6 * RATE]  # a pause, speech and a pause
    int16 = (wave * 32767).astype(np.int16)
    expected = values(stream().push(int16.astype(np.float32) / 32768))  # rounded alike
    stereo = np.stack([int16, int16], axis=1)
    assert np.allclose(values(stream().push(stereo)), expected, atol=0.02)
    one_by_one = stream()  # a short block is refused only before the channels are known
    blocks = (stereo[:2], *stereo[2:60, None], torch.from_numpy(stereo[60:]))
    pushed = [segment for block in blocks for segment in one_by_one.push(block)]
    assert np.allclose(values(pushed), expected, atol=0.02)
    slow = stream(8_000)
    half = slow.push(wave[::2]) + slow.close()
    assert len(half) == len(expected)


def test_the_old_name_of_the_sampling_rate_warns_and_works(recognizer, wave):
    with pytest.warns(RenamedWarning, match="rate is now sampling_rate"):
        old = Stream(recognizer, rate=8_000)
    current = Stream(recognizer, sampling_rate=8_000)
    half = wave[: 4 * RATE : 2]
    assert np.array_equal(values(old.push(half)), values(current.push(half)))


@pytest.mark.parametrize(
    ("make", "push", "error"),
    [
        ({"sampling_rate": 10}, None, AudioError),
        ({"hop": 0.0}, None, ValueError),
        ({"hop": 0.245}, None, ValueError),
        ({}, np.array(["a"]), ValueError),
        ({}, np.zeros((2, 2, 2)), ValueError),
        ({}, np.array([0.0, np.nan]), AudioError),
        ({}, np.zeros((2, 64)), ValueError),  # channels first
    ],
)
def test_wrong_arguments_and_samples_are_refused(recognizer, make, push, error):
    with pytest.raises(error):
        Stream(recognizer, **make).push(push)


def test_nothing_and_too_little_give_no_segment(recognizer):
    stream = Stream(recognizer)
    for samples in ([], np.zeros(0), np.zeros((0, 2)), np.zeros(100)):
        assert stream.push(samples) == []
    assert stream.close() == []


def test_with_a_long_hop_no_moment_is_predicted_before_it_was_spoken(recognizer, wave):
    stream, pushed_samples = Stream(recognizer, hop=5), 0
    for start in range(0, len(wave), 960):
        pushed_samples += len(wave[start : start + 960])
        for segment in stream.push(wave[start : start + 960]):
            seconds = pushed_samples / RATE
            assert seconds - 0.06 < segment.end <= seconds


def test_statistics_are_updated_without_a_callback_for_utterances(recognizer, wave):
    stream = Stream(recognizer, hop=5)
    pushed(stream, wave, 1600)
    assert stream._statistics.segments > 5


def test_memory_does_not_grow(recognizer):
    stream = Stream(recognizer, hop=0.96)
    for _ in range(20):
        stream.push(np.zeros(RATE, np.float32))
    assert len(stream._wave) <= WINDOW * RATE


def test_it_is_public():
    assert affekt.Stream is Stream
