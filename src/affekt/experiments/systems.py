"""Every system of the study by name: the paper's, those it compares with, and ours."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..errors import AffektError

if TYPE_CHECKING:  # the names alone are needed for --help, which answers at once
    from .methods.method import Method

FINE_TUNING = 1e-5  # Adam's rate for VGGish that starts from the official weights

Make = Callable[[Config, Path | None], "Method"]


@dataclass(frozen=True)
class System:
    """One row of the study.

    Attributes:
        title: What tables call it; "" describes its settings.
        make: A fresh method, from settings and a folder for cached vectors.
        settings: What it sets whatever the config says.
        asked: Run only when asked for: it takes hours on a CPU, or is a variant of another.
    """

    title: str
    make: Make
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False


def _paper(config: Config, cache: Path | None) -> "Method":
    from .methods.paper import PaperMethod

    return PaperMethod(config, cache)


def _vggish(plan: str, pooling: str) -> dict[str, Any]:
    """Settings of a random start, as in recipes/vggish.toml."""
    training = {"freeze": False, "epochs": 12, "patience": 3, "batch": 16}
    return {
        "balance": {"plan": plan},
        "augment": {"speeds": ()},
        "encoder": {"name": "vggish"},
        "stage1": {**training, "rate": 1e-4, "head_rate": 1e-4},
        "stage2": {"rate": 1e-3, "pooling": pooling},
        "protocol": {"refit": False},
    }


def _functionals(features: str, classifier: str) -> Make:
    def make(config: Config, cache: Path | None) -> "Method":
        from .methods import functionals
        from .methods.features import FeatureCache

        learner = {"svm": functionals.support_vectors, "forest": functionals.forest}[classifier]
        return functionals.Functionals(config, FeatureCache(features, cache), learner)

    return make


def _alexnet(averaging: str) -> Make:
    def make(config: Config, cache: Path | None) -> "Method":
        from .methods.alexnet import AlexNetMethod

        return AlexNetMethod(config, averaging)

    return make


def _resnet(config: Config, cache: Path | None) -> "Method":
    from .methods.resnet import ResNetMethod

    return ResNetMethod(config)


def _majority(config: Config, cache: Path | None) -> "Method":
    from .methods.probes import Majority

    return Majority()


def _length(config: Config, cache: Path | None) -> "Method":
    from .methods.probes import Length

    return Length(config)


SYSTEMS: dict[str, System] = {
    "default": System("", _paper),
    "vggish-mean": System("VGGish + LSTM", _paper, _vggish("none", "mean"), asked=True),
    "vggish-attention": System(
        "VGGish + LSTM + attention", _paper, _vggish("none", "attention"), asked=True
    ),
    "vggish-mean-balance": System(
        "VGGish + LSTM, balance", _paper, _vggish("auto", "mean"), asked=True
    ),
    "vggish-attention-balance": System(
        "VGGish + LSTM + attention, balance", _paper, _vggish("auto", "attention"), asked=True
    ),
    "mfcc": System("MFCC + RASTA-PLP, SVM [27]", _functionals("mfcc-rasta-plp", "svm")),
    "alexnet": System("AlexNet + SVM [22]", _alexnet("vectors"), asked=True),
    "alexnet-softmax": System("AlexNet, transfer [32]", _alexnet("softmax"), asked=True),
    "gemaps-svm": System("GeMAPS + SVM [28]", _functionals("gemaps", "svm")),
    "gemaps-forest": System("GeMAPS + random forest [31]", _functionals("gemaps", "forest")),
    "egemaps-svm": System("eGeMAPS + SVM", _functionals("egemaps", "svm")),
    "egemaps-forest": System("eGeMAPS + random forest", _functionals("egemaps", "forest")),
    "resnet": System("ResNet-20 with adapters [33]", _resnet, asked=True),
    "compare-svm": System("ComParE 2016 + SVM", _functionals("compare", "svm")),
    "majority": System("majority", _majority),
    "length": System("number of segments only", _length),
}

POOLINGS = ("mean", "multi-head", "statistics", "bilinear", "covariance", "higher-order")
SYSTEMS |= {
    f"default-{pooling}": System("", _paper, {"stage2": {"pooling": pooling}}, asked=True)
    for pooling in POOLINGS
}
SYSTEMS |= {
    "default-unbalanced": System("", _paper, {"balance": {"plan": "none"}}, asked=True),
    "default-both": System("", _paper, {"balance": {"scope": "both"}}, asked=True),
    "default-peephole": System("", _paper, {"stage2": {"cell": "peephole"}}, asked=True),
    "end-to-end": System("", _paper, {"stage2": {"end_to_end": True}}, asked=True),
}


def known_system(name: str) -> System:
    """The system of this name.

    Raises:
        AffektError: There is none; the message names the nearest.
    """
    if name in SYSTEMS:
        return SYSTEMS[name]
    near = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(SYSTEMS)}"
    raise AffektError(f"no system {name!r}; {hint}")


def configured(name: str, config: Config) -> Config:
    """The config with what the system sets: what is run, and what results record.

    Where a system brings another encoder than the config's, the latter's settings are not
    carried over.

    Raises:
        AffektError: No such system, or the config has weights for another encoder, or asks for
            source statistics where nothing is standardised by them.
    """
    tuned = config.encoder.name == "vggish" and not config.stage1.freeze
    if config.protocol.source_statistics and (known_system(name).make is not _paper or tuned):
        raise AffektError(f"{name}: protocol.source_statistics is of our own system alone")
    values = config.model_dump(exclude_unset=True)
    settings = known_system(name).settings
    given = config.encoder
    if settings.get("encoder", {}).get("name", given.name) != given.name:
        if given.weights:
            raise AffektError(
                f"encoder.weights are for {given.name}, {name} brings another encoder; run it "
                f"apart, with --encoder.name {settings['encoder']['name']} and its own weights"
            )
        values.pop("encoder", None)
    for section, own in settings.items():
        values[section] = {**values.get(section, {}), **own}
    if given.name == "vggish" and given.weights not in (None, "random") and "stage1" in settings:
        values["stage1"]["rate"] = FINE_TUNING
    return Config.model_validate(values)


def title(name: str, config: Config) -> str:
    """What tables call a system with the settings that `configured` gave it.

    Raises:
        AffektError: No such system.
    """
    encoder, balance, stage2 = config.encoder, config.balance, config.stage2
    both = ["stage 2 balanced too"] if balance.plan != "none" and balance.scope == "both" else []
    if fixed := known_system(name).title:
        return ", ".join([fixed, *both])
    what = {"whisper": "Whisper", "vggish": "VGGish"}.get(encoder.name) or Path(
        encoder.weights or encoder.name
    ).name
    if encoder.name != "vggish":
        what += ", mix of layers" if encoder.mix else f" layer {encoder.layer}"
    cell = {"lstm": "LSTM + ", "peephole": "peephole LSTM + ", "none": ""}[stage2.cell]
    plan = "no balance" if balance.plan == "none" else f"balance {balance.plan}"
    parts = [f"{what} + {cell}{stage2.pooling}", plan, *both]
    if stage2.end_to_end:
        parts.append("end to end")
    return ", ".join(parts)


@dataclass(frozen=True)
class Maker:
    """Makes a fresh method each time, of settings as `configured` gives them.

    It travels to other processes.
    """

    system: str
    config: Config
    cache: Path | None

    def __call__(self) -> "Method":
        """A method that has learned nothing yet."""
        return known_system(self.system).make(self.config, self.cache)
