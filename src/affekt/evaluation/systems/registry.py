"""The systems of the study by name: the paper's, those that it compares with, and others."""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from ...config import ENCODERS_WITH, Config, Frozen, all_keys, explain
from ...errors import AffektError
from ...own_parts import is_dotted_path, split_path

if TYPE_CHECKING:  # --help lists the names and must not import torch
    from ...training.processes import Device
    from .system import System

FINE_TUNING = 1e-5  # learning rate of VGGish from the official weights
RECORDED = ("labels", "votes", "intended_use", "license")
EVERY = (
    *RECORDED,
    "protocol.folds",
    "protocol.seeds",
    "protocol.seed",
    "protocol.training_imbalance",
)
CLASSICAL = ("audio.normalisation",)
NETWORK = (
    "audio.normalisation",
    "precision",
    "protocol.validation",
    "protocol.paper_protocol",
    "stage1.epochs",
    "stage1.patience",
    "stage1.batch_size",
    "stage1.learning_rate",
)
EMOTION_MODEL = (
    "audio", "segments", "balance", "loss", "augment", "encoder", "stage1", "stage2", "protocol",
    "precision", "training_normalisation", "dimensions",
)  # fmt: skip
BALANCED = ("auto", "paper-like", "baum1s", "cheavd2")
VGGISH = {  # from a random start, as in recipes/vggish.toml
    "augment.speeds": (),
    "stage1.freeze": False,
    "stage1.epochs": 12,
    "stage1.patience": 3,
    "stage1.batch_size": 16,
    "stage1.learning_rate": 1e-4,
    "stage1.head_learning_rate": 1e-4,
    "stage2.learning_rate": 1e-3,
    "protocol.refit": False,
}
ALEXNET = {
    "stage1.epochs": 10,
    "stage1.patience": 3,
    "stage1.batch_size": 32,
    "stage1.learning_rate": 1e-4,
}
RESNET = ALEXNET | {"stage1.epochs": 40, "stage1.patience": 8, "stage1.learning_rate": 1e-3}


class Resources(NamedTuple):
    """What a system computes with.

    Attributes:
        cache: Folder of cached embeddings and features; None for no cache.
        device: Where networks are trained and tested.
    """

    cache: Path | None
    device: "Device"


Make = Callable[[Config, Resources], "System"]


@dataclass(frozen=True)
class SystemEntry:
    """A system of the study.

    Attributes:
        title: Name in tables; "" for a description of the settings.
        make: From settings and resources to an untrained system.
        uses: Settings that have an effect on it: keys such as ``stage1.epochs``, or sections.
        defaults: Its own defaults; what the user sets replaces them.
        only: Values of a setting that make it this system, the default first; others are refused.
        opt_in: Run only if named: it takes hours on a CPU, or is a variant of another system.
    """

    title: str
    make: Make
    uses: Collection[str]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    opt_in: bool = False

    @property
    def is_of_paper(self) -> bool:
        """Whether it is the paper's system, with its encoder or another one."""
        return self.make is _paper


def _paper(config: Config, resources: Resources) -> "System":
    from .paper import PaperSystem

    return PaperSystem(config, resources.cache, resources.device)


def _functionals(features: str, classifier: str) -> Make:
    def make(config: Config, resources: Resources) -> "System":
        from . import functionals
        from .features import FeatureCache

        learner = {"svm": functionals.support_vectors, "forest": functionals.forest}[classifier]
        return functionals.Functionals(config, FeatureCache(features, resources.cache), learner)

    return make


def _alexnet(averaging: str) -> Make:
    def make(config: Config, resources: Resources) -> "System":
        from .alexnet import AlexNetSystem

        return AlexNetSystem(config, averaging, resources.device)

    return make


def _resnet(config: Config, resources: Resources) -> "System":
    from .resnet import ResNetSystem

    return ResNetSystem(config, resources.device)


def _majority(config: Config, resources: Resources) -> "System":
    from .probes import Majority

    return Majority(config)


def _length(config: Config, resources: Resources) -> "System":
    from .probes import Length

    return Length(config)


