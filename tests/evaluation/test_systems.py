"""Every system of the study learns from clips and predicts recordings, by the same rules."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.signal import freqz

from affekt import AffektError
from affekt.config import Config, Encoder, all_keys
from affekt.corpora.registry import load_corpus
from affekt.errors import CheckpointError
from affekt.evaluation.systems import alexnet, functionals, rasta, resnet
from affekt.evaluation.systems.features import FeatureCache
from affekt.evaluation.systems.functionals import margins_to_probabilities
from affekt.evaluation.systems.registry import (
    SYSTEMS,
    Maker,
    configured,
    require_effect,
    used_by,
)
from affekt.evaluation.systems.titles import title
from affekt.progress import silent
from affekt.training.balance import cut, make_plan
from affekt.training.clips import load_clips
from affekt.types import ANONYMOUS

FAST = [name for name, entry in SYSTEMS.items() if not entry.opt_in]

VARIANTS = [n for n in SYSTEMS if n.startswith("default-") or n == "end-to-end"]


@pytest.fixture(scope="module")
def parts(manifest):
    clips = load_clips(load_corpus(str(manifest)).examples)
    test = {"s1", "s2"}
    return (
        [c for c in clips if c.example.speaker not in test],
        [c for c in clips if c.example.speaker in test],
    )


def accuracy(system, test):
    probabilities = system.predict([c.recording for c in test])
    assert probabilities.shape == (len(test), len(system.labels))
    assert np.allclose(probabilities.sum(1), 1)
    predicted = [system.labels[i] for i in probabilities.argmax(1)]
    return np.mean([p == c.label for p, c in zip(predicted, test, strict=True)])


@pytest.mark.parametrize("name", FAST)
def test_a_fast_system_predicts_unseen_speakers(name, parts, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(functionals, "TREES", 50)
    training, test = parts
    system = Maker(name, tiny_config, tmp_path)()
    system.fit(training, 0, silent)
    score = accuracy(system, test)
    if name == "majority":
        assert score == pytest.approx(1 / 3)
    elif name == "length":  # durations do not depend on the class
        assert score < 0.6
    else:
        assert score > 0.6
    again = Maker(name, tiny_config, tmp_path)()
    again.fit(training, 0, silent)
    recordings = [c.recording for c in test]
    assert np.array_equal(system.predict(recordings), again.predict(recordings))


@pytest.mark.parametrize("name", ["alexnet", "alexnet-softmax", "resnet"])
def test_a_slow_system_runs(name, parts, tiny_config, monkeypatch):
    monkeypatch.setattr(resnet, "SPEAKERS", resnet.SPEAKERS._replace(epochs=1))
    training, test = parts
    stage1 = tiny_config.stage1.model_copy(update={"epochs": 1})
    config = tiny_config.model_copy(update={"precision": "bfloat16", "stage1": stage1})
    system = Maker(name, config, None)()
    system.fit(training[::4], 0, silent)
    accuracy(system, test[::6])  # checks that the probabilities sum to 1
    assert system.training_info["epochs"] == 1
    assert set(system.training_info["validation_speakers"]) < {c.example.speaker for c in training}
    start = "speaker training on 3 training speakers" if name == "resnet" else "random start"
    assert system.training_info["encoder"] == start


def test_resnet_without_known_speakers_trains_all_layers(parts):
    clips = [
        replace(c, example=replace(c.example, speaker=ANONYMOUS + c.example.id))
        for c in parts[0][::6]
    ]
    config = Config.model_validate({"stage1": {"epochs": 1}})
    system = Maker("resnet", configured("resnet", config), None)()
    system.fit(clips, 0, silent)
    assert system.training_info["encoder"].startswith("random start, all layers trained")
    assert all(parameter.requires_grad for parameter in system.network.parameters())
    assert system.network.stem.adapter.weight.abs().max() > 0  # it starts at zero


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_learns_too(name, parts, tiny_config):
    training, test = parts
    config = configured(name, tiny_config)
    system = Maker(name, config, None)()
    system.fit(training, 0, silent)
    assert accuracy(system, test) > 0.4  # guessing gives a third
    assert config != tiny_config


def test_a_run_records_the_settings_that_the_system_sets(tiny_config):
    with pytest.raises(
        AffektError, match="weights are for whisper, but vggish-mean-balance uses vggish"
    ):
        configured("vggish-mean-balance", tiny_config)
    whisper = tiny_config.encoder.model_copy(update={"weights": None})
    config = configured("vggish-mean-balance", tiny_config.model_copy(update={"encoder": whisper}))
    assert (config.encoder.name, config.balance.plan) == ("vggish", "auto")
    assert config.stage2.pooling == "mean"
    assert config.stage2.hidden == tiny_config.stage2.hidden  # the rest is the user's
    assert configured("default", tiny_config) == tiny_config
    assert config.stage1.learning_rate == 1e-4  # from a random start
    vggish = Encoder(name="vggish", weights="vggish-10086976.pth")
    config = configured("vggish-mean", tiny_config.model_copy(update={"encoder": vggish}))
    assert config.encoder == vggish
    assert config.stage1.learning_rate == 1e-5
    distilled = Config.model_validate({"encoder": {"name": "vggish", "weights": "distilled"}})
    assert configured("vggish-mean", distilled).stage1.learning_rate == 1e-4


OTHER = {  # a value of each setting that no system has by default
    "audio.normalisation": "none", "segments.hop": 0.5, "balance.plan": "paper-like",
    "balance.scope": "both", "loss.class_weights": "inverse", "loss.focal_gamma": 2.0,
    "loss.scope": "encoder", "augment.speeds": (1.2,), "augment.degraded": 2,
    "encoder.name": "ssl", "encoder.options": {"width": 1}, "encoder.weights": "x.safetensors",
    "encoder.layer": 2, "encoder.pooling": "mean", "encoder.mix": True, "encoder.width": 0.5,
    "encoder.padding": "log-mel", "encoder.final_relu": True, "stage1.freeze": False,
    "stage1.epochs": 1, "stage1.patience": 9, "stage1.batch_size": 5, "stage1.learning_rate": 0.5,
    "stage1.head_learning_rate": 0.5, "stage2.cell": "none", "stage2.pooling": "a.b:C",
    "stage2.order": 5, "stage2.hidden": 7, "stage2.dropout": 0.1, "stage2.epochs": 1,
    "stage2.patience": 9, "stage2.batch_size": 5, "stage2.learning_rate": 0.5,
    "stage2.end_to_end": True, "stage2.max_grad_norm": 1.0,
    "stage2.linear_head": True, "protocol.folds": 7,
    "protocol.validation": 0.3, "protocol.refit": False, "protocol.seeds": 9, "protocol.seed": 9,
    "protocol.paper_protocol": True, "protocol.training_imbalance": 5.0,
    "protocol.test_normalisation": "fold",
    "baselines.alexnet": "x.pth", "baselines.resnet": "x.safetensors", "precision": "bfloat16",
    "training_normalisation": "speaker", "labels": {"a": "b"}, "votes": ("a",),
    "dimensions": ("a",), "intended_use": "x", "license": "x",
}  # fmt: skip


@pytest.mark.parametrize("name", [*SYSTEMS, "my_package:System"])
def test_every_option_is_applied_or_refused(name):
    """Refused by its name; applied also where the system has a default of its own."""
    assert list(OTHER) == all_keys()
    applied = []
    for key, chosen in OTHER.items():
        section, _, setting = key.partition(".")
        given = Config.model_validate({section: {setting: chosen} if setting else chosen})
        try:
            require_effect(given, used_by(name, given), name)
            config = configured(name, given)
        except AffektError as error:
            assert key in str(error)
            continue
        found = getattr(config, section)
        assert (getattr(found, setting) if setting else found) == chosen
        applied.append(key)
    assert {"protocol.seeds", "labels"} <= set(applied)
    if name == "my_package:System":
        assert applied == [key for key in all_keys() if key != "protocol.test_normalisation"]
    if name.startswith(("vggish", "alexnet", "resnet")):
        assert {"stage1.epochs", "stage1.learning_rate", "precision"} < set(applied)


def test_a_study_takes_an_option_that_one_of_its_systems_uses(tiny_config):
    given = Config.model_validate({"stage2": {"hidden": 7}})
    assert configured("mfcc", given) == configured("mfcc", Config())
    assert configured("default", given).stage2.hidden == 7
    with pytest.raises(AffektError, match=r"stage2\.hidden has no effect on mfcc, majority"):
        require_effect(given, used_by("mfcc", given) | used_by("majority", given), "mfcc, majority")
    with pytest.raises(AffektError, match=r"stage2\.pooling is mean in vggish-mean, not bilinear"):
        configured("vggish-mean", Config.model_validate({"stage2": {"pooling": "bilinear"}}))
    with pytest.raises(AffektError, match=r"stage1\.epochs is 0; AlexNet needs"):
        Maker("alexnet", Config.model_validate({"stage1": {"epochs": 0}}), None)()


def test_a_title_says_what_was_run(tiny_config):
    assert title("default", tiny_config) == "Whisper layer 2 + LSTM + attention, balance auto"
    both = configured("default-both", tiny_config)
    assert title("default-both", both).endswith("stage 2 balanced too")
    beside = Config.model_validate({"encoder": {"name": "whisper+campplus"}})
    assert title("default", beside).startswith("Whisper layer 3 and CAM++ + LSTM")
    assert title("vggish-mean", configured("vggish-mean", Config())) == "VGGish + LSTM"
    own = Config.model_validate({"stage2": {"cell": "peephole"}, "stage1": {"freeze": True}})
    named = title("vggish-mean", configured("vggish-mean", own))
    assert named == "VGGish + LSTM, peephole cell, frozen encoder"
    narrow = Config.model_validate({"encoder": {"name": "vggish", "width": 0.25}})
    assert title("vggish-mean", configured("vggish-mean", narrow)) == "VGGish + LSTM, width 0.25"
    distilled = Config.model_validate({"encoder": {"name": "vggish", "weights": "distilled"}})
    assert title("default", distilled).endswith("balance auto, width 0.25, distilled")
    assert "peephole LSTM" in title("default", configured("default-peephole", tiny_config))
    assert "no balance" in title("default", configured("default-unbalanced", tiny_config))


def test_an_unknown_system_is_refused_with_the_nearest(tiny_config):
    with pytest.raises(AffektError, match="did you mean egemaps-svm"):
        configured("egemaps_svm", tiny_config)


@pytest.mark.parametrize(("name", "length"), [("gemaps", 62), ("egemaps", 88), ("compare", 6373)])
def test_opensmiles_sets_have_their_published_length(name, length, parts):
    vector = FeatureCache(name, None)(parts[0][0].recording.wave[:8000])
    assert vector.shape == (length,)
    assert np.isfinite(vector).all()


def test_features_are_cached_and_a_damaged_file_is_replaced(tmp_path, parts):
    wave = parts[0][0].recording.wave
    features = FeatureCache("egemaps", tmp_path)
    first = features(wave)
    [path] = tmp_path.rglob("*.npy")
    assert np.array_equal(features(wave), first)
    path.write_bytes(b"broken")
    assert np.array_equal(features(wave), first)
    features(wave * 0.5)
    FeatureCache("gemaps", tmp_path)(wave)
    assert len(list(tmp_path.rglob("*.npy"))) == 3


def test_the_cepstrum_is_that_of_the_all_pole_model():
    """Of 1 / A(z), against the Fourier transform of its log spectrum."""
    a = np.array([1.0, -0.9, 0.5, -0.2])
    _, response = freqz([1.0], a, worN=4096, whole=True)
    spectrum = np.abs(response) ** 2
    correlation = np.fft.ifft(spectrum).real[:4]
    cepstra = np.fft.ifft(np.log(spectrum)).real
    found = rasta.cepstrum(correlation)
    assert found[0] == pytest.approx(0.0, abs=1e-9)  # log of the residual's energy, 1
    assert found[1:] == pytest.approx(2 * cepstra[1:4] / 2, abs=1e-9)


def test_rasta_forgets_a_constant_channel_and_mfcc_do_not(parts):
    wave = parts[0][0].recording.wave
    loud = wave * 20
    assert np.allclose(rasta.rasta_plp(wave), rasta.rasta_plp(loud), atol=1e-3)
    assert not np.allclose(rasta.mfcc(wave), rasta.mfcc(loud), atol=1e-1)


def test_statistics_of_a_clip_have_their_place():
    vector = rasta.mfcc_rasta_plp(np.random.default_rng(0).standard_normal(16_000) * 0.1)
    assert vector.shape == (9 * 3 * 26,)
    assert np.isfinite(vector).all()
    assert np.isfinite(rasta.mfcc_rasta_plp(np.zeros(16_000, np.float32))).all()


def test_deltas_are_slopes():
    line = np.arange(10.0)[:, None] * 3
    assert np.allclose(rasta.deltas(line)[2:-2], 3)


def test_margins_of_two_classes_are_two_probabilities():
    both = margins_to_probabilities([2.0, -1.0])
    assert np.allclose(both[:, 1], 1 / (1 + np.exp([-2.0, 1.0])))

    assert np.allclose(both.sum(1), 1)
    assert both[0, 1] > 0.5 > both[1, 1]


def test_an_adapter_that_starts_at_zero_changes_nothing():
    torch.manual_seed(0)
    network = resnet.ResNet20(4).eval()
    x = torch.randn(2, 1, 96, 64)
    before = network.blocks(torch.relu(network.stem(x)))
    network.adapt(3)
    assert torch.equal(network.blocks(torch.relu(network.stem(x))), before)
    trained = {n for n, p in network.named_parameters() if p.requires_grad}
    frozen = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert {n.split(".")[-2] for n in trained} == {"adapter", "norm", "last"}
    assert {n.split(".")[-2] for n in frozen} == {"conv", "shortcut"}
    convolutions = [m for m in network.modules() if isinstance(m, resnet.Adapted)]
    assert len(convolutions) + 1 == 20  # and the last layer


def test_alexnet_takes_torchvisions_file_and_refuses_others(tmp_path):
    network = alexnet.AlexNet(7)
    assert sum(p.numel() for p in alexnet.AlexNet(1000).parameters()) == 61_100_840
    tensors = {k: torch.zeros(1).expand(v.shape) for k, v in network.state_dict().items()}
    torch.save(tensors, tmp_path / "alexnet.pth")
    last = network.classifier[6].weight.clone()
    assert alexnet.load_imagenet(network, tmp_path / "alexnet.pth") == "alexnet.pth"
    assert not network.features[0].weight.any()
    assert torch.equal(network.classifier[6].weight, last)
    (tmp_path / "broken.pth").write_bytes(b"PK")
    with pytest.raises(AffektError, match="not torchvision's AlexNet") as caught:
        alexnet.load_imagenet(network, tmp_path / "broken.pth")
    assert caught.value.__cause__ is not None  # printed under AFFEKT_DEBUG


def test_three_channels_are_cut_every_30_frames():
    segments = alexnet.three_channels(torch.randn(16_000 * 2) * 0.1)
    assert segments.shape == ((198 - 64) // 30 + 1, 3, 64, 64)
    assert alexnet.three_channels(torch.zeros(1000)).shape == (1, 3, 64, 64)
    assert alexnet.enlarge(segments[:1]).shape == (1, 3, 227, 227)


def test_alexnet_and_resnet_start_from_weights_that_are_given(parts, tiny_config, tmp_path):
    torch.manual_seed(3)
    given = resnet.ResNet20(9)
    tensors = {k: v for k, v in given.state_dict().items() if ".adapter." not in k}
    save_file(tensors, tmp_path / "voices.safetensors")
    network = resnet.ResNet20(3)
    start = resnet.load_speaker_network(network, tmp_path / "voices.safetensors")
    assert start == "voices.safetensors"
    assert torch.equal(network.blocks[4].first.conv.weight, given.blocks[4].first.conv.weight)
    assert not network.stem.adapter.weight.any()
    assert network.last.out_features == 3
    (tmp_path / "other.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="not a ResNet-20") as caught:
        resnet.load_speaker_network(network, tmp_path / "other.safetensors")
    assert caught.value.__cause__ is not None  # printed under AFFEKT_DEBUG
    for section in ("alexnet", "resnet"):
        starts = tiny_config.baselines.model_copy(update={section: str(tmp_path / "missing")})
        config = tiny_config.model_copy(update={"baselines": starts})
        with pytest.raises(CheckpointError, match="missing"):
            Maker(section, config, None)()


def test_a_probe_that_learns_from_balanced_segments_learns_lengths_that_no_test_clip_has(parts):
    training, test = parts
    rare = [c for c in training if c.label != "anger" or c.example.id.endswith("0.wav")]
    config = Config.model_validate({"balance": {"plan": "paper-like", "scope": "both"}})
    fair, misled = (Maker("length", settings, None)() for settings in (Config(), config))
    for probe in (fair, misled):
        probe.fit(rare, 0, silent)
    plan = make_plan("paper-like", [(c.label, c.seconds) for c in rare])
    balanced = np.array([[len(cut(c.seconds, plan[c.label]))] for c in rare])
    labels = [c.label for c in rare]
    misled_score = np.mean(misled.tree.predict(balanced) == labels)
    fair_score = np.mean(fair.tree.predict(fair._counts([c.recording for c in rare])) == labels)
    assert misled_score > fair_score + 0.1  # in training the length predicts the class
    assert accuracy(misled, test) < 0.6  # but not at test
    assert accuracy(fair, test) < 0.6


def test_inner_folds_mix_classes_where_speakers_do_not():
    targets = ["a"] * 6 + ["b"] * 6 + ["a", "b"] * 3
    alone = [f"s{i // 3}" for i in range(12)] + ["s9"] * 6
    for seed in range(5):
        for part, _ in functionals.inner_folds(targets, alone, seed).split(targets, targets, alone):
            assert {targets[i] for i in part} == {"a", "b"}
    mixed = ["x", "y", "z"] * 6
    assert type(functionals.inner_folds(targets, mixed, 0)).__name__ == "GroupKFold"
    assert functionals.inner_folds(targets, ["x"] * 18, 0).get_n_splits() == 3
    assert functionals.inner_folds(["a", "a", "b", "b"], ["x"] * 4, 0).get_n_splits() == 2
    with pytest.raises(AffektError, match="2 training speakers, and 6 clips of"):
        functionals.inner_folds(["a"] * 6 + ["b"] * 6, ["s"] * 6 + ["t"] * 6, 0)
    with pytest.raises(AffektError, match="1 training speaker, and 1 clip of"):
        functionals.inner_folds(["a", "b"], ["s", "s"], 0)
