import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from helpers import ROOT, affekt

from affekt import AffektError
from affekt.audio.recording import from_array
from affekt.inference.normalisation import (
    PRIOR,
    UNMIXED,
    NormalisationStatistics,
    load_statistics,
)
from affekt.inference.recognizer import Recognizer
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import load_checkpoint
from affekt.nn.emotion_model import Statistics
from affekt.nn.linear_head import LinearHead

RATE = 16_000
EMPTY = LinearHead(6, 2, 2)
DEMO = ROOT / "demo"


@pytest.fixture(scope="module")
def embeddings():
    torch.manual_seed(0)
    return torch.randn(400, 6) * torch.arange(1, 7) + torch.arange(6) * 10


def test_running_statistics_are_those_of_everything_heard(embeddings):
    source = NormalisationStatistics.unknown("e", 6)
    for part in embeddings.split([1, 7, 100, 292]):
        source = source.updated(part)
    assert source.segments == 400
    assert torch.allclose(source.mean, embeddings.double().mean(0))
    assert torch.allclose(source.variance, embeddings.double().var(0, correction=0))


def test_nothing_heard_leaves_the_prior_and_much_heard_leaves_none_of_it(embeddings):
    prior = Statistics(torch.full((6,), 5.0), torch.full((6,), 3.0))
    start = NormalisationStatistics.unknown("e", 6)
    assert torch.equal(start.statistics(prior, EMPTY).mean, prior.mean)
    assert torch.equal(start.statistics(prior, EMPTY).sd, prior.sd)
    far = start.updated(embeddings.repeat(1000, 1)).statistics(prior, EMPTY)
    assert torch.allclose(far.mean, embeddings.mean(0), atol=1e-2)
    assert torch.allclose(far.sd, embeddings.std(0, correction=0), rtol=1e-3)


def test_the_prior_counts_as_so_many_segments():
    prior = Statistics(torch.zeros(1), torch.ones(1))
    encoded = NormalisationStatistics.unknown("e", 1).updated(torch.full((int(PRIOR), 1), 4.0))
    mixed = encoded.statistics(prior, EMPTY)
    assert mixed.mean.item() == pytest.approx(2.0)  # halfway
    # half of (0 + 2^2) of what was heard, half of the prior's 1
    assert mixed.sd.item() == pytest.approx(((4 + 1) / 2) ** 0.5)


def test_what_a_speaker_felt_stays_in_the_mean():
    """Two classes at -2 and 2; one speaker with one class only, one with both and an offset."""
    head = LinearHead(1, 2, 2)
    head.set_classes(torch.tensor([[-2.0], [2.0]]), torch.eye(1))
    prior = Statistics(torch.zeros(1), torch.ones(1))
    noise = torch.randn(200, 5, 1, generator=torch.manual_seed(0))
    signs = (-1) ** torch.arange(200)[:, None, None]
    for utterances, offset in ((2 + noise, 0.0), (1 + 2 * signs + noise, 1.0)):
        source = NormalisationStatistics.unknown("e", 1)
        for utterance in utterances:
            source = source.updated(utterance)
        assert source.statistics(prior, head).mean.item() == pytest.approx(2 - offset, abs=0.2)
        source = source.with_classes([(5, u.mean(0)) for u in utterances], prior, head)
        assert source.statistics(prior, head).mean.item() == pytest.approx(offset, abs=0.25)
        assert source.shares.sum().item() == pytest.approx(1)


