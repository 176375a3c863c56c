"""Settings of a run: frozen, typed, read from TOML, stored with each result.

A run is a recipe plus overrides. The docstring under a field is its help on the command line,
where ``--stage2.epochs 40`` sets it.
"""

import difflib
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from .own_parts import from_text, known_or_dotted
from .renamed_settings import renamed_keys
from .requirement import requirement
from .types import TargetColumns

ENCODERS = ("whisper", "whisper+campplus", "vggish", "ssl")
POOLINGS = (
    "attention",
    "mean",
    "multi-head",
    "statistics",
    "bilinear",
    "covariance",
    "higher-order",
)
DISTILLED_WIDTH = 0.25  # of the packaged VGGish
DISTILLED_LICENSE = "research and other non-commercial use only"  # as its training data
ENCODERS_WITH = {  # settings that only some encoders have
    "layer": ("whisper", "whisper+campplus", "ssl"),
    "pooling": ("whisper", "whisper+campplus", "ssl"),
    "mix": ("ssl",),
    "width": ("vggish",),
    "padding": ("vggish",),
    "final_relu": ("vggish",),
}


class Frozen(BaseModel):
    """Base of all settings: immutable, unknown keys refused, docstrings as descriptions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Audio(Frozen):
    """Processing of a recording before segmentation."""

    normalisation: Literal["rms", "none"] = "rms"
    """Scale every recording to the same RMS level (-20 dBFS), or keep its level."""


class Segments(Frozen):
    """Segmentation for validation, test and prediction."""

    hop: float = Field(0.48, gt=0, le=0.96, multiple_of=0.01)
    """Seconds from the start of one segment to the start of the next; the same for all classes."""


class Balance(Frozen):
    """Segmentation of the training data."""

    plan: Literal["none", "auto", "paper-like", "baum1s", "cheavd2"] = "auto"
    """How the hop depends on the class: not at all (none); so that every class has about as many
    segments as the median class (auto); by the paper's rule for BAUM-1s, applied to the rank of
    each class by size (paper-like); the paper's own numbers for one of its corpora (baum1s,
    cheavd2)."""
    scope: Literal["encoder", "both"] = "encoder"
    """Use the plan in stage 1 only (encoder), or in stage 2 too (both). In stage 2 the number of
    segments then depends on the class, which the model can exploit."""


class Loss(Frozen):
    """Loss of the classes, which training minimises and whose validation value selects the epoch.

    Class weights and focal loss are what others use against unbalanced classes, where the paper
    balances the number of segments.
    """

    class_weights: Literal["none", "inverse", "effective-number"] = "none"
    """Weigh the cross-entropy of each class: not at all (none); inversely to its number of training
    clips or segments (inverse; King and Zeng, 2001); or inversely to their effective number
    (1 - 0.99^n) / (1 - 0.99), which grows more slowly (effective-number; Cui et al., 2019)."""
    focal_gamma: float = Field(0, ge=0, le=10)
    """Multiply the cross-entropy of a clip by (1 - p)^gamma, where p is the probability of its
    class: focal loss (Lin et al., 2017), which uses 2; 0 is plain cross-entropy."""
    scope: Literal["encoder", "both"] = "both"
    """Use class weights and focal loss in stage 1 only (encoder), or in stage 2 too (both)."""


class Augment(Frozen):
    """Augmented copies of the training clips."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = (0.9, 1.1)
    """Add a copy of each training clip at each of these speeds; the pitch changes too."""
    degraded: float = Field(0, ge=0, le=20)
    """Add this many copies of each training clip with random reverberation, noise, microphone and
    channel; 0.25 adds one copy of a quarter of the clips."""


