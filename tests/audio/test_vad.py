from itertools import cycle, islice, pairwise

import numpy as np
import pytest
import soundfile
import torch
from helpers import DEMO
from silero_vad import load_silero_vad

from affekt.audio import decoding, vad
from affekt.audio.vad import FRAME, LONGEST, LevelDetector, SileroDetector, split_utterances

RATE = 16_000


def bursts(*seconds, noise=0.0):
    """Sound and silence by turns, silence first."""
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal(round(s * RATE)) * (0.1 * (i % 2)) for i, s in enumerate(seconds)]
    wave = np.concatenate(parts)
    return (wave + noise * rng.standard_normal(len(wave))).astype(np.float32)


def found(wave, size=4000, detector=None):
    blocks = [wave[i : i + size] for i in range(0, len(wave), size)]
    return [(u.start, u.end) for u in split_utterances(blocks, detector or LevelDetector())]


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_utterances_are_found_at_their_positions(noise):
    spoken = found(bursts(1, 2, 1.5, 0.6, 0.8, 3, 2, noise=noise))
    expected = [(1, 3), (4.5, 5.1), (5.9, 8.9)]
    assert len(spoken) == 3
    for (start, end), (first, last) in zip(spoken, expected, strict=True):
        assert first - 0.15 < start <= first
        assert last <= end < last + 0.15


def test_the_model_sees_a_little_of_the_pauses_around_an_utterance():
    wave = bursts(1, 2, 0.6, 1, 0.05)
    first, last = split_utterances([wave], LevelDetector())
    assert first.wave_start == pytest.approx(0.7, abs=0.04)
    assert first.wave_start + len(first.wave) / RATE == pytest.approx(3.3, abs=0.04)
    assert last.wave_start + len(last.wave) / RATE == last.end == len(wave) / RATE
    for one in (first, last):
        begin = round(one.wave_start * RATE)
        assert np.array_equal(one.wave, wave[begin : begin + len(one.wave)])


def test_a_breath_within_an_utterance_does_not_cut_it_and_a_click_makes_none():
    assert len(found(bursts(1, 1, 0.3, 1, 1))) == 1
    assert found(bursts(1, 0.05, 1, 0.05, 2)) == []
    assert found(np.zeros(5 * RATE, np.float32)) == []
    assert found(np.zeros(0, np.float32)) == []


@pytest.mark.parametrize("size", [1, 511, 512, 70_000])
def test_the_size_of_blocks_does_not_matter(size):
    wave = bursts(0.5, 1.2, 0.9, 0.7)
    assert found(wave, size) == found(wave)


def test_a_long_utterance_is_cut_at_its_softest_frame_without_loss():
    wave = bursts(0.7, 40, 0.7)
    wave[round(11.4 * RATE) : round(11.45 * RATE)] *= 0.01
    spoken = found(wave, detector=lambda frames: np.abs(frames).max(1) > 1e-4)
    assert spoken[0][1] == pytest.approx(11.43, abs=0.05)
    assert all(end - start <= LONGEST * FRAME / RATE for start, end in spoken)
    assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(spoken))
    assert spoken[-1][1] >= 40.7


def test_an_endless_stream_gives_each_utterance_as_it_ends():
    taken = 0

    def endless():
        nonlocal taken
        for block in cycle([bursts(0.8, 1.0)]):
            taken += 1
            yield block

    assert len(list(islice(split_utterances(endless(), LevelDetector()), 5))) == 5
    assert taken <= 7


def test_the_last_frame_is_filled_up():
    wave = np.ones(FRAME + 10, np.float32)
    seen = []

    def detector(frames):
        seen.extend(frames.sum(1))
        return np.zeros(len(frames), bool)

    list(split_utterances([wave[:3], wave[3:]], detector))
    assert seen == [FRAME, 10]


def test_an_utterance_ends_no_later_than_the_recording():
    wave = bursts(0.5, 1.0)[: RATE + 100]
    [spoken] = split_utterances([wave], LevelDetector())
    assert spoken.wave_start + len(spoken.wave) / RATE == pytest.approx(len(wave) / RATE)
    assert spoken.end <= len(wave) / RATE


@pytest.mark.parametrize("name", ["silero", "level"])
def test_recordings_together_have_the_utterances_of_each(name, monkeypatch):
    if name == "level":
        monkeypatch.setattr(vad, "detector", lambda: ("level", LevelDetector()))
    waves = [decoding.read(path).wave for path in DEMO]
    waves += [waves[0][:700], np.zeros(1, np.float32), np.zeros(0, np.float32)]
    for wave, together in zip(waves, vad.split_recordings(waves), strict=True):
        alone = list(split_utterances([wave], vad.detector()[1]))
        assert [(u.start, u.end) for u in together] == [(u.start, u.end) for u in alone]
        for a, b in zip(together, alone, strict=True):
            assert np.array_equal(a.wave, b.wave)


def test_blocks_have_the_probabilities_of_silero_vad_frame_by_frame():
    wave = decoding.read(DEMO[0]).wave
    frames = wave[: len(wave) // FRAME * FRAME].reshape(-1, FRAME)
    network = load_silero_vad()
    with torch.inference_mode():
        expected = [float(network(torch.from_numpy(frame), RATE)) for frame in frames]
    detector = SileroDetector()
    found = [detector.probabilities(block) for block in (frames[:1], frames[1:40], frames[40:])]
    assert np.allclose(np.concatenate(found), expected, atol=1e-4)
    assert min(expected) < 0.1
    assert max(expected) > 0.9


@pytest.mark.parametrize("make", [LevelDetector, SileroDetector])
def test_real_utterances_are_found(make, emodb):
    threads = torch.get_num_threads()
    paths = sorted((emodb / "wav").glob("*.wav"))[:20]
    pause = np.zeros(RATE, np.float32)
    wave = np.concatenate([w for p in paths for w in (pause, decoding.read(p).wave)])
    spoken = found(wave, detector=make())
    assert abs(len(spoken) - len(paths)) <= 3
    detected = sum(end - start for start, end in spoken)
    assert detected == pytest.approx(len(wave) / RATE - len(paths), rel=0.25)
    assert torch.get_num_threads() == threads


def test_a_decoder_gives_the_recording_at_once_or_block_by_block(tmp_path):
    wave = bursts(1, 2, 1)
    soundfile.write(tmp_path / "a.wav", wave, 22_050, subtype="FLOAT")
    whole = decoding.read(tmp_path / "a.wav")
    decoder = decoding.Decoder(tmp_path / "a.wav")
    assert decoder.read(1.0) is None
    assert np.array_equal(np.concatenate(list(decoder)), whole.wave)
    assert decoder.sampling_rate == 22_050
    assert decoder.promised == pytest.approx(len(wave) / 22_050)
    again = decoding.Decoder(tmp_path / "a.wav").read(10.0)
    assert np.array_equal(again.wave, whole.wave)
    assert again.warnings == whole.warnings
