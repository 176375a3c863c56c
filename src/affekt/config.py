"""Every setting of a run: frozen, typed, read from TOML, written beside each result.

A run is a recipe plus overrides. The docstring under a field is its help on the command
line, where ``--stage2.epochs 40`` sets it.
"""

import difflib
import tomllib
import warnings
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from .errors import AffektError
from .own_parts import from_text, is_dotted_path, known_or_dotted

RENAMED = {  # old key: new key; the old ones are read for one release
    "audio.level": "audio.normalisation",
    "stage1.rate": "stage1.learning_rate",
    "stage1.head_rate": "stage1.head_learning_rate",
    "stage1.batch": "stage1.batch_size",
    "stage2.rate": "stage2.learning_rate",
    "stage2.batch": "stage2.batch_size",
    "stage2.clip": "stage2.max_grad_norm",
    "note": "intended_use",
    "terms": "license",
}
ENCODERS = ("whisper", "vggish", "ssl")
POOLINGS = (
    "attention",
    "mean",
    "multi-head",
    "statistics",
    "bilinear",
    "covariance",
    "higher-order",
)
OWN_SETTINGS = {  # encoders that have a setting
    "layer": ("whisper", "ssl"),
    "pooling": ("whisper", "ssl"),
    "mix": ("ssl",),
    "padding": ("vggish",),
    "final_relu": ("vggish",),
}


def renamed_keys(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings under today's names, and which of them came under an old name.

    Args:
        values: Settings as a recipe, a model or a result of an earlier version holds them.

    Returns:
        The settings, and the new name of each old key that was found.
    """
    found: dict[str, str] = {}
    result = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    for old, new in RENAMED.items():
        (*section, key), to = old.split("."), new.split(".")[-1]
        place = result.get(section[0]) if section else result
        if isinstance(place, dict) and key in place:
            place[to] = place.pop(key)
            found[old] = new
    protocol = result.get("protocol")
    if isinstance(protocol, dict) and protocol.keys() & {"source", "source_statistics"}:
        by = protocol.pop("source", "fold")
        on = protocol.pop("source_statistics", False)
        protocol["test_normalisation"] = by if on else "none"
        found["protocol.source_statistics"] = "protocol.test_normalisation"
    return result, found


class Frozen(BaseModel):
    """Immutable; unknown keys are errors; the docstring under a field is its help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Audio(Frozen):
    """What is done to a recording before it is cut."""

    normalisation: Literal["rms", "none"] = "rms"
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

    name: Annotated[str, AfterValidator(partial(known_or_dotted, known=ENCODERS))] = "whisper"
    """Segment encoder: whisper, vggish, ssl, or the dotted path of your own
    (my_package.encoders:MyEncoder)."""
    options: dict[str, Annotated[Any, BeforeValidator(from_text)]] = {}
    """(an encoder of your own) Its keyword arguments (--encoder.options.width 64)."""
    weights: Annotated[str | None, Parameter(name=["weights", "--weights"])] = None
    """A file; "download" (vggish); "random"; a folder or a name of the hub (ssl). Unless set,
    whisper starts from the encoder inside the package (3 layers of base), vggish at random, your
    own as its class makes it. The file of your own is safetensors with its tensors."""
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
    batch_size: int = Field(32, ge=1)
    """Segments per step."""
    learning_rate: float = Field(1e-5, gt=0)
    """Adam's learning rate for the encoder."""
    head_learning_rate: float = Field(3e-4, gt=0)
    """Adam's learning rate for projection and head."""


class Stage2(Frozen):
    """Sequence model on the segment vectors (equations 3 to 9)."""

    cell: Literal["lstm", "peephole", "none"] = "lstm"
    """Standard LSTM, equations 3-7 with peepholes, or none: every segment by itself."""
    pooling: Annotated[str, AfterValidator(partial(known_or_dotted, known=POOLINGS))] = "attention"
    """Attention (equations 8 and 9), mean, multi-head, statistics, bilinear, covariance,
    higher-order, or the dotted path of your own (my_package.pooling:MyPooling)."""
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
    batch_size: int = Field(32, ge=1)
    """Clips per step."""
    learning_rate: float = Field(3e-4, gt=0)
    """Adam's learning rate."""
    end_to_end: bool = False
    """Let the encoder learn on beneath the sequence model, at stage1.learning_rate."""
    max_grad_norm: float = Field(5.0, gt=0)
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
    test_normalisation: Literal["none", "fold", "speaker"] = "none"
    """(evaluate) Standardise the embeddings of a test fold by the unlabelled statistics of the
    whole fold, or of each test speaker. Such a score holds where many clips of one domain or
    speaker are recognised together, and its title says so. Where a speaker's clips are mostly of
    one class, the speaker's statistics remove the emotion."""


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
    intended_use: str = ""
    """What a model trained with these settings is good for and what not; shown in its card and
    beside its results."""
    license: str = ""
    """What a model trained with these settings may be used for; by default what the owners of
    its corpora state."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        """Read models, results and recipes that were written under old names."""
        return renamed_keys(values)[0] if isinstance(values, dict) else values


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
    values, old_names = renamed_keys(values)
    for old, new in old_names.items():
        warnings.warn(f"recipe {recipe}: {old} is now {new}", FutureWarning, stacklevel=2)
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
    for key, names in OWN_SETTINGS.items():
        if config.encoder.name not in names and key in config.encoder.model_fields_set:
            raise AffektError(
                f"encoder.{key} belongs to {', '.join(names)}; the encoder is {config.encoder.name}"
            )
    if config.encoder.options and not is_dotted_path(config.encoder.name):
        raise AffektError(
            "encoder.options belong to an encoder of your own; the encoder is "
            f"{config.encoder.name}"
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
    return [*keys, "precision", "labels", "intended_use", "license"]