def test_the_mean_of_a_speaker_in_several_emotions_is_the_speaker_alone():
    """Classes at -4 and 4 along the first of three dimensions; the offset of the voice is 2."""
    head = LinearHead(3, 2, 2)
    head.set_classes(torch.tensor([[-4.0, 0, 0], [4.0, 0, 0]]), torch.eye(3))
    head.alike.fill_(1.2)
    prior = Statistics(torch.zeros(3), torch.ones(3))
    rng = torch.Generator().manual_seed(0)
    felt = {"both": [-4.0, 4.0], "one": [4.0], "one of four": [4.0, 4.0, 4.0, -4.0]}
    for name, classes in felt.items():
        source = NormalisationStatistics.unknown("e", 3)
        for count in (2, 6, 72):
            own = torch.tensor(classes * count)[:count]
            means = torch.randn(count, 3, generator=rng) + torch.tensor([2.0, 0, 0])
            means[:, 0] += own
            for mean in means:
                source = source.updated(mean[None])
            source = source.with_classes([(1, mean) for mean in means], prior, head)
            assert (source.mixed == 0) == (name == "one" or count == 2)
        if name == "one":
            assert source.statistics(prior, head).mean[0].item() < 3  # 4 of 6 was felt
            continue
        assert source.mixed == 1
        own = 80 / (80 + PRIOR)
        mean = source.statistics(prior, head).mean.double()
        if name == "both":
            assert torch.allclose(mean, own * source.mean, atol=1e-5)
            continue
        felt = source.shares @ head.means  # is left in: far more was heard of one class
        sd = source.statistics(prior, head).sd.double()
        assert torch.allclose(mean, own * (source.mean - sd * felt), atol=1e-3)


@pytest.mark.parametrize(
    ("share", "left_in"), [(0.5, 0.0), (0.75, 0.0), (0.85, 0.448), (0.99, 1.0)]
)
def test_the_more_even_the_mix_the_less_is_left_in(share, left_in):
    """Effective numbers of classes: 2, 1.75, 1.53 and 1.06; the bounds are 1.25 and 1.75."""
    head = LinearHead(1, 2, 2)
    head.set_classes(torch.tensor([[-4.0], [4.0]]), torch.eye(1))
    shares = torch.tensor([share, 1 - share])
    heard = NormalisationStatistics("e", 180, torch.ones(1), torch.ones(1), shares, mixed=1.0)
    mean, sd, _ = heard._drawn(0.5, Statistics(torch.zeros(1), torch.ones(1)), head)
    felt = (shares @ head.means).item()
    assert mean.item() == pytest.approx(0.5 * (1 - left_in * sd.item() * felt), abs=0.05)


def test_how_a_speaker_expresses_a_class_is_learned_where_there_are_several():
    """Classes at -4 and 4; the speaker's at -4 and 2. Told apart with near certainty."""
    head = LinearHead(2, 2, 2)
    head.set_classes(torch.tensor([[-4.0, 0], [4.0, 0]]), torch.eye(2))
    prior = Statistics(torch.zeros(2), torch.ones(2))
    means = torch.tensor([[-4.0, 1.0], [2.0, -1.0]]).repeat(15, 1)
    source = NormalisationStatistics.unknown("e", 2).updated(means)
    known = replace(source, mixed=1.0)
    classes = known._classes_with(means, prior, head)
    assert torch.allclose(classes.numbers, torch.full((2,), 15.0).double(), atol=5e-2)
    assert torch.allclose(classes.means, means[:2].double(), atol=5e-2)
    known = replace(known, classes=classes)
    mean, sd, drawn = known.statistics(prior, head)
    own = (means[:2] - mean) / sd
    expected = 15 / 20 * own[:, 0] + 5 / 20 * torch.tensor([-4.0, 4.0])
    sign = head.along(head.means)[1, 0].sign()  # of the only discriminant
    assert torch.allclose(sign * drawn[:, 0], expected, atol=5e-2)
    half = replace(known, mixed=0.5).statistics(prior, head).classes
    assert torch.allclose(half, (drawn + head.along(head.means)) / 2)
    assert replace(known, mixed=0.0).statistics(prior, head).classes is None
    parts = replace(source, mixed=1.0)
    for part in means.split(10):
        parts = replace(parts, classes=parts._classes_with(part, prior, head))
    assert torch.allclose(parts.classes.means, classes.means, atol=5e-2)


