import io
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from helpers import ROOT
from safetensors.torch import load_file

import affekt
from affekt import AffektError, AudioError
from affekt.audio import decoding
from affekt.audio.recording import Recording, from_array
from affekt.audio.segmentation import SEGMENT
from affekt.audio.vad import SileroDetector, split_utterances
from affekt.config import Config
from affekt.inference.recognizer import Recognizer, load
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import Checkpoint, load_checkpoint
from affekt.nn.emotion_model import EmotionModel

RATE = 16_000
DEMO = ROOT / "demo"
FLAT, LIVELY = DEMO / "flat.flac", DEMO / "lively.flac"


def speech(seconds, seed=0):
    """A part of a recording of speech, repeated where it is too short."""
    return np.resize(decoding.read((LIVELY, FLAT)[seed % 2]).wave, round(seconds * RATE))


@pytest.fixture(scope="module")
def default():
    return affekt.load()


@pytest.fixture(scope="module")
def exact():
    """Without bfloat16, whose rounding would hide small faults."""
    recognizer = affekt.load()
    recognizer._encoder = recognizer._model.encoder
    return recognizer


def assert_sound(prediction, labels):
    assert list(prediction.probabilities) == labels
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert prediction.confidence == max(prediction.probabilities.values())
    assert (prediction.label == "uncertain") == bool(prediction.rejection_reason)
    if not prediction.rejection_reason:
        assert prediction.probabilities[prediction.label] == prediction.confidence
    assert sum(s.attention for s in prediction.segments) == pytest.approx(1, abs=1e-9)
    assert prediction.segments[0].start == 0
    assert prediction.segments[-1].end == pytest.approx(prediction.duration, abs=0.011)
    for segment in prediction.segments:
        assert 0 < segment.end - segment.start <= SEGMENT + 1e-9
        assert sum(segment.probabilities.values()) == pytest.approx(1, abs=1e-9)
        if prediction.rejection_reason:
            assert segment.label == "uncertain"
        else:
            assert segment.probabilities[segment.label] == max(segment.probabilities.values())


@pytest.mark.parametrize("seconds", [0.1, 0.96, 2.7, 33.0])
def test_a_prediction_is_whole_and_consistent(default, seconds):
    [prediction] = default.recognise([from_array(speech(seconds), RATE)])
    assert prediction.duration == pytest.approx(seconds)
    assert_sound(prediction, default.labels)
    expected = {0.1: ["short"], 33.0: ["long"]}.get(seconds, [])
    assert [w.split(":")[0] for w in prediction.warnings] == expected


def test_the_clips_probabilities_follow_from_segments_and_attention():
    """Of a model without linear head, whose scores are those of the mean segment."""
    recognizer = Recognizer(load_checkpoint(model_folder("open")))
    prediction = recognizer(speech(3.0), RATE)
    mix = {
        label: math.exp(
            sum(s.attention * math.log(s.probabilities[label]) for s in prediction.segments)
        )
        for label in recognizer.labels
    }
    total = sum(mix.values())
    for label, p in prediction.probabilities.items():
        assert p == pytest.approx(mix[label] / total, abs=1e-5)


def test_a_finer_timeline_holds_the_models_own_and_changes_no_probability(exact):
    own = Recognizer(load_checkpoint(model_folder("default")))
    own._encoder = own._model.encoder
    for seconds in (0.5, 0.96, 1.2, 2.16, 3.1, 26.0):
        wave = speech(seconds)
        [coarse], [fine] = (r.recognise([from_array(wave, RATE)]) for r in (own, exact))
        assert list(fine.probabilities.values()) == pytest.approx(
            list(coarse.probabilities.values()), abs=1e-5
        )
        at = {round(s.start, 2): s for s in fine.segments}
        assert len(at) == len(fine.segments)
        for segment in coarse.segments:
            same = at[round(segment.start, 2)].probabilities
            assert list(same.values()) == pytest.approx(
                list(segment.probabilities.values()), abs=1e-5
            )
        assert np.diff(sorted(at)).max(initial=0) <= 0.24 + 1e-9
    with pytest.raises(ValueError, match="hop is 0 s"):
        affekt.load(hop=0)


@pytest.mark.parametrize(("which", "tolerance"), [("exact", 1e-5), ("default", 5e-3)])
def test_many_gives_what_one_by_one_gives_in_the_same_order(which, tolerance, request, tmp_path):
    recognizer = request.getfixturevalue(which)
    paths = []
    for i, seconds in enumerate((2.0, 0.4, 5.5, 1.3)):
        paths.append(tmp_path / f"{i}.wav")
        soundfile.write(paths[-1], speech(seconds, i), RATE, subtype="FLOAT")
    for path, prediction in zip(paths, recognizer.many(paths), strict=True):
        alone = recognizer(path)
        assert prediction.file == str(path)
        assert prediction.label == alone.label
        for label, p in alone.probabilities.items():
            assert prediction.probabilities[label] == pytest.approx(p, abs=tolerance)


