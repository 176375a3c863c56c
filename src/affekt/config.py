"""Every setting of a run: frozen, typed, read from TOML, written beside each result.

A run is a recipe plus overrides. The docstring under a field is its help on the command
line, where ``--stage2.epochs 40`` sets it.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import AffektError

OWN_SETTINGS = {  # encoders that have a setting
    "layer": ("whisper", "ssl"),
    "pooling": ("whisper", "ssl"),
    "mix": ("ssl",),
    "padding": ("vggish",),
    "final_relu": ("vggish",),
}


class Frozen(BaseModel):
    """Immutable; unknown keys are errors; the docstring under a field is its help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Audio(Frozen):
    """What is done to a recording before it is cut."""

    level: Literal["rms", "none"] = "rms"
    """Scale every recording to the same RMS (-20 dBFS), or leave its level."""


class Segments(Frozen):
    """Segmentation wherever no label may be known."""

    hop: float = Field(0.48, gt=0, le=0.96, multiple_of=0.01)
    """Hop in seconds of the uniform segments that validation, test and predict use."""


class Balance(Frozen):
    """Segmentation of the training part."""

    plan: Literal["none", "auto", "paper-like", "baum1s", "cheavd2"] = "auto"
    """How densely each class is cut for training: evenly; towards the median class; after the
    rule that the paper states for BAUM-1s, by rank of size; as the paper cut either corpus."""
    scope: Literal["encoder", "both"] = "encoder"
    """Balance stage 1 only, or stage 2 too, where the sequence length then tells the class."""


class Augment(Frozen):
    """Copies of the training clips."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = (0.9, 1.1)
    """Copies of the training clips at these speeds (pitch moves too): more voices."""
    degraded: int = Field(0, ge=0, le=20)
    """Copies through rooms, noises, microphones and lines drawn at random: more recordings."""


class Encoder(Frozen):
    """What turns a segment into a vector."""

    name: Literal["whisper", "vggish", "ssl"] = "whisper"
    """Segment encoder."""
    weights: Annotated[str | None, Parameter(name=["weights", "--weights"])] = None
    """A file; "download" (vggish); "random"; a folder or a name of the hub (ssl). Unless set,
    whisper starts from the encoder inside the package (3 layers of base), vggish at random."""
    layer: int = Field(3, ge=1)
    """(whisper, ssl) Cut after this layer."""
    pooling: Literal["mean", "mean+sd"] = "mean+sd"
    """(whisper, ssl) Statistics of the frames in a segment."""
    mix: bool = False
    """(ssl) A learned mix of all layers in place of one."""
    padding: Literal["wave", "log-mel"] = "wave"
    """(vggish) Fill a short clip with zero samples, or with zero log-mel frames."""
    final_relu: bool = False
    """(vggish) ReLU after the 128-D layer, as some ports have; kills units in fine-tuning."""


class Stage1(Frozen):
    """Encoder and softmax head on balanced segments (equations 1 and 2)."""

    freeze: bool = True
    """Keep the encoder's weights and train only what stands on it."""
    epochs: int = Field(30, ge=0)
    """At most; 0 skips the stage."""
    patience: int = Field(5, ge=1)
    """Epochs without improvement on the validation speakers before stopping."""
    batch: int = Field(32, ge=1)
    """Segments a step."""
    rate: float = Field(1e-5, gt=0)
    """Adam's learning rate for the encoder."""
    head_rate: float = Field(3e-4, gt=0)
    """Adam's learning rate for projection and head."""


class Stage2(Frozen):
    """Sequence model on the segment vectors (equations 3 to 9)."""

    cell: Literal["lstm", "peephole", "none"] = "lstm"
    """Standard LSTM, equations 3-7 with peepholes, or none: every segment by itself."""
    pooling: Literal[
        "attention",
        "mean",
        "multi-head",
        "statistics",
        "bilinear",
        "covariance",
        "higher-order",
    ] = "attention"
    """Equations 8 and 9, the mean of the hidden vectors, or another way to pool them."""
    order: int = Field(3, ge=1, le=8)
    """(higher-order pooling) Factors of the largest product."""
    hidden: int = Field(128, ge=1)
    """Units per direction."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """On segment vectors and on the pooled vector."""
    epochs: int = Field(60, ge=1)
    """At most."""
    patience: int = Field(10, ge=1)
    """Epochs without improvement on the validation speakers before stopping."""
    batch: int = Field(32, ge=1)
    """Clips a step."""
    rate: float = Field(3e-4, gt=0)
    """Adam's learning rate."""
    end_to_end: bool = False
    """Let the encoder learn on beneath the sequence model, at stage1.rate."""
    clip: float = Field(5.0, gt=0)
    """Largest norm of the gradient."""