def _own(path: str, config: Config, resources: Resources) -> "System":
    from .own import own_system

    return own_system(path, config)


def _vggish(title: str, pooling: str, *plans: str) -> SystemEntry:
    only = {
        "encoder.name": ("vggish",),
        "stage2.cell": ("lstm", "peephole"),
        "stage2.pooling": (pooling,),
        "balance.plan": plans,
    }
    return SystemEntry(title, _paper, EMOTION_MODEL, VGGISH, only, opt_in=True)


def _classical(title: str, features: str, classifier: str) -> SystemEntry:
    return SystemEntry(title, _functionals(features, classifier), CLASSICAL)


def _variant(key: str, value: Any) -> SystemEntry:
    return SystemEntry("", _paper, EMOTION_MODEL, only={key: (value,)}, opt_in=True)


IMAGENET = (*NETWORK, "baselines.alexnet")
SYSTEMS: dict[str, SystemEntry] = {
    "default": SystemEntry("", _paper, EMOTION_MODEL),
    "vggish-mean": _vggish("VGGish + LSTM", "mean", "none"),
    "vggish-attention": _vggish("VGGish + LSTM + attention", "attention", "none"),
    "vggish-mean-balance": _vggish("VGGish + LSTM, balance", "mean", *BALANCED),
    "vggish-attention-balance": _vggish(
        "VGGish + LSTM + attention, balance", "attention", *BALANCED
    ),
    "mfcc": _classical("MFCC + RASTA-PLP, SVM [27]", "mfcc-rasta-plp", "svm"),
    "alexnet": SystemEntry(
        "AlexNet + SVM [22]", _alexnet("embeddings"), IMAGENET, ALEXNET, opt_in=True
    ),
    "alexnet-softmax": SystemEntry(
        "AlexNet, transfer [32]", _alexnet("softmax"), IMAGENET, ALEXNET, opt_in=True
    ),
    "gemaps-svm": _classical("GeMAPS + SVM [28]", "gemaps", "svm"),
    "gemaps-forest": _classical("GeMAPS + random forest [31]", "gemaps", "forest"),
    "egemaps-svm": _classical("eGeMAPS + SVM", "egemaps", "svm"),
    "egemaps-forest": _classical("eGeMAPS + random forest", "egemaps", "forest"),
    "resnet": SystemEntry(
        "ResNet-20 with adapters [33]",
        _resnet,
        (*NETWORK, "segments", "baselines.resnet"),
        RESNET,
        opt_in=True,
    ),
    "compare-svm": _classical("ComParE 2016 + SVM", "compare", "svm"),
    "majority": SystemEntry("majority class of the training part", _majority, ()),
    "length": SystemEntry("number of segments only", _length, ("segments", "balance")),
}

POOLINGS = ("mean", "multi-head", "statistics", "bilinear", "covariance", "higher-order")
SYSTEMS |= {f"default-{pooling}": _variant("stage2.pooling", pooling) for pooling in POOLINGS}
SYSTEMS |= {
    "default-unbalanced": _variant("balance.plan", "none"),
    "default-both": _variant("balance.scope", "both"),
    "default-peephole": _variant("stage2.cell", "peephole"),
    "end-to-end": _variant("stage2.end_to_end", True),
}


def known_system(name: str) -> SystemEntry:
    """The system of this name, or at this dotted path.

    Raises:
        AffektError: There is none; the message gives the most similar name.
    """
    if name in SYSTEMS:
        return SYSTEMS[name]
    if is_dotted_path(name):
        uses = [key for key in all_keys() if key != "protocol.test_normalisation"]
        return SystemEntry(split_path(name)[1], partial(_own, name), uses)
    near = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(SYSTEMS)}."
    raise AffektError(
        f"no system {name!r}; {hint} A system of your own is given as my_package:MySystem"
    )