class Encoder(Frozen):
    """The segment encoder: from a segment of the wave to an embedding."""

    name: Annotated[str, AfterValidator(partial(known_or_dotted, known=ENCODERS))] = "whisper"
    """whisper; whisper with the frames of the voice encoder CAM++ beside it (whisper+campplus);
    vggish; a self-supervised model of transformers (ssl); or the dotted path of your own encoder
    (my_package.encoders:MyEncoder)."""
    options: dict[str, Annotated[Any, BeforeValidator(from_text)]] = {}
    """(own encoder) Keyword arguments of its class (--encoder.options.width 64)."""
    weights: str | None = None
    """Initial weights: a file; "random"; "download" or "distilled" (vggish; distilled: a quarter of
    the width, pre-trained by affekt, for non-commercial use only); a folder or a model name of the
    Hugging Face hub (ssl); a safetensors file (own encoder). By default whisper uses the bundled
    weights (3 layers of Whisper base), vggish starts at random, and an own encoder as its class
    initialises it. Short: --weights."""
    layer: int = Field(3, ge=1)
    """(whisper, ssl) Use the output of this transformer layer."""
    pooling: Literal["mean", "mean+sd"] = "mean+sd"
    """(whisper, ssl) Pool the frames of a segment by their mean, or by mean and standard
    deviation."""
    mix: bool = False
    """(ssl) Learn a weighted sum of all layers in place of a single layer."""
    width: float | None = Field(None, ge=1 / 16, le=1)
    """(vggish) Width of the layers relative to the paper's; by default 0.25 with the weights
    "distilled", else 1."""
    padding: Literal["wave", "log-mel"] = "wave"
    """(vggish) Pad a short clip with zero samples (wave) or with zero log-mel frames (log-mel)."""
    final_relu: bool = False
    """(vggish) Apply a ReLU to the 128-D output, as some ports do; it can deactivate units during
    fine-tuning."""

    @property
    def vggish_width(self) -> float:
        """`width`, or its default."""
        return self.width or (DISTILLED_WIDTH if self.weights == "distilled" else 1)


class Stage1(Frozen):
    """Stage 1: encoder and softmax head on single segments (equations 1 and 2)."""

    freeze: bool = True
    """Freeze the encoder; train only the projection and the head."""
    epochs: int = Field(30, ge=0)
    """Maximum number of epochs; 0 skips the stage."""
    patience: int = Field(5, ge=1)
    """Stop after this many epochs without improvement on the validation speakers."""
    batch_size: int = Field(32, ge=1)
    """Segments per training step."""
    learning_rate: float = Field(1e-5, gt=0)
    """Learning rate of Adam for the encoder."""
    head_learning_rate: float = Field(3e-4, gt=0)
    """Learning rate of Adam for the projection and the head."""


class Stage2(Frozen):
    """Stage 2: sequence model on the segment embeddings (equations 3 to 9)."""

    cell: Literal["lstm", "peephole", "none"] = "lstm"
    """Bidirectional LSTM; with the peephole connections of equations 3 to 7 (peephole); or no
    recurrence, each segment on its own (none)."""
    pooling: Annotated[str, AfterValidator(partial(known_or_dotted, known=POOLINGS))] = "attention"
    """Pooling of the hidden vectors over time: attention (equations 8 and 9), mean, multi-head,
    statistics, bilinear, covariance, higher-order, or the dotted path of your own
    (my_package.pooling:MyPooling)."""
    order: int = Field(3, ge=1, le=8)
    """(higher-order pooling) The highest order."""
    hidden: int = Field(128, ge=1)
    """Hidden units per direction."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Dropout rate of the segment embeddings and of the pooled vector."""
    epochs: int = Field(60, ge=1)
    """Maximum number of epochs."""
    patience: int = Field(10, ge=1)
    """Stop after this many epochs without improvement on the validation speakers."""
    batch_size: int = Field(32, ge=1)
    """Clips per training step."""
    learning_rate: float = Field(3e-4, gt=0)
    """Learning rate of Adam."""
    end_to_end: bool = False
    """Train the encoder further together with the sequence model, at stage1.learning_rate."""
    max_grad_norm: float = Field(5.0, gt=0)
    """Clip the gradient to this norm."""
    linear_head: bool = False
    """Add the scores of a linear Gaussian classifier of the mean embedding to the logits."""


TestNormalisation = Literal["none", "clip", "speaker", "fold"]


class Protocol(Frozen):
    """Evaluation protocol: folds, validation, seeds."""

    folds: int | None = Field(None, ge=2)
    """Number of speaker-independent test folds; by default the usual number for the corpus,
    or 5."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the training speakers that are held out for validation."""
    refit: bool = True
    """Train again on all training speakers, for the number of epochs selected on the validation
    speakers."""
    seeds: int = Field(3, ge=1)
    """Number of runs of an evaluation, each with another seed. Short: --seeds."""
    seed: int = Field(0, ge=0, lt=2**32)
    """The first seed."""
    paper_protocol: bool = False
    """(evaluate) Select the epoch on the test fold, without validation speakers, as the paper
    does. The score is optimistic and marked as such; use it only to compare with the paper's."""
    training_imbalance: float | None = Field(None, ge=1, le=1000)
    """(evaluate) Drop clips of each training part, validation speakers included, at random by seed,
    until the largest class has this many times the clips of the smallest. Test parts stay whole."""
    test_normalisation: TestNormalisation = "none"
    """(evaluate) Standardise the embeddings of the test clips by unlabelled statistics: of each
    clip itself, of each test speaker, or of the whole test fold. A score with the latter two,
    marked as such, holds where many clips of one speaker or domain are recognised together."""


