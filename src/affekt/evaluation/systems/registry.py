"""The systems of the study by name: the paper's, those that it compares with, and others."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import Config
from ...errors import AffektError
from ...own_parts import is_dotted_path, split_path

if TYPE_CHECKING:  # --help lists the names and must not import torch
    from .system import System

FINE_TUNING = 1e-5  # learning rate of VGGish from the official weights

Make = Callable[[Config, Path | None], "System"]


@dataclass(frozen=True)
class SystemEntry:
    """A system of the study.

    Attributes:
        title: Name in tables; "" for a description of the settings.
        make: From settings and a cache folder to an untrained system.
        settings: Settings that the system fixes.
        opt_in: Run only if named: it takes hours on a CPU, or is a variant of another system.
    """

    title: str
    make: Make
    settings: Mapping[str, Any] = field(default_factory=dict)
    opt_in: bool = False


def _paper(config: Config, cache: Path | None) -> "System":
    from .paper import PaperSystem

    return PaperSystem(config, cache)


def _vggish(plan: str, pooling: str) -> dict[str, Any]:
    """Settings of VGGish from a random start, as in recipes/vggish.toml."""
    training = {"freeze": False, "epochs": 12, "patience": 3, "batch_size": 16}
    return {
        "balance": {"plan": plan},
        "augment": {"speeds": ()},
        "encoder": {"name": "vggish"},
        "stage1": {**training, "learning_rate": 1e-4, "head_learning_rate": 1e-4},
        "stage2": {"learning_rate": 1e-3, "pooling": pooling},
        "protocol": {"refit": False},
    }


def _functionals(features: str, classifier: str) -> Make:
    def make(config: Config, cache: Path | None) -> "System":
        from . import functionals
        from .features import FeatureCache

        learner = {"svm": functionals.support_vectors, "forest": functionals.forest}[classifier]
        return functionals.Functionals(config, FeatureCache(features, cache), learner)

    return make


def _alexnet(averaging: str) -> Make:
    def make(config: Config, cache: Path | None) -> "System":
        from .alexnet import AlexNetSystem

        return AlexNetSystem(config, averaging)

    return make


def _resnet(config: Config, cache: Path | None) -> "System":
    from .resnet import ResNetSystem

    return ResNetSystem(config)


def _majority(config: Config, cache: Path | None) -> "System":
    from .probes import Majority

    return Majority(config)


def _length(config: Config, cache: Path | None) -> "System":
    from .probes import Length

    return Length(config)


def _own(path: str, config: Config, cache: Path | None) -> "System":
    from .own import own_system

    return own_system(path, config)


SYSTEMS: dict[str, SystemEntry] = {
    "default": SystemEntry("", _paper),
    "vggish-mean": SystemEntry("VGGish + LSTM", _paper, _vggish("none", "mean"), opt_in=True),
    "vggish-attention": SystemEntry(
        "VGGish + LSTM + attention", _paper, _vggish("none", "attention"), opt_in=True
    ),
    "vggish-mean-balance": SystemEntry(
        "VGGish + LSTM, balance", _paper, _vggish("auto", "mean"), opt_in=True
    ),
    "vggish-attention-balance": SystemEntry(
        "VGGish + LSTM + attention, balance", _paper, _vggish("auto", "attention"), opt_in=True
    ),
    "mfcc": SystemEntry("MFCC + RASTA-PLP, SVM [27]", _functionals("mfcc-rasta-plp", "svm")),
    "alexnet": SystemEntry("AlexNet + SVM [22]", _alexnet("embeddings"), opt_in=True),
    "alexnet-softmax": SystemEntry("AlexNet, transfer [32]", _alexnet("softmax"), opt_in=True),
    "gemaps-svm": SystemEntry("GeMAPS + SVM [28]", _functionals("gemaps", "svm")),
    "gemaps-forest": SystemEntry("GeMAPS + random forest [31]", _functionals("gemaps", "forest")),
    "egemaps-svm": SystemEntry("eGeMAPS + SVM", _functionals("egemaps", "svm")),
    "egemaps-forest": SystemEntry("eGeMAPS + random forest", _functionals("egemaps", "forest")),
    "resnet": SystemEntry("ResNet-20 with adapters [33]", _resnet, opt_in=True),
    "compare-svm": SystemEntry("ComParE 2016 + SVM", _functionals("compare", "svm")),
    "majority": SystemEntry("majority class of the training part", _majority),
    "length": SystemEntry("number of segments only", _length),
}

POOLINGS = ("mean", "multi-head", "statistics", "bilinear", "covariance", "higher-order")
SYSTEMS |= {
    f"default-{pooling}": SystemEntry("", _paper, {"stage2": {"pooling": pooling}}, opt_in=True)
    for pooling in POOLINGS
}
SYSTEMS |= {
    "default-unbalanced": SystemEntry("", _paper, {"balance": {"plan": "none"}}, opt_in=True),
    "default-both": SystemEntry("", _paper, {"balance": {"scope": "both"}}, opt_in=True),
    "default-peephole": SystemEntry("", _paper, {"stage2": {"cell": "peephole"}}, opt_in=True),
    "end-to-end": SystemEntry("", _paper, {"stage2": {"end_to_end": True}}, opt_in=True),
}


def known_system(name: str) -> SystemEntry:
    """The system of this name, or at this dotted path.

    Raises:
        AffektError: There is none; the message gives the most similar name.
    """
    if name in SYSTEMS:
        return SYSTEMS[name]
    if is_dotted_path(name):
        return SystemEntry(split_path(name)[1], partial(_own, name))
    near = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(SYSTEMS)}."
    raise AffektError(
        f"no system {name!r}; {hint} A system of your own is given as my_package:MySystem"
    )


def configured(name: str, config: Config) -> Config:
    """Settings that a system is run with, and that its result records.

    If the system fixes another encoder than that of the config, the settings of the config's
    encoder are dropped.

    Args:
        name: Name of the system.
        config: Settings of the user.

    Raises:
        AffektError: There is no such system; or the config has weights for another encoder, or
            sets ``protocol.test_normalisation`` for a system that does not standardise embeddings.
    """
    tuned = config.encoder.name == "vggish" and not config.stage1.freeze
    normalised = config.protocol.test_normalisation != "none"
    if normalised and (known_system(name).make is not _paper or tuned):
        raise AffektError(
            f"{name}: protocol.test_normalisation needs a system that standardises embeddings, "
            "such as default"
        )
    values = config.model_dump(exclude_unset=True)
    settings = known_system(name).settings
    given = config.encoder
    if settings.get("encoder", {}).get("name", given.name) != given.name:
        if given.weights:
            other = settings["encoder"]["name"]
            raise AffektError(
                f"encoder.weights are for {given.name}, but {name} uses {other}; run it "
                f"separately, with --encoder.name {other} and weights for it"
            )
        values.pop("encoder", None)
    for section, fixed in settings.items():
        values[section] = {**values.get(section, {}), **fixed}
    if given.name == "vggish" and given.weights not in (None, "random") and "stage1" in settings:
        values["stage1"]["learning_rate"] = FINE_TUNING
    return Config.model_validate(values)


def title(name: str, config: Config) -> str:
    """Name of a system in tables.

    Args:
        name: Name of the system.
        config: Settings, as `configured` returns them.

    Raises:
        AffektError: No such system.
    """
    encoder, balance, stage2 = config.encoder, config.balance, config.stage2
    both = ["stage 2 balanced too"] if balance.plan != "none" and balance.scope == "both" else []
    if fixed := known_system(name).title:
        return ", ".join([fixed, *both])
    title = {"whisper": "Whisper", "vggish": "VGGish"}.get(encoder.name) or Path(
        encoder.weights or encoder.name
    ).name
    if is_dotted_path(encoder.name):
        title = split_path(encoder.name)[1]
    elif encoder.name != "vggish":
        title += ", mix of layers" if encoder.mix else f" layer {encoder.layer}"
    cell = {"lstm": "LSTM + ", "peephole": "peephole LSTM + ", "none": ""}[stage2.cell]
    plan = "no balance" if balance.plan == "none" else f"balance {balance.plan}"
    own_pooling = is_dotted_path(stage2.pooling)
    pooling = split_path(stage2.pooling)[1] if own_pooling else stage2.pooling
    parts = [f"{title} + {cell}{pooling}", plan, *both]
    if stage2.end_to_end:
        parts.append("end to end")
    return ", ".join(parts)


@dataclass(frozen=True)
class Maker:
    """Makes an untrained system at each call; it can be pickled for other processes.

    Attributes:
        system: Name of the system.
        config: Settings, as `configured` returns them.
        cache: Folder of cached embeddings and features; None for no cache.
    """

    system: str
    config: Config
    cache: Path | None

    def __call__(self) -> "System":
        """Make an untrained system."""
        return known_system(self.system).make(self.config, self.cache)