def require_effect(given: Config, used: Collection[str], evaluated: str) -> None:
    """Check that every option of the user has an effect.

    Args:
        given: Settings that the user set by option, not by a recipe.
        used: Keys of the settings that have an effect.
        evaluated: What is evaluated, for the message.

    Raises:
        AffektError: A setting has no effect.
    """
    defaults = _flat(Config(), exclude_unset=False)
    for key, setting in _flat(given).items():
        if setting != defaults[key] and key not in used:
            raise AffektError(f"{key} has no effect on {evaluated}; leave it out")


def used_by(name: str, config: Config) -> set[str]:
    """Keys of the settings that have an effect on a system.

    Raises:
        AffektError: There is no such system.
    """
    entry = known_system(name)
    keys = {key for key in all_keys() if {key, key.partition(".")[0]} & {*entry.uses, *EVERY}}
    if entry.is_of_paper:
        encoder = entry.only.get("encoder.name", [config.encoder.name])[0]
        lacking = {key for key, names in ENCODERS_WITH.items() if encoder not in names}
        if not is_dotted_path(encoder):
            lacking.add("options")
        keys -= {f"encoder.{key}" for key in lacking}
    return keys


def _flat(config: Config, *, exclude_unset: bool = True) -> dict[str, Any]:
    """Settings by their dotted keys."""
    result: dict[str, Any] = {}
    for name, settings in config.model_dump(exclude_unset=exclude_unset).items():
        if isinstance(getattr(config, name), Frozen):
            result |= {f"{name}.{key}": setting for key, setting in settings.items()}
        else:
            result[name] = settings
    return result


def configured(name: str, config: Config) -> Config:
    """Settings that a system is run with, and that its result records.

    What the user sets replaces the defaults of the system. Settings without an effect on it are
    left out.

    Args:
        name: Name of the system.
        config: Settings of the user.

    Raises:
        AffektError: There is no such system; a setting has a value that belongs to another system;
            the config has weights for another encoder, or sets ``protocol.test_normalisation`` for
            a VGGish that is fine-tuned.
    """
    entry = known_system(name)
    given = _flat(config)
    for key, allowed in entry.only.items():
        if key in given and given[key] not in allowed:
            raise AffektError(
                f"{key} is {' or '.join(map(str, allowed))} in {name}, not {given[key]}; choose "
                "another system for it"
            )
    encoder = config.encoder
    fixed = entry.only.get("encoder.name", [encoder.name])[0]
    if encoder.weights and fixed != encoder.name:
        raise AffektError(
            f"encoder.weights are for {encoder.name}, but {name} uses {fixed}; run it separately, "
            f"with --encoder.name {fixed} and weights for it"
        )
    used = used_by(name, config)
    values = dict(entry.defaults) | {key: allowed[0] for key, allowed in entry.only.items()}
    fine_tuned = encoder.weights not in (None, "random", "distilled")
    if fixed == "vggish" and entry.defaults and fine_tuned:
        values["stage1.learning_rate"] = FINE_TUNING
    values |= {key: given[key] for key in given if key in used}
    try:
        result = Config.model_validate(_nested(values))
    except ValidationError as error:  # the user's settings do not go with the system's
        raise AffektError(f"{name}: {explain(error)}") from error
    tuned = result.encoder.name == "vggish" and not result.stage1.freeze
    if tuned and result.protocol.test_normalisation != "none":
        raise AffektError(
            f"{name}: protocol.test_normalisation needs a system that standardises embeddings, "
            "such as default"
        )
    return result


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as nested dictionaries, from dotted keys."""
    result: dict[str, Any] = {}
    for key, setting in values.items():
        section, _, name = key.partition(".")
        if name:
            result.setdefault(section, {})[name] = setting
        else:
            result[section] = setting
    return result


@dataclass(frozen=True)
class Maker:
    """Makes an untrained system at each call; it can be pickled for other processes.

    Attributes:
        system: Name of the system.
        config: Settings, as `configured` returns them.
        cache: See `Resources`.
        device: See `Resources`.
    """

    system: str
    config: Config
    cache: Path | None
    device: "Device" = "auto"

    def __call__(self) -> "System":
        """Make an untrained system."""
        return known_system(self.system).make(self.config, Resources(self.cache, self.device))