class Protocol(Frozen):
    """Who is trained on, who chooses, who is tested."""

    folds: int | None = Field(None, ge=2)
    """Speaker-independent test folds of evaluate; unless set, as usual for the corpus, or 5."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the training speakers that form the inner validation set."""
    refit: bool = True
    """Train again on all training speakers for the number of epochs that validation chose."""
    seeds: Annotated[int, Parameter(name=["seeds", "--seeds"])] = Field(3, ge=1)
    """Runs of evaluate, each with its own seed."""
    seed: int = Field(0, ge=0, lt=2**32)
    """First seed."""
    paper_protocol: bool = False
    """(evaluate) Choose the epoch on the test fold, without inner validation speakers. Such a
    score flatters; it is labelled, and there only to be set beside the sound one."""
    source_statistics: bool = False
    """(evaluate) Standardise the clips of a test fold by their own mean and spread, unlabelled,
    as predict --source-stats auto does. Such a score holds for batches of one source."""
    source: Literal["fold", "speaker"] = "fold"
    """(evaluate) With source_statistics: whose clips are one source. Where a speaker's clips are
    mostly of one class, statistics of the speaker take the emotion away."""


class Baselines(Frozen):
    """Where the networks of other papers start, in a study."""

    alexnet: str | None = None
    """(alexnet) ImageNet weights, a file in torchvision's format; unless set, a random start."""
    resnet: str | None = None
    """(resnet) Weights learned on speakers, a safetensors file; unless set, the network first
    learns to tell the training speakers apart."""


class Config(Frozen):
    """All settings of a run."""

    audio: Audio = Audio()
    segments: Segments = Segments()
    balance: Balance = Balance()
    augment: Augment = Augment()
    encoder: Encoder = Encoder()
    stage1: Stage1 = Stage1()
    stage2: Stage2 = Stage2()
    protocol: Protocol = Protocol()
    baselines: Baselines = Baselines()
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of networks that learn from sound: bfloat16 (weights, front end and losses stay
    float32) is faster on processors that have it."""
    labels: dict[str, str] = {}
    """Rename or merge classes (--labels.boredom neutral); "" leaves a class out."""
    note: str = ""
    """What a model trained so is good for and what not; in its card and beside its results."""
    license: str = ""
    """What a model trained so may be used for; unless set, as the owners of the data say."""


def read_config(recipe: Path | None = None, overrides: dict[str, Any] | None = None) -> Config:
    """The defaults, a TOML recipe over them, overrides over both.

    Raises:
        AffektError: The recipe cannot be read, or a key or value is not allowed; the
            message names it and the nearest key there is.
    """
    values: dict[str, Any] = {}
    if recipe is not None:
        try:
            values = tomllib.loads(recipe.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise AffektError(f"recipe {recipe}: {error}") from None
    for section, settings in (overrides or {}).items():
        below = values.get(section)
        if isinstance(settings, dict) and isinstance(below, dict):
            values[section] = {**below, **settings}
        else:
            values[section] = settings
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise AffektError(explain(error)) from None
    if config.protocol.source == "speaker" and not config.protocol.source_statistics:
        raise AffektError("protocol.source needs protocol.source_statistics = true")
    for key, names in OWN_SETTINGS.items():
        if config.encoder.name not in names and key in config.encoder.model_fields_set:
            raise AffektError(
                f"encoder.{key} belongs to {', '.join(names)}; the encoder is {config.encoder.name}"
            )
    return config


def explain(error: ValidationError) -> str:
    """One sentence on the first thing wrong with a config."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key} = {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"
    near = difflib.get_close_matches(key, all_keys(), n=1)
    return f"no setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def all_keys() -> list[str]:
    """Every setting with its dots, ``stage2.epochs`` for instance."""
    keys = []
    for section, field in Config.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            keys += [f"{section}.{key}" for key in model.model_fields]
    return [*keys, "precision", "labels", "note", "terms"]