class Baselines(Frozen):
    """Initial weights of the networks of other papers (study)."""

    alexnet: str | None = None
    """(alexnet) File with ImageNet weights in torchvision's format; a random start by default."""
    resnet: str | None = None
    """(resnet) Safetensors file with weights pre-trained on speaker identification; by default
    the network is first pre-trained on the training speakers."""


def _names(values: Any) -> Any:
    """Names from a list, or from a text with commas between them."""
    given = [values] if isinstance(values, str) else values
    if not isinstance(given, list | tuple):
        return values
    return tuple(name.strip() for each in given for name in str(each).split(",") if name.strip())


Columns = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Config(Frozen):
    """All settings of a run."""

    audio: Audio = Audio()
    segments: Segments = Segments()
    balance: Balance = Balance()
    loss: Loss = Loss()
    augment: Augment = Augment()
    encoder: Encoder = Encoder()
    stage1: Stage1 = Stage1()
    stage2: Stage2 = Stage2()
    protocol: Protocol = Protocol()
    baselines: Baselines = Baselines()
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision when an encoder is trained: bfloat16 or, on a GPU, float16 for its layers (weights,
    front end and losses stay float32) is faster on processors that support it."""
    training_normalisation: Literal["corpus", "speaker"] = "corpus"
    """Standardise the embeddings of training clips by the statistics of their corpus, those of a
    half of several corpora by the mean statistics of all (corpus); or of one half by those of
    their speaker, of the other half by those of their corpus (speaker)."""
    labels: dict[str, str] = {}
    """Rename or merge classes (--labels.boredom neutral); "" drops a class."""
    votes: Columns = ()
    """Columns of a manifest with the votes or the probability of each class, in place of labels
    (--votes anger,neutral,sadness). Training targets are their shares (soft labels); the label is
    the class with the most votes."""
    dimensions: Columns = ()
    """Columns of a manifest with numbers, in place of labels (--dimensions arousal,valence): train
    and score a regression of these, by the concordance correlation coefficient (CCC)."""
    intended_use: str = ""
    """What a model trained with these settings is good for and what not; shown in its model card
    and with its predictions."""
    license: str = ""
    """License of a model trained with these settings; by default those of its corpora, as their
    owners state them."""

    def with_test_normalisation(self, normalisation: TestNormalisation) -> "Config":
        """The same settings with another ``protocol.test_normalisation``."""
        protocol = self.protocol.model_copy(update={"test_normalisation": normalisation})
        return self.model_copy(update={"protocol": protocol})

    @property
    def target_columns(self) -> TargetColumns:
        """Columns of a manifest with the targets."""
        return TargetColumns(self.votes, self.dimensions)

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        """Accept the old names in models, results and recipes of earlier versions."""
        return renamed_keys(values)[0] if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _one_kind_of_target(self) -> "Config":
        """Refuse settings of classes together with dimensions."""
        classes = {"votes": self.votes, "labels": self.labels}
        if self.dimensions and (given := [key for key, value in classes.items() if value]):
            raise ValueError(f"{given[0]} is of classes; dimensions are trained without them")
        if self.dimensions and self.balance.plan not in ("auto", "none"):
            raise ValueError(
                f"balance.plan {self.balance.plan} is of classes; dimensions are trained without"
            )
        if self.dimensions and self.balance.scope == "both":
            raise ValueError("balance.scope both is of classes; dimensions are trained without")
        if self.dimensions and self.loss != Loss():
            raise ValueError("loss is of classes; dimensions are trained without")
        if self.dimensions and self.protocol.training_imbalance:
            raise ValueError("protocol.training_imbalance is of classes")
        return self


def explain(error: ValidationError) -> str:
    """Describe the first problem of invalid settings in one sentence."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if not key:  # of several settings together
        return first["msg"].removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        return f"{key} = {first['input']!r}{requirement([first])}"
    similar = difflib.get_close_matches(key, all_keys(), n=1)
    return f"no setting {key!r}" + (f"; did you mean {similar[0]!r}?" if similar else "")


def all_keys() -> list[str]:
    """List every setting by its dotted name, for instance ``stage2.epochs``."""
    keys: list[str] = []
    for name, field in Config.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            keys += [f"{name}.{key}" for key in model.model_fields]
        else:
            keys.append(name)
    return keys
