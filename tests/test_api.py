"""The functions of the package do what the commands do, with objects in place of names."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from helpers import DEMO, ROOT

import affekt
from affekt.config import Config
from affekt.nn.checkpoint import load_checkpoint
from affekt.recipe import settings_with

FAST = {
    "augment": {"speeds": []},
    "stage1": {"epochs": 2, "head_learning_rate": 5e-3},
    "stage2": {"epochs": 2, "hidden": 8, "learning_rate": 5e-3},
    "protocol": {"folds": 2, "seeds": 1, "validation": 0.25, "refit": False},
}


class Bands(affekt.SegmentEncoder):
    """Log power of a segment's spectrum in some bands, scaled by a weight."""

    contextual = False

    def __init__(self, bands: int = 8) -> None:
        super().__init__()
        self.dim = bands
        self.architecture = {"bands": bands}
        self.scale = torch.nn.Parameter(torch.full((bands,), 0.3))

    def forward(self, waves, spans):
        power = torch.fft.rfft(self.cut(waves, spans)).abs().square()
        bands = power[:, : 7680 // self.dim * self.dim].unflatten(1, (self.dim, -1))
        return bands.mean(-1).clamp_min(1e-6).log() * self.scale


class Last(affekt.Pooling):
    """The hidden vector of the last segment."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = hidden

    def forward(self, h, mask):
        last = mask.sum(1) - 1
        shares = torch.nn.functional.one_hot(last, h.shape[1]).to(h.dtype)
        return h[torch.arange(len(h)), last], shares


def test_importing_affekt_imports_no_torch():
    code = "import affekt, sys; print(sorted({'torch', 'numpy', 'pandas'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented():
    for name in affekt.__all__:
        assert getattr(affekt, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        affekt.laod  # noqa: B018


def test_the_models_inside_the_package():
    models = affekt.available_models()
    assert models["default"].labels == affekt.load("default").labels
    assert "research" in models["default"].license
    assert models["default"].intended_use


def test_a_class_or_an_object_is_an_encoder_of_a_config():
    name = f"{__name__}:Bands"
    assert settings_with(encoder=Bands).encoder.name == name
    config = settings_with(config={"encoder": {"options": {"bands": 5}}}, encoder=Bands)
    assert config.encoder.options == {"bands": 5}
    encoder = settings_with(encoder=Bands(6), pooling=Last).encoder
    assert (encoder.name, encoder.options) == (name, {"bands": 6})
    assert Path(encoder.weights).is_file()
    assert settings_with(pooling=f"{__name__}.Last").stage2.pooling == f"{__name__}.Last"
    recipe = ROOT / "recipes/vggish.toml"
    over = settings_with(recipe, Config.model_validate({"stage2": {"epochs": 3}}))
    assert (over.encoder.name, over.stage2.epochs) == ("vggish", 3)


def test_a_model_is_trained_from_an_object_and_loaded_again(manifest, tmp_path):
    encoder = Bands(6)
    torch.nn.init.constant_(encoder.scale, 0.1 + 1e-4)
    events = []
    recognizer = affekt.train(
        manifest, tmp_path / "model", config=FAST, encoder=encoder, pooling=Last,
        report=events.append,
    )  # fmt: skip
    assert recognizer.labels == ["anger", "neutral", "sadness"]
    assert {event.stage for event in events} >= {"read recordings", "stage 2 (sequence)"}
    checkpoint = load_checkpoint(tmp_path / "model")
    assert torch.equal(checkpoint.model.encoder.scale, encoder.scale)  # frozen, not rounded
    assert checkpoint.training.encoder.startswith("Bands-")
    wave = np.random.default_rng(0).standard_normal(30_000).astype(np.float32) * 0.1
    assert affekt.load(tmp_path / "model")(wave, 16_000) == recognizer(wave, 16_000)


def test_corpora_are_sources_and_a_layout_may_be_a_function(manifest):
    corpus = affekt.load_corpus(manifest, {"anger": ""})
    assert corpus.labels == ["neutral", "sadness"]

    def load(root):
        return [
            affekt.Example(p.name, str(p), p.stem.split("_")[1], p.stem.split("_")[0])
            for p in sorted(root.glob("*.wav"))
        ]

    own = affekt.load_corpus(manifest.parent, {"anger": ""}, layout=load)
    assert {e.path for e in own.examples} == {e.path for e in corpus.examples}
    assert own.labels == corpus.labels


def test_adapt_and_embed_give_what_the_commands_print(manifest, tmp_path):
    adapted = affekt.adapt(manifest, tmp_path / "mine", labels={"neutral": "calm"})
    assert adapted.added == ["calm"]
    assert affekt.load(tmp_path / "mine").labels == ["anger", "calm", "sadness"]
    errors = affekt.embed(
        [DEMO[0], tmp_path / "no.wav"], tmp_path / "a.parquet", model=tmp_path / "mine",
        level="clip",
    )  # fmt: skip
    assert ["no.wav" in str(error) for error in errors] == [True]
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 1


class Shares:
    """The shares of the classes in training, whatever the recording."""

    def __init__(self, config=None):
        self.labels, self.training_info = [], {}

    def fit(self, clips, seed, report, held_out=None):
        self.labels = sorted({clip.label for clip in clips})

    def predict(self, recordings):
        return np.full((len(recordings), len(self.labels)), 1 / len(self.labels))


@pytest.mark.parametrize("system", [Shares, Shares(), f"{__name__}:Shares"])
def test_a_system_of_ones_own_is_evaluated(system, manifest, tmp_path):
    result = affekt.evaluate(manifest, tmp_path / "run", system=system, config=FAST)
    assert pytest.approx(1 / 3, abs=1e-3) == result.UAR
    assert result.title == "Shares"
    assert (tmp_path / "run/metrics.json").is_file()


def test_an_encoder_of_ones_own_is_evaluated(manifest, tmp_path):
    corpus = affekt.load_corpus(manifest)
    result = affekt.evaluate(corpus, tmp_path / "run", encoder=Bands, pooling=Last, config=FAST)
    assert result.title.startswith("Bands + LSTM + Last")
    assert result.UAR > 1 / 3


def test_options_that_exclude_each_other_are_refused(manifest, tmp_path):
    for options, message in (
        ({"test": manifest, "leave_out": [manifest]}, "give one of them"),
        ({"test": manifest, "train_only": [manifest]}, "train-only goes with"),
        ({"model": "open", "predictions": manifest}, "nothing is trained"),
        ({"model": "open", "system": "majority"}, "nothing is trained"),
        ({"model": "open", "config": FAST}, "augment.speeds has no effect on a model"),
        ({"system": "majority", "config": FAST}, "augment.speeds has no effect on majority"),
    ):
        with pytest.raises(affekt.AffektError, match=message):
            affekt.evaluate(manifest, tmp_path / "run", **options)


def test_folds_of_others_are_scored_as_they_are_and_leaks_are_marked(manifest, tmp_path):
    examples = affekt.load_corpus(manifest).examples
    parts = {"s1": "test", "s2": "val"}
    for name, part in (
        ("clean", lambda e: parts.get(e.speaker, "train")),
        ("leaky", lambda e: "test" if e.id.endswith("_0.wav") else "train"),
    ):
        rows = [(e.path, 1, part(e)) for e in examples]
        table = pd.DataFrame(rows, columns=["path", "fold", "part"])
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    clean, leaky = (
        affekt.evaluate(
            manifest,
            tmp_path / name,
            folds=tmp_path / f"{name}.csv",
            system=Shares,
            config={"protocol": {"seeds": 1}},
        )
        for name in ("clean", "leaky")
    )
    assert (clean.title, clean.clips) == ("Shares (folds of clean)", 12)
    assert [f.test_speakers for f in clean.folds] == [["s1"]]
    assert "1 fold of clean" in clean.protocol
    assert {f.severity for f in affekt.audit(tmp_path / "clean")} == {"unchecked"}
    assert leaky.title == "Shares (folds of leaky, test speakers trained on)"
    assert "folds that also train on test speakers: 1 of 1 (6 speakers)" in leaky.notes
    assert leaky.protocol.startswith("NOT a score on unseen speakers")
    findings = affekt.audit(tmp_path / "leaky")
    assert {f.kind for f in findings if f.severity == "serious"} == {"speaker"}
    predictions = pd.read_parquet(tmp_path / "leaky/predictions.parquet")
    assert set(predictions["utterance"]) == {e.id for e in examples if e.id.endswith("_0.wav")}


def test_an_audit_takes_a_corpus_or_a_run(manifest, tmp_path):
    corpus = affekt.load_corpus(manifest)
    assert affekt.audit(corpus) == affekt.audit(manifest)
    config = {"protocol": {"folds": 2, "seeds": 1}}
    affekt.evaluate(corpus, tmp_path / "run", system="majority", config=config)
    assert all(finding.severity for finding in affekt.audit(tmp_path / "run"))
