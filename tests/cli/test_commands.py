"""The command as a user runs it: a process, its output, its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from helpers import DEMO, ROOT, affekt, is_png, settings
from safetensors.torch import load_file

from affekt.audio.decoding import read
from affekt.report.model_card import model_card


def test_help_names_every_command_and_imports_no_torch():
    done = affekt("--help")
    assert done.returncode == 0
    for command in ("predict", "train", "evaluate", "balance"):
        assert command in done.stdout
    code = "import sys, affekt.cli; print({'torch', 'numpy', 'pandas'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_predict_prints_json_lines_and_a_picture(tmp_path):
    done = affekt("predict", DEMO[1], "--json", "--plot", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    result = json.loads(line)
    assert list(result) == [
        "file", "duration", "label", "confidence", "probabilities", "segments", "model",
        "license", "rejection_reason", "normalisation_segments", "warnings", "start", "channel",
        "speaker", "file_duration", "vad", "arithmetic", "second_label", "arousal", "valence",
        "warning_codes", "terms", "reason", "source_segments",
    ]  # fmt: skip
    assert list(result["segments"][0]) == ["start", "end", "label", "probabilities", "attention"]
    assert sum(s["attention"] for s in result["segments"]) == pytest.approx(1)
    assert result["model"] == "default"
    assert "non-commercial" in done.stderr
    assert is_png(tmp_path / "p.png")


def test_a_long_recording_is_printed_utterance_by_utterance(tmp_path):
    pause = np.zeros(16_000, np.float32)
    waves = [part for file in DEMO * 3 for part in (pause, read(file).wave)]
    soundfile.write(tmp_path / "long.wav", np.concatenate(waves), 16_000)
    done = affekt("predict", tmp_path / "long.wav", "--json")
    assert done.returncode == 0, done.stderr
    utterances = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(utterances) >= 9
    starts = [u["start"] for u in utterances]
    assert starts == sorted(starts)
    drawn = affekt("predict", tmp_path / "long.wav", "--json",
                   "--plot", tmp_path / "p.png")  # fmt: skip
    assert drawn.stdout == done.stdout
    assert (tmp_path / "p.png").exists()
    stereo = np.stack([np.concatenate(waves), np.zeros_like(np.concatenate(waves))], axis=1)
    soundfile.write(tmp_path / "call.wav", stereo[: 16 * 16_000], 16_000)
    apart = affekt("predict", tmp_path / "call.wav", "--json", "--channels", "split",
                   "--plot", tmp_path / "c.png")  # fmt: skip
    parties = [json.loads(line) for line in apart.stdout.splitlines()]
    assert [p["channel"] for p in parties if p["rejection_reason"] == "silent"] == [2]
    assert {p["channel"] for p in parties} == {1, 2}
    assert sorted(p.name for p in tmp_path.glob("c-*")) == ["c-channel1.png", "c-channel2.png"]
    shown = affekt("predict", tmp_path / "long.wav")
    assert len(shown.stdout.splitlines()) == len(utterances)
    assert shown.stdout.startswith("0:00:0")
    soundfile.write(tmp_path / "still.wav", np.zeros(40 * 16_000, np.float32), 16_000)
    still = affekt("predict", tmp_path / "still.wav")
    assert still.returncode == 0
    assert "uncertain  (silent)" in still.stdout


def test_predict_for_a_person_and_several_files(tmp_path):
    done = affekt("predict", *DEMO, "--plot", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    for file in DEMO:
        assert file.name in done.stdout.replace("\n", "")
        assert is_png(tmp_path / f"p-{file.stem}.png")
    assert "attention" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "needs a recording"),
        (["predict", "none.wav"], "none.wav: cannot be opened: No such file"),
        (["predict", __file__], "not a recording"),
        (["predict", DEMO[0], "--model", "nonesuch"], "no such model"),
        (["predict", DEMO[0], "--modle", "x"], "--model"),
        (["train", "nothing.csv", "--out", "x"], "No such file"),
        (["train", "nothing.csv"], "--out"),
        (["evaluate", "emodb:/nowhere", "--out", "x"], "not a folder"),
        (["balance", "x"], "give a manifest"),
        (["balance", "x.csv", "--balance.plan", "mine"], "balance.plan"),
        (["train", "x.csv", "--out", "x", "--stage2.hiden", "3"], "--stage2.hidden"),
        (["train", "x.csv", "--out", "x", "--stage2.hidden", "many"], "stage2.hidden"),
        (["train", "x.csv", "--out", "x", "--recipe", "none.toml"], "none.toml"),
        (["prdict", "x.wav"], "predict"),
    ],
)
def test_a_mistake_exits_2_with_one_sentence(arguments, message, tmp_path):
    done = affekt(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.iterdir())


def test_one_bad_file_does_not_stop_the_others(tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    done = affekt("predict", tmp_path / "bad.wav", DEMO[1], "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["file"] == str(DEMO[1])
    assert "bad.wav" in done.stderr


def test_hostile_names_are_shown_as_they_are(tmp_path):
    name = "[bold]$x^2$ \x1b[31m=cmd.wav"
    soundfile.write(tmp_path / name, np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    done = affekt("predict", tmp_path / name, "--plot", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    assert "[bold]$x^2$" in done.stdout
    assert "\x1b[31m" not in done.stdout
    assert is_png(tmp_path / "p.png")


def test_balance_prints_the_plan_and_draws_it(manifest, tmp_path):
    done = affekt("balance", manifest, "--plot", tmp_path / "b.png")
    assert done.returncode == 0, done.stderr
    assert "segments before" in done.stdout
    assert "largest / smallest" in done.stdout
    assert is_png(tmp_path / "b.png")


def test_settings_of_a_recipes_encoder_are_options_too(manifest):
    recipe = ROOT / "recipes/vggish.toml"
    done = affekt("balance", manifest, "--recipe", recipe, "--encoder.padding", "log-mel")
    assert done.returncode == 0, done.stderr
    wrong = affekt("balance", manifest, "--encoder.padding", "log-mel")
    assert wrong.returncode == 2
    assert "encoder.padding belongs to vggish" in wrong.stderr


def test_hostile_labels_are_shown_as_they_are(tmp_path):
    labels = ("[/x]", "$x^$", "愤怒")
    rows = ["path,label,speaker"]
    for i, label in enumerate(labels):
        soundfile.write(tmp_path / f"{i}.wav", np.full(16_000, 0.1 * i), 16_000)
        rows.append(f"{i}.wav,{label},s")
    (tmp_path / "m.csv").write_text("\n".join(rows))
    done = affekt("balance", tmp_path / "m.csv", "--plot", tmp_path / "b.svg")
    assert done.returncode == 0, done.stderr
    assert all(label in done.stdout for label in labels)
    assert "3 recordings with warnings" in done.stderr
    assert "Glyph" not in done.stderr
    assert (tmp_path / "b.svg").exists()
    assert affekt("balance", tmp_path / "m.csv", "--plot", tmp_path / "b.txt").returncode == 2


def test_a_closed_pipe_is_no_error():
    command = [sys.executable, "-W", "ignore", "-m", "affekt", "predict", *DEMO[:2], "--json"]
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(60) == 0
    assert errors == ""


def test_hostile_words_stay_inside_the_cards_table():
    training = {
        "corpus": {"name": "a|b", "labels": {"x|\ny": 1}, "clips": 1, "speakers": 1, "terms": "t"},
        "encoder": "e", "plan": {"x|\ny": "ends"}, "stage1_epochs": 1, "stage2_epochs": 1,
        "seed": 0,
        "validation_speakers": ["<b>"], "validation_UAR": 0.5, "refit": False, "interrupted": False,
    }  # fmt: skip
    card = model_card("m", "note", ["x|\ny"], training, None)
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}
    assert "<b>" not in card


def test_train_then_predict_then_evaluate(manifest, tiny_config, tmp_path):
    cache = ["--cache", tmp_path / "cache"]
    run = affekt("evaluate", manifest, "--out", tmp_path / "run", *cache, *settings(tiny_config))
    assert run.returncode == 0, run.stderr
    assert "UAR" in run.stdout
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "confusion.png", "metrics.json", "predictions.parquet", "recordings.json",
    ]  # fmt: skip
    assert len(pd.read_parquet(tmp_path / "run/predictions.parquet")) == 72

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "model").symlink_to(tmp_path / "elsewhere")
    place, training = tmp_path / "run/metrics.json", [
        "train", manifest, "--out", tmp_path / "model", *cache, *settings(tiny_config),
        "--evaluation", tmp_path / "run/metrics.json", "--device", "cpu",
        "--tracker", "tensorboard",
    ]  # fmt: skip
    content = place.read_text()
    place.write_text(json.dumps(json.loads(content) | {"UAR": 0.99}))
    refused = affekt(*training)
    assert refused.returncode == 2
    assert "does not hold the scores of predictions.parquet (UAR is 0.99" in refused.stderr
    assert not [*(tmp_path / "elsewhere").iterdir()]
    place.write_text(content)
    trained = affekt(*training)
    assert trained.returncode == 0, trained.stderr
    assert [p.name for p in (tmp_path / "tracking/tensorboard").iterdir()] == ["elsewhere"]
    card = (tmp_path / "model/README.md").read_text()
    assert "must not decide" in card
    assert "unseen speakers" in card
    stored = load_file(tmp_path / "model/model.safetensors")
    assert {t.dtype for t in stored.values()} == {torch.float16}
    texts = card + (tmp_path / "model/config.json").read_text()
    texts += (tmp_path / "run/metrics.json").read_text()
    for path in (tmp_path, Path(tiny_config.encoder.weights).parent, manifest.parent):
        assert str(path) not in texts

    clip = manifest.parent / "s1_anger_0.wav"
    done = affekt("predict", clip, "--model", tmp_path / "model", "--json")
    assert json.loads(done.stdout)["model"] == "elsewhere"

    again = affekt("train", manifest, "--out", tmp_path / "model", *settings(tiny_config))
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_ctrl_c_leaves_a_model_that_predict_loads(manifest, tiny_config, tmp_path):
    options = [*settings(tiny_config, epochs=100_000), "--stage2.patience", "100000"]
    command = [sys.executable, "-m", "affekt", "train", manifest, "--out", tmp_path / "model"]
    command += ["--cache", tmp_path / "cache", *options]
    process = subprocess.Popen(
        [*map(str, command)], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        for line in process.stderr:
            if "stage 1" in line or time.monotonic() > deadline:
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, rest
    assert "best epoch so far" in rest
    assert "interrupted" in (tmp_path / "model/README.md").read_text()
    done = affekt("predict", DEMO[0], "--model", tmp_path / "model", "--json")
    assert done.returncode == 0, done.stderr
