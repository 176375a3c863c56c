"""Sources of recordings, results, killed and resumed jobs, both engines."""

import csv
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from helpers import DEMO, affekt

from affekt import AffektError
from affekt.__main__ import run
from affekt.audio.decoding import read
from affekt.audio.listing import LeftOut
from affekt.batch import engines, inputs, job
from affekt.batch.inputs import PART, find_recordings, read_part, write_inputs
from affekt.inference.recognizer import load
from affekt.nn.bundled import model_folder

NAMES = ["file", "label", "confidence", "duration", "error", "model", "hash"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Short and long recordings, a tar, and files that are no recordings."""
    root = tmp_path_factory.mktemp("archive")
    waves = [read(file).wave for file in DEMO]
    (root / "deep").mkdir()
    for number in range(3 * PART // 2):
        start = 1000 * (number % 30)
        piece = waves[number % len(waves)][start : start + 16_000]
        soundfile.write(root / f"deep/{number:03d}.flac", piece, 16_000)
    pause = np.zeros(16_000, np.float32)
    parts = [p for wave in waves * 3 for p in (wave, pause)]
    soundfile.write(root / "long.wav", np.concatenate(parts), 16_000)
    (root / "bad.wav").write_bytes(b"bad")
    (root / "notes.txt").write_text("not a recording")
    with tarfile.open(root / "shard.tar", "w") as tar:
        tar.add(DEMO[0], "x/lively.flac")
        tar.add(root / "notes.txt", "x/notes.txt")
        tar.add(root / "bad.wav", "x/bad.wav")
    return root


def table(out, which="files"):
    return pq.read_table(out / which)


@pytest.fixture(scope="module")
def scored(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("scored") / "out"
    done = affekt("batch", archive, "--out", out, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "not readable: 2 of 100 recordings" in done.stderr
    return out


def test_every_recording_has_one_row_and_a_bad_one_its_error(archive, scored):
    rows = table(scored).to_pylist()
    assert set(NAMES) < rows[0].keys()
    assert len({r["file"] for r in rows}) == len(rows) == 3 * PART // 2 + 4
    assert [r["index"] for r in rows] == list(range(len(rows)))
    by_name = {r["file"].removeprefix(f"{archive}/"): r for r in rows}
    for name in ("bad.wav", "shard.tar::x/bad.wav"):
        assert "not a recording" in by_name[name]["error"]
        assert by_name[name]["label"] == ""
    inside, alone = by_name["shard.tar::x/lively.flac"], load()(DEMO[0])
    assert inside["label"] == alone.label
    assert inside["prob_anger"] == pytest.approx(alone.probabilities["anger"], abs=0.02)
    long = by_name["long.wav"]
    assert long["utterances"] >= 9
    assert long["duration"] == pytest.approx(soundfile.info(archive / "long.wav").duration)
    utterances = list(load().utterances(archive / "long.wav"))
    speech = [p for p in utterances if not p.rejection_reason]
    mean = np.average(
        [p.probabilities["anger"] for p in speech], weights=[p.duration for p in speech]
    )
    assert long["prob_anger"] == pytest.approx(mean, abs=0.02)
    segments = table(scored, "segments").to_pylist()
    assert sum(s["index"] == long["index"] for s in segments) == sum(
        len(p.segments) for p in utterances
    )
    assert (scored / "_SUCCESS").exists()


def assert_same(out, other):
    """Check that two results are equal, to the precision of batches of other sizes."""
    ours, theirs = (table(o).to_pylist() for o in (out, other))
    for one, two in zip(ours, theirs, strict=True):
        assert (one["file"], one["label"], one["error"]) == (
            two["file"],
            two["label"],
            two["error"],
        )
        assert one["confidence"] == pytest.approx(two["confidence"], abs=0.01)
    assert len(table(out, "segments")) == len(table(other, "segments"))


@pytest.mark.slow
def test_ray_gives_the_same_result(archive, scored, tmp_path):
    pytest.importorskip("ray")
    done = affekt("batch", archive, "--out", tmp_path / "out", "--engine", "ray", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "out", scored)


@pytest.mark.slow
def test_a_job_killed_at_any_moment_is_resumed_with_the_same_result(archive, scored, tmp_path):
    """`make faults` kills it twenty times."""
    out, rng = tmp_path / "out", random.Random(0)
    command = [sys.executable, "-W", "ignore", "-m", "affekt", "batch", str(archive),
               "--out", str(out), "--workers", "1", "--resume"]  # fmt: skip
    killed, complete = 0, set()
    for _ in range(int(os.environ.get("AFFEKT_KILLS", "1"))):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        if not killed:  # at first while it recognises, then at any moment
            while not (out / "job.json").exists():
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 1))
        else:
            time.sleep(rng.uniform(0.5, 8))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = {
            p.name: p.stat().st_mtime_ns for p in out.glob("files/*.parquet") if p.name[0] != "."
        }
        assert complete <= done.items()  # no part is computed twice
        complete = set(done.items())
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert killed
    assert_same(out, scored)
    assert run(["batch", "--out", str(out), "--verify"]) == 0


def damaged(out, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    return copy


def test_a_job_that_never_began_starts_with_resume_and_leaves_nothing_out_silently(
    tmp_path, capsys
):
    archive, out = tmp_path / os.fsdecode(b"archive\xff"), tmp_path / "out"
    archive.mkdir()
    os.mkfifo(archive / "pipe.wav")
    for name in ("good.flac", os.fsdecode(b"bad\xff.flac"), "call"):
        (archive / name).write_bytes(DEMO[0].read_bytes())
    for name in ("notes.txt", "._good.flac", ".DS_Store", "raw.pcm"):
        (archive / name).write_bytes(b"\x80 no audio")
    out.mkdir()
    for name in ("inputs.parquet", ".x.json"):  # of a start that was killed
        (out / name).write_bytes(b"")
    command = ["batch", str(archive), "--out", str(out), "--workers", "1", "--resume"]
    assert run(command) == 0
    assert "2 files left out, not recordings: 1 .txt, 1 .pcm" in capsys.readouterr().err
    rows = pq.read_table(out / "files").to_pylist()
    assert {Path(r["file"]).name: bool(r["error"]) for r in rows} == {
        "good.flac": False, "bad\\udcff.flac": False, "call": False, "pipe.wav": True,
    }  # fmt: skip
    assert "not a regular file" in next(r["error"] for r in rows if r["file"].endswith("pipe.wav"))
    assert run(command) == 0
    assert "parts to be recognised: 0" in capsys.readouterr().err
    (out / "job.json").unlink()
    assert run(command) == 2
    assert "not empty" in capsys.readouterr().err


def test_verify_finds_faults(scored, tmp_path, capsys):
    assert job.verify(scored)["files"] == 3 * PART // 2 + 4
    copy = damaged(scored, tmp_path)
    path = copy / "files/part-000000.parquet"
    rows = pq.read_table(path)
    for wrong, message in (
        (rows.slice(1), "do not match the inputs"),
        (pa.concat_tables([rows, rows.slice(0, 1)]), "do not match the inputs"),
        (rows.set_column(rows.schema.get_field_index("hash"), "hash",
                         pa.array(["x"] * len(rows))), "of another model"),
    ):  # fmt: skip
        pq.write_table(wrong, path)
        with pytest.raises(AffektError, match=message):
            job.verify(copy)
    path.write_bytes(b"PAR1")
    with pytest.raises(AffektError, match="damaged"):
        job.verify(copy)
    path.unlink()
    with pytest.raises(AffektError, match="1 of 2 parts missing"):
        job.verify(copy)
    assert run(["batch", str(scored), "--out", str(copy)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no recordings"),
        (["x.csv"], "cannot be read"),
        ([], "needs a source"),
        (["demo", "--model", "nope"], "no such model"),
        (["demo", "--workers", "0"], "at least one worker"),
        (["demo", "--device", "abacus"], "device 'abacus'"),
        (["demo", "--gpus-per-actor", "1"], "with --engine ray --device cuda"),
        (["demo", "--gpus-per-actor", "1", "--engine", "ray"], "with --engine ray --device cuda"),
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path, capsys):
    assert run(["batch", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_workers_share_the_gpus_of_a_machine(monkeypatch):
    assert engines.devices_of_workers("cpu", 2) == ["cpu", "cpu"]
    names = ["cpu", "cuda", "cuda:0", "cuda:1"]  # where there is no GPU, these names stand for two
    monkeypatch.setattr(engines, "available_devices", lambda: names)
    monkeypatch.setattr(engines, "device_named", torch.device)
    assert engines.devices_of_workers("cuda", 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert engines.devices_of_workers("cuda:1", 2) == ["cuda:1", "cuda:1"]
    assert engines.devices_of_workers("cpu", 1) == ["cpu"]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_ray_without_a_gpu_refuses_actors_that_ask_for_one(archive, tmp_path):
    pytest.importorskip("ray")
    done = affekt("batch", archive, "--out", tmp_path / "out", "--engine", "ray", "--workers", "1",
                  "--device", "cuda", "--gpus-per-actor", "1")  # fmt: skip
    assert done.returncode == 2
    assert "--gpus-per-actor 1: Ray finds 0 GPUs on this machine" in " ".join(done.stderr.split())


@pytest.mark.slow
def test_actors_of_ray_get_the_share_of_a_gpu_that_they_ask_for(archive, tmp_path, monkeypatch):
    """Ray counts a GPU that it is told of; the encoders run on the CPU."""
    ray = pytest.importorskip("ray")

    class Told(engines.PartRecognizer):
        def __call__(self, row):
            (tmp_path / f"gpus-{row['part']}").write_text(str(ray.get_gpu_ids()))
            return super().__call__(row)

    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 2, "GPU": 1}')
    monkeypatch.setattr(engines, "PartRecognizer", Told)
    out, folder = tmp_path / "out", model_folder("default")
    started = job.start_job(out, str(archive), "default", job.hash_model(folder), 0.24)
    parts = job.missing_parts(out, started)
    done = engines.run_on_ray(out, str(folder), started, parts, 2, gpus_per_actor=0.5)
    assert sum(counts.files for counts in done) == started.files
    assert {p.read_text() for p in tmp_path.glob("gpus-*")} == {"[0]"}


def test_a_job_with_another_source_or_model_is_not_resumed(archive, scored, capsys):
    resume = ["--out", str(scored), "--resume"]
    assert run(["batch", str(archive / "deep"), *resume]) == 2
    assert "source was" in capsys.readouterr().err
    assert run(["batch", str(archive), *resume, "--model", "open"]) == 2
    assert "model was" in capsys.readouterr().err


def test_changed_recordings_are_recognised_again(tmp_path, capsys, monkeypatch):
    def in_this_process(out, model, job, parts, workers, device):
        assert device == "cpu"
        return map(engines.PartRecognizer(out, model, job).recognise, parts)

    def resumed(status=0):
        command = ["batch", str(archive), "--out", str(out), "--resume"]
        assert run(command) == status
        return capsys.readouterr().err

    monkeypatch.setattr(engines, "run_locally", in_this_process)
    archive, out = tmp_path / "archive", tmp_path / "out"
    archive.mkdir()
    names = ("a.flac", "b.flac")
    for name in names:
        soundfile.write(archive / name, read(DEMO[0]).wave[:16_000], 16_000)
    resumed()
    (archive / "b.flac").unlink()
    assert "changed" not in resumed()
    soundfile.write(archive / "a.flac", read(DEMO[1]).wave[:24_000], 16_000)
    assert f"recognised again; the first: {archive}/a.flac" in " ".join(resumed().split())
    rows = table(out).to_pylist()
    assert [(r["duration"], bool(r["error"])) for r in rows] == [(1.5, False), (1.0, False)]
    assert {s["index"] for s in table(out, "segments").to_pylist()} == {0, 1}
    assert "parts to be recognised: 0" in resumed()

    part = out / "files/part-000000.parquet"
    pq.write_table(pq.read_table(part).replace_schema_metadata(), part)  # of an earlier version
    assert "parts to be recognised: 0" in resumed()
    os.utime(archive / "a.flac", (time.time() + 9,) * 2)
    assert "parts to be recognised: 1" in resumed()

    with tarfile.open(archive / "a.tar", "w") as tar:
        tar.add(archive / "a.flac")
    archive, out = archive / "a.tar", tmp_path / "other"
    resumed()
    os.utime(archive, (0, 0))
    assert "a.tar: changed since the job listed its recordings" in resumed(2)


def found_in(source):
    return list(find_recordings(str(source), LeftOut()))


def test_sources(archive, tmp_path):
    found = [f[0].removeprefix(f"{archive}/") for f in found_in(f"{archive}/deep/00*.flac")]
    assert found == [f"deep/00{i}.flac" for i in range(10)]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([["path", "label"], ["a, b.wav", "x"], ["file:///c.wav", ""]])
    assert [f[:2] for f in found_in(tmp_path / "m.csv")] == [
        ("a, b.wav", str(tmp_path / "a, b.wav")), ("file:///c.wav", "file:///c.wav")
    ]  # fmt: skip
    pq.write_table(pa.table({"file": ["d.wav"]}), tmp_path / "m.parquet")
    assert found_in(tmp_path / "m.parquet")[0][1] == str(tmp_path / "d.wav")
    assert len(found_in(f"file://{archive}")) == 3 * PART // 2 + 4
    memory = fsspec.filesystem("memory")
    for name in ("x.wav", "call", "LICENSE", "a.txt"):
        memory.pipe(f"/job/{name}", DEMO[0].read_bytes() if name == "call" else b"x")
    assert [f[0] for f in found_in("memory://job")] == ["memory:///job/call", "memory:///job/x.wav"]
    (tmp_path / "n.csv").write_text("x\n1\n")
    with pytest.raises(AffektError, match="no column path"):
        found_in(tmp_path / "n.csv")


def test_a_speaker_is_in_one_part_of_the_list_if_it_fits(tmp_path):
    speakers = ["a"] * 10 + ["b"] * (PART - 5) + [""] * 3 + ["c"] * (PART + 4)
    rows = [f"{i}.wav,{speaker}" for i, speaker in enumerate(speakers)]
    rows = [*rows[::2], *rows[1::2]]  # mixed: a table need not be sorted
    (tmp_path / "m.csv").write_text("\n".join(["path,speaker", *rows]))
    write_inputs(str(tmp_path / "m.csv"), tmp_path / "l.parquet", LeftOut())
    number = inputs.number_of_parts(tmp_path / "l.parquet")
    parts = [[one.speaker for one in read_part(tmp_path / "l.parquet", i)] for i in range(number)]
    assert parts == [["", "", "", *["a"] * 10], ["b"] * (PART - 5), ["c"] * PART, ["c"] * 4]
    write_inputs(str(tmp_path / "m.csv"), tmp_path / "n.parquet", LeftOut(), speakers=False)
    assert {one.speaker for one in read_part(tmp_path / "n.parquet", 0)} == {""}


def test_a_list_of_any_length_is_read_in_parts(tmp_path, monkeypatch):
    many = ((f"{i}.wav", f"/x/{i}.wav", -1, 0, "") for i in range(3 * PART + 1))
    monkeypatch.setattr(inputs, "find_recordings", lambda source, left_out: many)
    assert write_inputs("x", tmp_path / "l.parquet", LeftOut()) == 3 * PART + 1
    assert inputs.number_of_parts(tmp_path / "l.parquet") == 4
    [last] = read_part(tmp_path / "l.parquet", 3)
    assert (last.index, last.file) == (3 * PART, f"{3 * PART}.wav")