def test_level_does_not_change_the_result(exact):
    wave = speech(2.0)
    for scaled in (wave * 0.02, wave * 3):
        for label, p in exact(wave, RATE).probabilities.items():
            assert exact(scaled, RATE).probabilities[label] == pytest.approx(p, abs=1e-3)


def test_the_bundled_model_is_small_and_float16():
    path = Path(affekt.__file__).parent / "models/default/model.safetensors"
    assert {t.dtype for t in load_file(path).values()} == {torch.float16}
    assert path.stat().st_size < 30e6


def test_a_models_own_hop_and_level_are_used(tiny_config):
    wave = speech(3.0) * 0.05
    results = {}
    for hop, kind in ((0.48, "rms"), (0.24, "rms"), (0.48, "none")):
        torch.manual_seed(0)
        config = Config.model_validate(
            tiny_config.model_dump() | {"segments": {"hop": hop}, "audio": {"normalisation": kind}}
        )
        model = EmotionModel(config, 2)
        recognizer = Recognizer(Checkpoint(model, ["a", "b"], config, "own"))
        each = [from_array(wave * factor, RATE) for factor in (1, 8)]  # exact in floats
        results[hop, kind] = recognizer.recognise(each)
    quiet, loud = results[0.24, "rms"]
    assert [s.start for s in quiet.segments[:3]] == [0, 0.24, 0.48]
    assert len(results[0.48, "rms"][0].segments) < len(quiet.segments)
    assert quiet.confidence == pytest.approx(loud.confidence, abs=1e-6)
    quiet, loud = results[0.48, "none"]
    assert quiet.confidence != pytest.approx(loud.confidence, abs=1e-5)


def test_a_long_recording_is_told_utterance_by_utterance(default, tmp_path):
    pause = np.zeros(RATE, np.float32)
    spoken = [decoding.read(DEMO / f"{name}.flac").wave for name in ("lively", "flat", "lively")]
    wave = np.concatenate([pause, *(part for each in spoken for part in (each, pause))])
    soundfile.write(tmp_path / "a.flac", wave, RATE)
    told = list(default.utterances(tmp_path / "a.flac", normalisation="none"))
    assert len(told) >= 3
    cut = list(split_utterances([wave], SileroDetector()))
    for one, utterance in zip(told, cut, strict=True):
        back = one.moved(-one.start)
        assert_sound(back, default.labels)
        assert one.segments[0].start == pytest.approx(one.start)
        assert one.edges()[0] == one.start == pytest.approx(utterance.start)
        assert one.file == str(tmp_path / "a.flac")
        [whole] = default.recognise([from_array(utterance.wave, RATE)])
        alone = whole.probabilities
        assert list(back.probabilities.values()) == pytest.approx(list(alone.values()), abs=0.02)
    ends = [p.start + p.duration for p in told]
    assert all(p.start >= end - 1e-6 for p, end in zip(told[1:], ends, strict=False))


def test_every_kind_of_source(default, tmp_path):
    wave = speech(1.5)
    path = tmp_path / "a.flac"
    soundfile.write(path, wave, RATE)
    data = path.read_bytes()
    expected = default(path).probabilities
    for source in (str(path), data, io.BytesIO(data)):
        assert default(source).probabilities == expected
    with path.open("rb") as file:
        assert default(file).probabilities == expected
    with pytest.raises(ValueError, match="sampling rate"):
        default(wave)
    with pytest.raises(ValueError, match="has its own sampling rate"):
        default(path, RATE)
    with pytest.raises(AudioError, match="nothing.wav"):
        default(tmp_path / "nothing.wav")


@pytest.mark.parametrize(
    ("samples", "warning"),
    [(np.zeros(RATE), "silent"), (np.full(RATE, 0.4), "silent: a constant offset")],
)
def test_silence_gets_a_warning_and_no_emotion(default, samples, warning):
    whole, prediction = default.recognise([from_array(samples, RATE)])[0], default(samples, RATE)
    assert_sound(whole, default.labels)
    assert prediction.segments == []
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    for one in (whole, prediction):
        assert one.rejection_reason == "silent"
        assert one.warnings[0].startswith(warning)


def test_eight_channels_at_192_khz(default):
    eight = np.repeat(speech(1.0)[:, None], 8, axis=1)
    recording = from_array(np.repeat(eight, 12, axis=0), 192_000)
    assert_sound(default.recognise([recording])[0], default.labels)


