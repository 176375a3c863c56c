"""The example projects run as their READMEs say, in a folder of their own."""

import ast
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import PITCH, RATE, ROOT, SPEAKERS, affekt, voice

OWN_PARTS = ROOT / "examples/own_parts"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, with recordings named as its layout wants them."""
    folder = tmp_path_factory.mktemp("own") / "own_parts"
    shutil.copytree(OWN_PARTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    rng = np.random.default_rng(0)
    for speaker in SPEAKERS[:4]:
        for label in PITCH:
            for take in range(2):
                wave = voice(label, speaker, take, rng.uniform(0.7, 2.0))
                path = folder / "recordings" / f"{speaker}_{label}_{take}.wav"
                path.parent.mkdir(exist_ok=True)
                soundfile.write(path, wave, RATE)
    recipe = folder / "recipe.toml"
    recipe.write_text(re.sub(r"epochs = \d+", "epochs = 3", recipe.read_text("utf-8")))
    return folder


def commands():
    """The commands of the README, without the variables set before them."""
    block = re.search(r"```sh\n(.*?)```", (OWN_PARTS / "README.md").read_text("utf-8"), re.DOTALL)
    return [line.split() for line in block[1].splitlines()]


def test_every_command_of_the_readme_runs(project, monkeypatch):
    train, evaluate, baseline, predict = commands()
    layout = "layout:load:recordings"
    for command in (train, evaluate, baseline):
        options = ["--protocol.folds", "2", "--seeds", "1"] if "evaluate" in command else []
        words = [layout if word == "layout:load:FOLDER" else word for word in command[1:]]
        done = affekt(*words, *options, cwd=project)
        assert done.returncode == 0, done.stderr
    assert (project / "run/metrics.json").is_file()
    assert (project / "baseline/metrics.json").is_file()
    recording = "recordings/s1_anger_0.wav"
    words = [recording if word == "call.wav" else word for word in predict[2:]]
    refused = affekt(*words, cwd=project)
    assert refused.returncode == 2
    assert "AFFEKT_TRUST=encoder,pooling" in refused.stderr
    variable, _, packages = predict[0].partition("=")
    monkeypatch.setenv(variable, packages)
    done = affekt(*words, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "anger" in done.stdout


def test_the_encoder_is_short():
    assert len((OWN_PARTS / "encoder.py").read_text("utf-8").splitlines()) < 40


def executed(source, names):
    """The value of a cell: that of its last line, if it is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


def test_the_notebook_runs_from_its_folder(monkeypatch):
    monkeypatch.chdir(ROOT / "examples")
    notebook = json.loads(Path("notebook.ipynb").read_text("utf-8"))
    names = {}
    values = [
        executed("".join(cell["source"]), names)
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    labels, errors, prediction, table, aggregate, figure, shape = values
    assert "anger" in labels
    assert ["missing.wav" in str(error) for error in errors] == [True]
    assert prediction.label in prediction._repr_html_()
    assert table["label"].tolist() == [p.label for p in names["predictions"]]
    assert aggregate["max"].ge(aggregate["mean"]).all()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert shape == (3, 2048)
    assert not any(cell.get("outputs") for cell in notebook["cells"])
