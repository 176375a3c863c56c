import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import affekt
from affekt import AffektError, CheckpointError
from affekt.config import Config
from affekt.inference.recognizer import Recognizer
from affekt.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from affekt.nn.emotion_model import EmotionModel, statistics_of
from affekt.nn.training_info import CorpusInfo, TrainingInfo

LABELS = ["anger", "neutral", "sadness"]


@pytest.fixture
def checkpoint(tiny_config):
    torch.manual_seed(0)
    model = EmotionModel(tiny_config, 3).eval()
    model.projection.set_statistics({"": statistics_of([torch.randn(50, 128)])})
    return Checkpoint(model, LABELS, tiny_config, "tiny", "For tests.", TrainingInfo(seed=0))


@pytest.fixture
def folder(checkpoint, tmp_path):
    save_checkpoint(checkpoint, tmp_path / "m", "# card")
    return tmp_path / "m"


def test_a_loaded_model_is_bitwise_equal_to_the_saved_one(checkpoint, folder):
    again = load_checkpoint(folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value)
        assert again.model.state_dict()[name].dtype == torch.float32
    assert (again.labels, again.config) == (LABELS, checkpoint.config)
    assert again.intended_use == "For tests."
    wave = np.random.default_rng(0).standard_normal(30_000).astype(np.float32)
    ours = Recognizer(checkpoint)(wave, 16_000)
    theirs = Recognizer(again)(wave, 16_000)
    assert ours == theirs


def test_tensors_exact_in_float16_are_stored_as_float16(folder):
    stored = load_file(folder / "model.safetensors")
    assert stored["encoder.conv1.weight"].dtype == torch.float16
    assert stored["sequence.classifier.weight"].dtype == torch.float32


@pytest.mark.parametrize("name", ["vggish", "peephole"])
def test_every_variant_round_trips(name, tmp_path):
    settings = {"encoder": {"name": "vggish"}} if name == "vggish" else {
        "stage2": {"cell": "peephole", "pooling": "mean"}
    }  # fmt: skip
    config = Config.model_validate(settings)
    model = EmotionModel(config, 2).eval()
    save_checkpoint(Checkpoint(model, ["a", "b"], config, name), tmp_path / name, "")
    again = load_checkpoint(tmp_path / name).model.state_dict()
    assert all(torch.equal(again[key], value) for key, value in model.state_dict().items())


def test_a_model_of_the_distilled_vggish_is_of_its_width_and_carries_its_license(tmp_path):
    config = Config.model_validate(
        {"encoder": {"name": "vggish", "weights": "distilled"}, "stage1": {"freeze": False}}
    )
    info = TrainingInfo(corpus=CorpusInfo(license="Corpus: CC0."))
    model = EmotionModel(config, 2).eval()
    save_checkpoint(Checkpoint(model, ["a", "b"], config, "d", training=info), tmp_path / "d", "")
    again = load_checkpoint(tmp_path / "d")
    assert again.model.encoder.features[0].out_channels == 16
    states = again.model.state_dict(), model.state_dict()
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())
    assert again.license.startswith("Corpus: CC0. Distilled VGGish: research")


def test_no_file_is_overwritten(checkpoint, folder):
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(AffektError, match="not empty"):
        save_checkpoint(checkpoint, folder, "# other")
    assert (folder / "model.safetensors").read_bytes() == before
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


def damage(folder, kind):
    config = json.loads((folder / "config.json").read_text())
    weights = folder / "model.safetensors"
    if kind == "missing":
        weights.unlink()
    elif kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "foreign":
        save_file({"x": torch.zeros(1)}, weights)
    elif kind == "newer":
        config["format"] = 99
    elif kind == "labels":
        config["labels"] = ["one"]
    elif kind == "setting":
        config["config"]["stage2"]["hiden"] = 4
    elif kind == "other":
        config = {"model_type": "bert"}
    (folder / "config.json").write_text("{" if kind == "broken json" else json.dumps(config))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "model.safetensors is missing"),
        ("truncated", "damaged"),
        ("foreign", "do not fit"),
        ("newer", "update affekt"),
        ("labels", "do not fit"),
        ("setting", "did you mean 'stage2.hidden'"),
        ("other", "not of an affekt model"),
        ("broken json", "damaged"),
    ],
)
def test_a_damaged_foreign_or_newer_folder_is_refused(folder, kind, reason):
    damage(folder, kind)
    with pytest.raises(CheckpointError, match=reason) as caught:
        affekt.load(folder)
    assert str(folder) in str(caught.value)


def test_an_unknown_name_lists_the_bundled_models():
    with pytest.raises(CheckpointError, match="default"):
        affekt.load("defualt")
