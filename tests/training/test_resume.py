"""A killed training is resumed and ends with the same bits."""

import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import nn

from affekt import AffektError
from affekt.__main__ import run
from affekt.corpora.registry import load_corpus
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.output import train_to_folder
from affekt.training.resume import ResumeCheckpoints
from affekt.training.run import train
from affekt.training.targets import Score
from affekt.training.trainer import Stage, Trainer

EVERY = 3
AFFEKT = [sys.executable, "-W", "ignore", "-m", "affekt"]


class CutOff(BaseException):
    """As a kill would."""


def learn(checkpoints, cut_at=None, run=""):
    """A stage of 4 epochs of 5 batches with dropout; how many steps it took, and its end."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 2))
    data, steps = torch.randn(10, 4), []

    def loss(batch):
        if len(steps) == cut_at:
            raise CutOff
        steps.append(batch)
        return model(data[batch]).square().mean()

    stage = Stage(
        name="s", model=model, optimizer=torch.optim.Adam(model.parameters(), 0.05, fused=True),
        sizes=[1] * 10, batch_size=2, loss=loss,
        validate=lambda: Score(model(data).square().mean().item(), 0.5), epochs=4, patience=9,
    )  # fmt: skip
    trainer = Trainer(TrainingContext(checkpoints=checkpoints), np.random.default_rng(0), run)
    history = None
    with suppress(CutOff):
        history = trainer.fit(stage)
    after = torch.rand(1).item(), trainer.rng.random()
    return model.state_dict(), history, steps, after


def test_a_killed_stage_resumes_with_the_same_bits_and_repeats_few_steps(tmp_path):
    weights, history, steps, after = learn(None)
    for cut in range(len(steps)):
        checkpoints = ResumeCheckpoints(tmp_path / str(cut), EVERY)
        learn(checkpoints, cut)
        again, same_history, rest, random_after = learn(checkpoints)
        assert all(torch.equal(weights[name], again[name]) for name in weights)
        assert same_history == history
        assert 0 <= cut + len(rest) - len(steps) < EVERY
        assert rest == steps[len(steps) - len(rest) :]
        assert random_after == after  # the next stage will not notice either


def test_a_complete_stage_is_not_run_again(tmp_path):
    weights, history, _, after = learn(ResumeCheckpoints(tmp_path, EVERY))
    again, same_history, steps, random_after = learn(ResumeCheckpoints(tmp_path, EVERY))
    assert steps == []
    assert (same_history, random_after) == (history, after)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert learn(ResumeCheckpoints(tmp_path, EVERY), run="refit")[2] != []  # of another run


def test_two_stages_and_a_refit_cut_off_again_and_again(manifest, tiny_config, tmp_path):
    clips = load_clips(load_corpus(str(manifest)).examples)
    uninterrupted = train(clips, tiny_config, seed=0)
    events, checkpoints = iter(range(100)), ResumeCheckpoints(tmp_path / "m", 2)
    cache = tmp_path / "embeddings"

    def cut(event):
        if event.stage.startswith("stage") and next(events) % 9 == 8:
            raise CutOff

    for _ in range(20):
        try:
            context = TrainingContext(cut, checkpoints=checkpoints, embedding_cache=cache)
            again = train(clips, tiny_config, context, seed=0)
            break
        except CutOff:
            pass
    assert next(events) > 20
    assert again.refit
    assert again.training_info() == uninterrupted.training_info()
    one, other = (t.model.state_dict() for t in (uninterrupted, again))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_unfinished_training_is_continued_only_by_itself(tmp_path):
    folder, data = tmp_path / "m.unfinished", {"clips": 3}
    assert ResumeCheckpoints.for_output(tmp_path / "m").folder == folder
    fresh, resumed = ResumeCheckpoints(folder, 1), ResumeCheckpoints(folder, 1, resume=True)
    with pytest.raises(CutOff), fresh.session(data):
        learn(fresh)
        raise CutOff
    with pytest.raises(AffektError, match="add --resume"), fresh.session(data):
        pass
    with (
        pytest.raises(AffektError, match="other data, settings or code"),
        resumed.session({"clips": 4}),
    ):
        pass
    with resumed.session(data):
        assert learn(resumed)[2] == []
    assert not folder.exists()
    with pytest.raises(CutOff), resumed.session(data):
        raise CutOff
    assert not folder.exists()  # nothing was saved


def test_a_training_is_not_continued_with_other_audio(manifest, tiny_config, tmp_path):
    header, *rows = manifest.read_text().splitlines()
    rows = [row for row in rows if "_0.wav" in row]
    for row in rows:
        shutil.copy(manifest.parent / row.split(",")[0], tmp_path)
    (tmp_path / "own.csv").write_text("\n".join([header, *rows]) + "\n")
    corpus = load_corpus(str(tmp_path / "own.csv"))

    def cut(event):
        if event.stage.startswith("stage"):
            raise CutOff

    def learn_on(report):
        saves = ResumeCheckpoints.for_output(tmp_path / "m", resume=True)
        train_to_folder(
            corpus, tiny_config, tmp_path / "m", TrainingContext(report, checkpoints=saves)
        )

    with pytest.raises(CutOff):
        learn_on(cut)
    shutil.copy(tmp_path / rows[0].split(",")[0], tmp_path / rows[1].split(",")[0])
    with pytest.raises(
        AffektError, match=r"unfinished training .*audio changed: 1 of 18 recordings"
    ):
        learn_on(print)
    assert (tmp_path / "m.unfinished/run.json").is_file()


def test_a_damaged_checkpoint_is_named(tmp_path):
    learn(ResumeCheckpoints(tmp_path, 1))
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        AffektError, match=r"s\.safetensors: cannot resume from this file .+delete it"
    ):
        learn(ResumeCheckpoints(tmp_path, 1))


@pytest.fixture
def command(manifest, tiny_config, tmp_path):
    """Arguments of a training on synthetic speech, with some fifty checkpoints."""
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        f"[encoder]\nweights = '{tiny_config.encoder.weights}'\nlayer = 2\n"
        "[augment]\nspeeds = []\n[stage1]\nepochs = 8\n[stage2]\nepochs = 20\nhidden = 16\n"
    )
    return ["train", str(manifest), "--recipe", str(recipe), "--checkpoint-every", "2",
            "--cache", str(tmp_path / "cache")]  # fmt: skip


def digest(model):
    return hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()


def test_a_training_killed_at_any_moment_is_resumed_with_the_same_result(command, tmp_path):
    """`make faults` kills it twenty times."""
    assert run([*command, "--out", str(tmp_path / "uninterrupted")]) == 0
    out, rng, killed = tmp_path / "out", random.Random(0), 0
    saved = tmp_path / "out.unfinished"
    for _ in range(int(os.environ.get("AFFEKT_KILLS", "1"))):
        if (out / "config.json").exists():  # it was done before it was killed
            assert digest(out) == digest(tmp_path / "uninterrupted")
            out = out.with_name(f"{out.name}-next")
            saved = out.with_name(f"{out.name}.unfinished")
        process = subprocess.Popen(
            [*AFFEKT, *command, "--out", str(out), "--resume"], stderr=subprocess.DEVNULL
        )
        before = {p: p.stat().st_mtime_ns for p in saved.glob("*.safetensors")}
        while process.poll() is None and before == {
            p: p.stat().st_mtime_ns for p in saved.glob("*.safetensors")
        }:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    if not (out / "config.json").exists():
        assert run([*command, "--out", str(out), "--resume"]) == 0
    assert killed
    assert digest(out) == digest(tmp_path / "uninterrupted")
    assert not saved.exists()


def test_a_full_disk_is_an_error_of_one_sentence(command, tmp_path):
    out = tmp_path / "out"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    full = subprocess.run(
        [*AFFEKT, *command, "--out", str(out)], capture_output=True, text=True, preexec_fn=small
    )
    assert full.returncode == 2
    assert "cannot be written" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (out / "config.json").exists()


def test_a_folder_that_cannot_be_written_is_reported_before_any_work(manifest, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["train", str(manifest), "--out", str(tmp_path / "file/model")]) == 2
    assert "cannot be written" in capsys.readouterr().err