def test_the_default_model_says_what_it_is_good_for(default):
    assert set(default.labels) <= {
        "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise",
    }  # fmt: skip
    assert "acted" in default.intended_use
    assert "non-commercial" in default.license
    assert "EMO-DB" in affekt.load("open").intended_use
    assert "CC0" in affekt.load("open").license


@pytest.mark.parametrize(("name", "least"), [("default", 0.8), ("open", 0.95)])
def test_the_bundled_models_know_the_speech_they_were_trained_on(name, least, emodb):
    recognizer = affekt.load(name)
    paths = sorted((emodb / "wav").glob("*.wav"))[::9]
    names = {"W": "anger", "E": "disgust", "A": "fear", "F": "happiness", "N": "neutral",
             "T": "sadness", "L": "neutral"}  # fmt: skip
    told = recognizer.many(paths)
    right = [p.label == names[f.stem[5]] for f, p in zip(paths, told, strict=True)]
    assert np.mean(right) > least


@pytest.mark.parametrize("name", ["default", "open"])
def test_fast_arithmetic_changes_no_probability_by_more_than_a_fiftieth(name, emodb):
    fast, exact = affekt.load(name), affekt.load(name)
    exact._encoder = exact._model.encoder
    paths = sorted((emodb / "wav").glob("*.wav"))[::7]
    told = [[p.probabilities.values() for p in r.many(paths)] for r in (fast, exact)]
    one, other = (np.array([[*row] for row in rows]) for rows in told)
    assert np.abs(one - other).max() < 0.02


def test_a_recognizer_takes_no_label():
    import inspect

    for system_ in (Recognizer.__call__, Recognizer.many, Recognizer.recognise):
        assert not {"label", "labels", "utterance"} & inspect.signature(system_).parameters.keys()
    assert "label" not in Recording.__dataclass_fields__


def test_a_list_gives_a_list_in_its_order_with_errors_where_wanted(default, tmp_path):
    files = [FLAT, tmp_path / "no.wav", LIVELY]
    first, error, last = default(files, errors="return")
    assert isinstance(error, AudioError)
    assert [first.file, last.file] == [str(FLAT), str(LIVELY)]
    assert first.label == default(FLAT).label
    with pytest.raises(AudioError, match=r"no.wav"):
        default(files)
    assert default([]) == []
    with pytest.raises(ValueError, match="choose 'raise' or 'return'"):
        default(files, errors="ignore")
    with pytest.raises(ValueError, match="sampling_rate"):  # a mistake of the caller
        default([np.zeros(16_000)], errors="return")


def test_a_list_may_mix_files_and_arrays(default):
    wave = decoding.read(FLAT).wave
    one, other = default([FLAT, {"array": wave, "sampling_rate": RATE}])
    assert one.probabilities == pytest.approx(other.probabilities, abs=0.02)
    assert (one.file, other.file) == (str(FLAT), "<array>")


def test_probabilities_of_several_are_rows(default):
    rows = default.predict_proba([FLAT, LIVELY])
    assert rows.shape == (2, len(default.labels))
    assert rows.sum(1) == pytest.approx([1, 1])
    expected = list(default(LIVELY).probabilities.values())
    assert rows[1] == pytest.approx(expected, abs=0.02)
    assert default.predict_proba(FLAT).shape == (1, len(default.labels))
    assert default.predict_proba([]).shape == (0, len(default.labels))


def test_embeddings_by_segment_and_by_clip(default):
    segments = default.embed(FLAT)
    clip = default.embed(FLAT, level="clip")
    assert segments.dtype == clip.dtype == np.float32
    assert clip == pytest.approx(segments.mean(0), abs=1e-4)
    assert [e.shape for e in default.embed([FLAT])] == [segments.shape]
    assert default.embed([FLAT, LIVELY], level="clip").shape == (2, len(clip))
    assert default.embed([], level="clip").shape == (0, len(clip))


def test_the_old_name_of_the_sampling_rate_works(default):
    wave = np.random.default_rng(0).standard_normal(20_000).astype(np.float32) * 0.1
    with pytest.warns(FutureWarning, match="rate is now sampling_rate"):
        old = default(wave, rate=16_000)
    assert old == default(wave, sampling_rate=16_000)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_results_of_the_cpu(default):
    files = [speech(seconds, seed) for seed, seconds in enumerate(np.linspace(1, 12, 200))]
    one, other = (r(files, 16_000) for r in (default, load(device="cuda")))
    for a, b in zip(one, other, strict=True):
        assert b.probabilities == pytest.approx(a.probabilities, abs=0.01)
    assert np.mean([a.label == b.label for a, b in zip(one, other, strict=True)]) >= 0.995


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(AffektError, match="device 'abacus'"):
        load(device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(AffektError, match="device 'cuda'"):
            load(device="cuda")
