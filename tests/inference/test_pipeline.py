"""A file has the same result in every interface: command, Python, batch, request and job."""

import json
import threading
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import DEMO, affekt, ended, form, serving

from affekt import AudioError, load
from affekt.audio.decoding import read
from affekt.inference.pipeline import combine, recognise_file, recognise_files
from affekt.inference.utterances import Options

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer():
    return load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A long recording, a stereo one, a silent one, a damaged one, and short ones."""
    folder = tmp_path_factory.mktemp("recordings")
    waves = [read(path).wave for path in DEMO]
    pause = np.zeros(RATE, np.float32)
    long = np.concatenate([part for _ in range(4) for w in waves for part in (w, pause)])
    soundfile.write(folder / "long.wav", long, RATE)
    size = min(map(len, waves))
    stereo = np.stack([waves[0][:size], np.roll(waves[1], 4_000)[:size]], axis=1)
    soundfile.write(folder / "stereo.wav", stereo, RATE)
    soundfile.write(folder / "silent.wav", np.zeros(40 * RATE, np.float32), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF no audio")
    for number, wave in enumerate(waves):
        soundfile.write(folder / f"short{number}.wav", wave, RATE)
    return folder


def check_equal(results, expected):
    """Everything but the name; a batch changes the last bits of bfloat16."""
    results, expected = list(results), list(expected)
    assert len(results) == len(expected)
    for one, other in zip(results, expected, strict=True):
        for key in ("label", "start", "duration", "channel", "vad", "file_duration", "warnings"):
            assert one[key] == other[key], key
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)
        assert [s["start"] for s in one["segments"]] == [s["start"] for s in other["segments"]]


def printed(*arguments):
    done = affekt("predict", "--json", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_five_interfaces_agree(recognizer, folder, tmp_path):
    names = ["long.wav", "silent.wav", "short0.wav"]
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in names:
        (archive / name).symlink_to(folder / name)
    done = affekt("batch", archive, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "out/files")
    rows.index = rows["file"].map(lambda file: Path(file).name)
    with (
        serving(tmp_path / "state") as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        for name in names:
            expected = [p.to_dict() for p in recognise_file(recognizer, folder / name)]
            command = printed(folder / name)
            check_equal(command, expected)
            upload = form((folder / name).read_bytes(), name)
            job = client.post("/v1/jobs", **upload).json()["id"]
            result = ended(client, job)["result"]
            check_equal(result, expected)
            whole = recognizer(folder / name)
            samples = {"array": read(folder / name).wave, "sampling_rate": RATE}
            check_equal([recognizer(samples).to_dict()], [whole.to_dict()])
            check_equal([recognizer([samples])[0].to_dict()], [whole.to_dict()])
            assert whole.label == rows.label[name]
            assert whole.confidence == pytest.approx(rows.confidence[name], abs=0.02)
            assert whole.duration == pytest.approx(rows.duration[name])
            assert len(whole.utterances) == len(expected)
            if name.startswith("short"):
                answer = client.post("/v1/recognise", **upload).json()
                check_equal(answer["utterances"], expected)
                check_equal([answer], [whole.to_dict()])
            else:
                assert client.post("/v1/recognise", **upload).status_code == 413


def test_split_channels_are_those_of_each_channel_alone(recognizer, folder, tmp_path):
    both = list(recognise_file(recognizer, folder / "stereo.wav", Options(split=True)))
    command = printed(folder / "stereo.wav", "--channels", "split")
    check_equal(command, (p.to_dict() for p in both))
    samples, _ = soundfile.read(folder / "stereo.wav", dtype="float32")
    for channel in (1, 2):
        soundfile.write(tmp_path / "one.wav", samples[:, channel - 1], RATE)
        alone = list(recognizer.utterances(tmp_path / "one.wav"))
        own = [p for p in both if p.channel == channel]
        assert [p.label for p in own] == [p.label for p in alone]
        for one, other in zip(own, alone, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=0.02)


def test_many_files_are_those_one_by_one_in_their_order(recognizer, folder):
    names = ["short1.wav", "broken.wav", "short0.wav", "long.wav", "short2.wav", "missing.wav"]
    sources = [(name, partial(folder.joinpath, name)) for name in names]
    results = list(recognise_files(recognizer, sources))
    assert [index for index, _ in results] == sorted(index for index, _ in results)
    for index, name in enumerate(names):
        own = [result for i, result in results if i == index]
        if name in ("broken.wav", "missing.wav"):
            assert [type(result) for result in own] == [AudioError]
            continue
        expected = list(recognise_file(recognizer, folder / name, name=name))
        assert [p.file for p in own] == [name] * len(expected)
        check_equal((p.to_dict() for p in own), (p.to_dict() for p in expected))


def test_observers_see_every_sample_in_the_callers_thread_and_can_end_it(recognizer, folder):
    for name in ("long.wav", "short0.wav"):
        blocks, threads = [], set()

        def observe(block, blocks=blocks, threads=threads):
            blocks.append(block.wave)
            threads.add(threading.current_thread())

        list(recognise_file(recognizer, folder / name, Options(observe=observe)))
        assert np.array_equal(np.concatenate(blocks), read(folder / name).wave)
        assert threads == {threading.current_thread()}

    def stop(block):
        if block.end > 20:
            raise StopIteration("enough")

    before = threading.active_count()
    with pytest.raises(RuntimeError):
        list(recognise_file(recognizer, folder / "long.wav", Options(observe=stop)))
    assert threading.active_count() == before


def test_combined_by_hand(recognizer, folder):
    parts = list(recognizer.utterances(folder / "long.wav"))
    combined = combine(parts)
    counted = [p for p in parts if not p.is_uncertain]
    total = sum(p.duration for p in counted)
    anger = sum(p.probabilities["anger"] * p.duration for p in counted) / total
    assert combined.probabilities["anger"] == pytest.approx(anger)
    assert combined.label == max(combined.probabilities, key=combined.probabilities.get)
    assert (
        combined.duration == combined.file_duration == soundfile.info(folder / "long.wav").duration
    )
    assert len(combined.segments) == sum(len(p.segments) for p in parts)
    assert sum(s.attention for s in combined.segments) == pytest.approx(1)
    assert "utterances" not in combined.to_dict()
    silent = recognizer(folder / "silent.wav")
    assert silent.is_uncertain
    assert silent.rejection_reason == "silent"
    assert silent.warnings == ["silent"]
    assert silent.duration == 40


@pytest.mark.parametrize("seconds", [5, 29, 40])
def test_a_recording_of_any_length_tells_its_utterances_and_its_silence(
    recognizer, folder, tmp_path, seconds
):
    rng = np.random.default_rng(0)
    noise = (10 ** (-70 / 20) * rng.standard_normal(seconds * RATE)).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, RATE, subtype="FLOAT")
    [nobody] = recognise_file(recognizer, tmp_path / "noise.wav")
    assert nobody.rejection_reason == "nobody speaks"
    assert (nobody.label, nobody.segments) == ("uncertain", [])
    assert (nobody.start, nobody.duration, nobody.file_duration) == (0, seconds, seconds)
    spoken = read(folder / "short1.wav").wave[: 2 * RATE]
    starts = range(1, seconds - 3, 4)
    for start in starts:
        noise[start * RATE : start * RATE + len(spoken)] += spoken
    soundfile.write(tmp_path / "several.wav", noise, RATE, subtype="FLOAT")
    alone = list(recognise_file(recognizer, tmp_path / "several.wav"))
    assert len(alone) == len(starts)
    for start, prediction in zip(starts, alone, strict=True):
        assert start - 0.15 < prediction.start < start + 0.5
        assert start + 1.5 < prediction.start + prediction.duration < start + 2.4
        assert not prediction.is_uncertain
    together = [p for _, p in recognise_files(recognizer, [("", lambda: tmp_path / "several.wav")])]
    check_equal([p.to_dict() for p in together], [p.to_dict() for p in alone])


def test_which_detector_and_which_arithmetic_were_used(recognizer, folder):
    short, long = recognizer(folder / "short0.wav"), recognizer(folder / "long.wav")
    assert short.vad == long.vad == "silero"
    assert {short.arithmetic, long.arithmetic} == {recognizer.arithmetic}
    assert recognizer.arithmetic in ("bfloat16", "float32")
