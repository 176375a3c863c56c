"""Voices on one channel: planted embeddings, and real speakers in several emotions."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from affekt.inference.normalisation import NormalisationStatistics
from affekt.inference.speakers import (
    ALIKE,
    CERTAIN,
    CLUSTERED,
    LEAST_SPEECH,
    PAIRS,
    RECORDING,
    WITHIN,
    drawn_to_recording,
    tell_apart,
)
from affekt.nn.voice_encoder import voice_embeddings

DIM = 32


def planted(order, likeness=0.6, seed=0):
    """Utterances of orthogonal voices; the mean cosine of two utterances of one is `likeness`."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(order), DIM - 8))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    voices = np.eye(8)[list(order)]
    return np.hstack([likeness**0.5 * voices, (1 - likeness) ** 0.5 * noise])


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_planted_voices_are_counted_and_numbered_by_first_appearance(number):
    order = np.array([3, 3, 1, 3, 1, 1, 0, 0, 3, 2, 2, 1, 0, 2] * 3) % number
    found = tell_apart(planted(order), [3.0] * len(order))
    numbers = {voice: i for i, voice in enumerate(dict.fromkeys(order.tolist()))}
    assert found.number == number
    assert found.of_utterances.tolist() == [numbers[voice] for voice in order]


def test_groups_that_are_as_alike_as_the_utterances_within_them_are_one_speaker():
    """Two kinds of utterances, as calm and angry: 6 of each, of cosine 0.5 within a kind."""
    within = (15 * 0.5 + PAIRS * WITHIN) / (15 + PAIRS)  # 15 pairs of each kind
    for between, number in ((ALIKE * within + 0.01, 1), (ALIKE * within - 0.01, 2)):
        assert between < CERTAIN
        centres = np.array([[1.0, 0.0], [2 * between, (1 - 4 * between**2) ** 0.5]])
        kinds = np.hstack([centres[[0, 1] * 6], np.eye(12)]) * 0.5**0.5
        assert tell_apart(kinds, [4.0] * 12).number == number


def test_a_voice_with_little_speech_is_no_speaker():
    order = [0] * 6 + [1] + [0] * 5
    for seconds, number in ((LEAST_SPEECH - 0.1, 1), (LEAST_SPEECH + 0.1, 2)):
        durations = [3.0] * 6 + [seconds] + [3.0] * 5
        assert tell_apart(planted(order), durations).number == number


def test_a_given_number_of_speakers_is_kept_up_to_the_number_of_utterances():
    embeddings = planted([0, 1, 2, 0, 1, 2], likeness=0.9)
    assert [tell_apart(embeddings, [1.0] * 6, n).number for n in (1, 2, 3)] == [1, 2, 3]
    assert tell_apart(embeddings, [1.0] * 6, 9).number == 6
    assert tell_apart(embeddings, [1.0] * 6, 3).of_utterances.tolist() == [0, 1, 2, 0, 1, 2]


def test_longer_utterances_weigh_more():
    """a and b are alike; c is more like a: it joins them where a is the longer one."""
    a, b = np.array([1.0, 0.0, 0.0]), np.array([0.9, 0.19**0.5, 0.0])
    c = np.array([0.35, -0.115 / 0.19**0.5, 0.0])
    c[2] = (1 - c @ c) ** 0.5
    assert c @ b == pytest.approx(0.2)
    # One pair of cosine 0.9 in the one group, none in the other:
    within = ((0.9 + PAIRS * WITHIN) / (1 + PAIRS) * WITHIN) ** 0.5
    assert (5 * 0.35 + 30 * 0.2) / 35 < ALIKE * within < (30 * 0.35 + 5 * 0.2) / 35 < CERTAIN
    for seconds, number in (([30.0, 5.0, 5.0], 1), ([5.0, 30.0, 5.0], 2)):
        assert tell_apart(np.stack([a, b, c]), seconds).number == number


def test_later_utterances_go_to_the_nearest_known_voice():
    order = [0, 0, 1, 1, 0, 1] * 20
    embeddings = planted(order)
    seconds = [CLUSTERED / 60] * 120  # the second half comes after the clustered part
    found = tell_apart(embeddings, seconds)
    assert found.of_utterances.tolist() == order
    assert [found.assign(e) for e in planted(order, seed=1)] == order
    lengths = np.linalg.norm(found.centroids, axis=1)
    assert lengths == pytest.approx(np.ones(2))


def test_no_utterance_and_no_speaker_are_refused():
    with pytest.raises(ValueError, match="no utterance"):
        tell_apart(np.empty((0, DIM)), [])
    with pytest.raises(ValueError, match="speakers is 0"):
        tell_apart(planted([0]), [1.0], 0)


def test_statistics_of_a_speaker_are_drawn_to_those_of_the_recording():
    nothing = NormalisationStatistics.unknown("e", 1)
    speaker = nothing.updated(torch.full((RECORDING, 1), 4.0))
    recording = speaker.updated(torch.zeros(3 * RECORDING, 1))
    drawn = drawn_to_recording(speaker, recording)  # means 4 and 1, variances 0 and 3, half each
    assert drawn.segments == 2 * RECORDING
    assert drawn.mean.item() == pytest.approx(2.5)
    assert drawn.variance.item() == pytest.approx((0 + 1.5**2 + 3 + 1.5**2) / 2)
    felt = (
        replace(s, shares=torch.tensor(p)) for s, p in ((speaker, [1.0, 0]), (recording, [0, 1.0]))
    )
    assert drawn_to_recording(*felt).shares.tolist() == [0.5, 0.5]
    alone = drawn_to_recording(speaker, speaker)
    assert (alone.segments, alone.mean, alone.variance) == (RECORDING, 4.0, 0.0)
    assert drawn_to_recording(nothing, nothing) is nothing


def test_real_speakers_are_told_apart_whatever_they_feel(emodb):
    """Two speakers of EMO-DB in happiness, anger, neutral and sadness, in turns."""
    names = ["03a01Fa", "08a01Na", "08a01Wa", "03a01Nc", "03b01Td", "03a01Wa", "08b02Tc", "08a01Fd"]
    waves = [soundfile.read(next(emodb.rglob(f"{n}.wav")), dtype="float32")[0] for n in names]
    found = tell_apart(voice_embeddings(waves), [len(wave) / 16_000 for wave in waves])
    assert found.of_utterances.tolist() == [0, 1, 1, 0, 0, 0, 1, 1]