def test_a_speaker_who_is_heard_in_few_classes_counts_less():
    heard = NormalisationStatistics("e", 180, torch.zeros(1), torch.ones(1))
    one_class = replace(heard, shares=torch.tensor([1.0, 0]), mixed=1.0)
    assert one_class.share == 180 / (180 + PRIOR)
    shares = {
        (0.2,) * 5: 180 / (180 + PRIOR),
        (0.25, 0.25, 0.25, 0.25, 0): 180 / (180 + PRIOR),
        (0.5, 0.5, 0, 0, 0): 180 / (180 + PRIOR + UNMIXED * 180 * 2 / 3),
        (1, 0, 0, 0, 0): 180 / (180 + PRIOR + UNMIXED * 180),
        (0.5, 0.5): 180 / (180 + PRIOR),  # of a model with two classes
        (1, 0): 180 / (180 + PRIOR + UNMIXED * 180),
    }
    for found, expected in shares.items():
        told = replace(heard, shares=torch.tensor(found, dtype=torch.float32))
        assert told.share == pytest.approx(expected, abs=1e-4)
    assert heard.share == 180 / (180 + PRIOR)


def test_neutral_speech_moves_the_mean_and_leaves_the_spread(embeddings, tmp_path):
    prior = Statistics(torch.full((6,), 5.0), torch.full((6,), 3.0))
    voice = replace(NormalisationStatistics.unknown("e", 6), neutral=True).updated(embeddings)
    voice.save(tmp_path / "v.safetensors")
    for source in (voice, load_statistics(tmp_path / "v.safetensors")):
        told = source.statistics(prior, EMPTY)
        assert torch.equal(told.sd, prior.sd)
        expected = (400 * embeddings.double().mean(0) + PRIOR * 5.0) / (400 + PRIOR)
        assert torch.allclose(told.mean.double(), expected, rtol=1e-5)


def test_saved_and_read_again(embeddings, tmp_path):
    prior = Statistics(torch.zeros(6), torch.ones(6))
    clips = [(1, embedding) for embedding in embeddings]
    source = NormalisationStatistics.unknown("e", 6).updated(embeddings)
    source = replace(source.with_classes(clips, prior, EMPTY), mixed=0.25)
    source.save(tmp_path / "s.safetensors")
    again = load_statistics(tmp_path / "s.safetensors")
    assert again.mixed == 0.25
    assert again.utterances.number == 400
    assert torch.equal(again.utterances.variance, source.utterances.variance)
    assert torch.equal(again.classes.means, source.classes.means)
    assert torch.equal(again.classes.numbers, source.classes.numbers)
    assert (again.encoder, again.segments) == ("e", 400)
    assert torch.equal(again.mean, source.mean)
    assert torch.equal(again.variance, source.variance)


@pytest.mark.parametrize("content", [b"", b"no statistics", b"{}"])
def test_something_else_is_refused(content, tmp_path):
    path = tmp_path / "s.safetensors"
    path.write_bytes(content)
    with pytest.raises(AffektError, match="not normalisation statistics"):
        load_statistics(path)
    with pytest.raises(AffektError, match="not normalisation statistics"):
        load_statistics(tmp_path / "absent")


