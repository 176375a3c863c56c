"""An encoder of the user is checked before it is trained on, and saved with its model."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import affekt
from affekt import AffektError, CheckpointError
from affekt.config import Config, Encoder
from affekt.inference.recognizer import Recognizer
from affekt.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from affekt.nn.emotion_model import EmotionModel, statistics_of
from affekt.nn.encoders.hashing import embedding_key, encoder_id
from affekt.nn.encoders.own import own_encoder
from affekt.nn.encoders.protocol import SegmentEncoder
from affekt.nn.encoders.weights import build_encoder
from affekt.recipe import read_config

SAMPLES = 15_360


class Good(SegmentEncoder):
    """A linear layer on the samples of a segment."""

    contextual = False

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.linear = torch.nn.Linear(SAMPLES, dim)

    def forward(self, waves, spans):
        return self.linear(self.cut(waves, spans))


class Weightless(Good):
    """Level of a segment; no parameters."""

    factor = 1.0

    def __init__(self) -> None:
        super().__init__(SAMPLES)
        self.linear = torch.nn.Identity()
        self.dim = 1

    def forward(self, waves, spans):
        return self.factor * super().forward(waves, spans).square().mean(1, keepdim=True)


class Shape(Good):
    def forward(self, waves, spans):
        return super().forward(waves, spans)[:-1]


class Precision(Good):
    def forward(self, waves, spans):
        return super().forward(waves, spans).double()


class Dependent(Good):
    def forward(self, waves, spans):
        x = super().forward(waves, spans)
        return x - x.mean(0)


class NoShortClip(Good):
    def forward(self, waves, spans):
        starts = [s[:, 0] * 160 for s in spans]
        return self.linear(torch.cat([w.unfold(0, SAMPLES, 1)[s] for w, s in zip(waves, starts)]))


class NoDim(Good):
    def __init__(self) -> None:
        super().__init__()
        del self.dim


class Broken(Good):
    def forward(self, waves, spans):
        return super().forward(waves, spans) / 0


def name(part):
    return f"{__name__}:{part.__name__}"


def settings(part, **options):
    return Encoder(name=name(part), options=options)


def test_it_is_built_with_its_options():
    encoder = own_encoder(settings(Good, dim=9))
    assert encoder.dim == 9
    assert not encoder.training
    assert encoder.origin == f"random start of {name(Good)}"
    assert own_encoder(settings(Weightless)).origin == name(Weightless)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Shape, r"returns \(3, 6\) torch.float32 .* it must return \(4, 6\) torch.float32"),
        (Precision, "torch.float64"),
        (Dependent, "alone and in a batch differ"),
        (NoShortClip, "a clip may be shorter than a segment"),
        (NoDim, "set it to the length"),
        (Broken, "not finite"),
    ],
)
def test_faults_are_reported_before_training(part, reason):
    with pytest.raises(AffektError, match=reason):
        own_encoder(settings(part))


def test_clips_are_cut_into_the_samples_of_their_segments():
    waves = [torch.arange(20_000.0), torch.arange(1000.0)]
    spans = [torch.tensor([[0, 96], [29, 125]]), torch.tensor([[0, 96]])]
    segments = SegmentEncoder.cut(waves, spans)
    assert segments.shape == (3, SAMPLES)
    assert torch.equal(segments[0], waves[0][:SAMPLES])
    assert torch.equal(segments[1], waves[0][29 * 160 : 29 * 160 + SAMPLES])
    assert torch.equal(segments[2, :1000], waves[1])
    assert not segments[2, 1000:].any()


def test_wrong_options_and_other_classes_are_refused():
    with pytest.raises(AffektError, match=r"Good\(dmi=3\) failed: TypeError.*encoder.options are"):
        own_encoder(settings(Good, dmi=3))
    with pytest.raises(AffektError, match="not a class derived from affekt.SegmentEncoder"):
        own_encoder(Encoder(name="collections:Counter"))
    with pytest.raises(AffektError, match="options belong to an encoder of your own"):
        read_config(None, {"encoder": {"options": {"a": 1}}})
    with pytest.raises(AffektError, match="did you mean 'whisper'"):
        read_config(None, {"encoder": {"name": "wisper"}})


def test_its_weights_come_from_a_file(tmp_path):
    first = Good()
    save_file(first.state_dict(), tmp_path / "good.safetensors")
    weights = str(tmp_path / "good.safetensors")
    again = build_encoder(settings(Good).model_copy(update={"weights": weights}))
    assert torch.equal(again.linear.weight, first.linear.weight)
    assert again.origin.startswith("good.safetensors (sha256 ")
    with pytest.raises(CheckpointError, match="shape"):
        build_encoder(settings(Good, dim=3).model_copy(update={"weights": weights}))


def test_cache_and_statistics_depend_on_its_code(monkeypatch):
    encoder = own_encoder(settings(Weightless))
    before = embedding_key(encoder)
    assert embedding_key(own_encoder(settings(Weightless))) == before
    monkeypatch.setattr(Weightless, "factor", 2.0)
    assert embedding_key(encoder) != before

    class Other(Weightless):
        pass

    Other.__qualname__ = "Other"
    assert encoder_id(Other()) != encoder_id(encoder)


@pytest.fixture
def folder(tmp_path):
    config = Config(encoder=settings(Good, dim=9))
    model = EmotionModel(config, 2).eval()
    model.projection.set_statistics({"": statistics_of([torch.randn(50, 9)])})
    checkpoint = Checkpoint(model, ["a", "b"], config, "own")
    save_checkpoint(checkpoint, tmp_path / "m", "# card")
    return tmp_path / "m", checkpoint


def test_a_loaded_model_with_it_is_bitwise_equal_to_the_saved_one(folder):
    place, checkpoint = folder
    again = load_checkpoint(place)
    for key, value in checkpoint.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[key], value)
    wave = np.random.default_rng(0).standard_normal(30_000).astype(np.float32)
    assert Recognizer(checkpoint)(wave, 16_000) == Recognizer(again)(wave, 16_000)


def renamed(place, name):
    about = json.loads((place / "config.json").read_text())
    about["config"]["encoder"]["name"] = name
    (place / "config.json").write_text(json.dumps(about))


def test_a_model_whose_module_is_not_trusted_or_missing_is_refused(folder, tmp_path, monkeypatch):
    place, _ = folder
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stranger_module.py").write_text("open('was_run', 'w').close()")
    renamed(place, "stranger_module:Encoder")
    with pytest.raises(CheckpointError, match="needs stranger_module:Encoder.*trust_own_parts"):
        affekt.load(place)
    assert not (tmp_path / "was_run").exists()
    with pytest.raises(CheckpointError, match="stranger_module has no 'Encoder'"):
        affekt.load(place, trust_own_parts=True)
    assert (tmp_path / "was_run").exists()
    renamed(place, "no_such_module:Encoder")
    with pytest.raises(CheckpointError, match="there is no module 'no_such_module'"):
        affekt.load(place, trust_own_parts=True)