def voice(seed, pitch):
    time = np.arange(2 * RATE) / RATE
    rng = np.random.default_rng(seed)
    wobble = pitch * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(2, 5) * time))
    wave = sum(np.sin(2 * np.pi * k * np.cumsum(wobble) / RATE) / k for k in range(1, 12))
    return from_array((wave * np.hanning(len(wave)) * 0.1).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def recognizer():
    loaded = Recognizer(load_checkpoint(model_folder("default")))
    loaded._model.gate.threshold.fill_(-torch.inf)  # these hums are no speech
    return loaded


def test_standardised_by_its_source_a_clip_is_heard_otherwise_and_the_result_says_so(recognizer):
    recordings = [voice(i, 100 + 20 * i) for i in range(6)]
    source = recognizer.statistics_of(recognizer.encode(recordings))
    plain, known = recognizer.recognise(recordings), recognizer.recognise(recordings, source)
    assert source.segments == sum(len(p.segments) for p in plain)
    assert {p.normalisation_segments for p in plain} == {0}
    assert {p.normalisation_segments for p in known} == {source.segments}
    assert plain[0].probabilities != known[0].probabilities
    [alone] = recognizer.recognise(recordings[:1])
    nothing = recognizer.recognise(recordings[:1], recognizer.statistics_of([]))
    for label, p in alone.probabilities.items():
        assert nothing[0].probabilities[label] == pytest.approx(p, abs=1e-5)


def test_statistics_of_another_encoder_are_refused(recognizer):
    other = NormalisationStatistics.unknown("another", 1024)
    with pytest.raises(AffektError, match="another encoder"):
        recognizer.recognise([voice(0, 100)], other)
    with pytest.raises(AffektError, match="another encoder"):
        recognizer.statistics_of([], other)


def test_statistics_of_a_model_with_other_classes_are_refused(recognizer):
    clips = [voice(0, 100)]
    statistics = recognizer.statistics_of(recognizer.encode(clips))
    other = replace(statistics, shares=torch.full((6,), 1 / 6))
    with pytest.raises(AffektError, match="a model with 6 classes, this one has 7"):
        recognizer.recognise(clips, other)
    with pytest.raises(AffektError, match="a model with 6 classes, this one has 7"):
        recognizer.statistics_of([], other)


def test_copies_of_one_utterance_are_not_several_emotions():
    head = LinearHead(3, 2, 2)
    head.set_classes(torch.tensor([[-4.0, 0, 0], [4.0, 0, 0]]), torch.eye(3))
    head.alike.fill_(1.2)
    clip = torch.tensor([0.3, 0.1, 0.7])
    copies = [(1, clip + torch.tensor([1e-5 * i, 0, 0])) for i in range(8)]
    source = NormalisationStatistics.unknown("e", 3).updated(torch.stack([c for _, c in copies]))
    prior = Statistics(torch.zeros(3), torch.ones(3))
    assert source.with_classes(copies, prior, head).mixed == 0


def test_what_is_no_speech_says_nothing_of_the_source(recognizer):
    silent = from_array(np.zeros(RATE, np.float32), RATE)
    assert recognizer.statistics_of(recognizer.encode([silent])).segments == 0


def test_the_command_learns_a_source_and_predict_uses_it(tmp_path):
    spoken = sorted(DEMO.glob("*.flac"))
    folder = tmp_path / "calls"
    folder.mkdir()
    for i, path in enumerate(spoken):
        wave, rate = soundfile.read(path)
        soundfile.write(folder / f"{i}.wav", wave, rate)
    stats = tmp_path / "line.safetensors"
    done = affekt("adapt", "--unlabelled", folder, "--out", stats)
    assert done.returncode == 0, done.stderr
    assert f"{len(spoken)} recordings" in done.stdout
    files = sorted(folder.iterdir())
    results = {}
    for how in ("shared", str(stats)):
        done = affekt("predict", *files, "--json", "--normalisation", how)
        assert done.returncode == 0, done.stderr
        results[how] = [json.loads(line) for line in done.stdout.splitlines()]
    for one, two in zip(*results.values(), strict=True):
        assert one["normalisation_segments"] == two["normalisation_segments"] > 0
        assert one["probabilities"] == pytest.approx(two["probabilities"], abs=0.002)
    again = affekt("adapt", "--unlabelled", folder, "--out", stats)
    assert again.returncode == 2
    assert "exists" in again.stderr
    voice = affekt("adapt", "--neutral", folder, "--out", tmp_path / "voice.safetensors")
    assert voice.returncode == 0, voice.stderr
    assert load_statistics(tmp_path / "voice.safetensors").neutral
    assert not load_statistics(stats).neutral
    both = affekt("adapt", "--neutral", folder, "--unlabelled", folder, "--out", tmp_path / "d")
    assert both.returncode == 2
    (folder / "broken.wav").write_bytes(b"no sound")
    partly = affekt("adapt", "--unlabelled", folder, "--out", tmp_path / "b.safetensors")
    assert partly.returncode == 2
    assert "broken.wav" in partly.stderr
    assert f"{len(spoken)} recordings" in partly.stdout
    empty = affekt("adapt", "--unlabelled", tmp_path / "none", "--out", tmp_path / "c.safetensors")
    assert empty.returncode == 2
    assert "none: cannot be opened" in empty.stderr
