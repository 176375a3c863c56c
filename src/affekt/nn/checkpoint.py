"""A model on disk: a folder with config.json, model.safetensors and README.md (its card).

A model never overwrites another one, and nothing is pickled; each file is written atomically.
Tensors that float16 represents exactly, such as those of a frozen Whisper, are stored as float16:
half the size, the same values. Tensors equal to those of the bundled encoder are not stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from .. import __version__
from ..atomic import new_folder, write
from ..config import Config
from ..errors import AffektError, CheckpointError
from ..own_parts import is_dotted_path, require_trust
from .emotion_model import EmotionModel
from .encoders.concatenated import Concatenated
from .encoders.own import own_encoder
from .encoders.protocol import SegmentEncoder
from .encoders.ssl import empty_ssl
from .encoders.voice_frames import VoiceFrames
from .encoders.weights import LAYERS, empty_vggish, packaged_hash, packaged_tensors
from .encoders.whisper import Whisper
from .model_config import FILE, FORMAT, ModelConfig, read_model_config
from .training_info import TrainingInfo

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, with what is needed to use it and to know how it was made.

    Attributes:
        model: The network, in evaluation mode.
        labels: Class names in the order of its logits; none for dimensions.
        config: Settings it was trained with.
        name: Name in results.
        intended_use: One sentence on what it is good for and what not.
        training: How it was trained: data, speakers, seed, epochs, validation score.
        dimensions: Names of its outputs, where these are values and not classes.
    """

    model: EmotionModel
    labels: list[str]
    config: Config
    name: str
    intended_use: str = ""
    training: TrainingInfo = field(default_factory=TrainingInfo)
    dimensions: list[str] = field(default_factory=list)

    @property
    def model_config(self) -> ModelConfig:
        """Content of config.json of the model folder."""
        encoder = self.model.encoder
        return ModelConfig(
            format=FORMAT,
            affekt=__version__,
            name=self.name,
            labels=self.labels,
            **({"dimensions": self.dimensions} if self.dimensions else {}),
            intended_use=self.intended_use,
            encoder_origin=encoder.origin,
            packaged_encoder=packaged_hash(self.config.encoder),
            architecture=dict(encoder.architecture),
            training=self.training,
            config=self.config,
        )

    @property
    def license(self) -> str:
        """What the model may be used for, as far as its config or its training data state it."""
        return self.model_config.license


def save_checkpoint(checkpoint: Checkpoint, folder: Path, card: str) -> None:
    """Write a model folder; config.json is written last, so that it marks a complete one.

    Args:
        checkpoint: The model.
        folder: New or empty folder.
        card: Markdown of its README.md.

    Raises:
        AffektError: The folder is not empty, or cannot be written.
    """
    values = checkpoint.model_config.to_json()
    tensors = {name: _compact(t) for name, t in _own(checkpoint).items()}
    new_folder(folder)
    write(folder / "README.md", card)
    write(folder / WEIGHTS, save(tensors))
    write(folder / FILE, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def load_checkpoint(folder: Path, *, trust_own_parts: bool = False) -> Checkpoint:
    """Read a model folder.

    Args:
        folder: The model folder.
        trust_own_parts: Import the encoder or pooling outside the package that the model names;
            see `affekt.own_parts.require_trust`.

    Raises:
        CheckpointError: The folder holds no model, a damaged one, one of a newer affekt, or one
            that needs code which is missing or not trusted.
    """
    if not (folder / WEIGHTS).is_file() and (folder / FILE).is_file():
        raise CheckpointError(f"{folder}: no model here ({WEIGHTS} is missing)")
    about = read_model_config(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: damaged model ({error})") from error
    try:
        own_parts = (about.config.encoder.name, about.config.stage2.pooling)
        require_trust(folder, own_parts, trust=trust_own_parts)
        model = _build(about, tensors)
    except CheckpointError:
        raise
    except AffektError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{folder}: weights and config do not fit ({reason})") from error
    return Checkpoint(
        model.eval(),
        about.labels,
        about.config,
        about.name,
        about.intended_use,
        about.training,
        about.dimensions,
    )


def require_classes(name: str, dimensions: Sequence[str], what: str) -> None:
    """Check that a model has classes.

    Args:
        name: Name of the model.
        dimensions: Its dimensions.
        what: What needs classes, for the error.

    Raises:
        AffektError: It has dimensions.
    """
    if dimensions:
        raise AffektError(
            f"{name} predicts dimensions ({', '.join(dimensions)}); {what} needs a model with "
            "classes"
        )


def _build(about: ModelConfig, tensors: Mapping[str, Tensor]) -> EmotionModel:
    """Build the model that config.json describes, with the weights of the file."""
    classes = tensors["linear.means"].shape[0] if "linear.means" in tensors else None
    packaged = _packaged(about.config)
    encoder = _encoder(about, packaged | dict(tensors))
    model = EmotionModel(about.config, about.outputs, encoder, classes).float()
    model.encoder.origin = about.encoder_origin
    empty = {f"linear.{name}": t for name, t in model.linear.state_dict().items()}
    own = empty | {name: t.float() for name, t in tensors.items()}  # version 0.1 has no linear head
    complete = own.keys() >= model.state_dict().keys()
    if not complete and about.packaged_encoder != packaged_hash(about.config.encoder):
        raise AffektError("needs the bundled encoder of another version of affekt; train it again")
    model.load_state_dict(own if complete else packaged | own)
    return model


def _encoder(about: ModelConfig, tensors: Mapping[str, Tensor]) -> SegmentEncoder:
    """Build the encoder without its weights, with the sizes of these tensors."""
    settings = about.config.encoder
    if settings.name == "ssl":
        return empty_ssl(
            about.architecture, layer=settings.layer, pooling=settings.pooling, mix=settings.mix
        )
    if is_dotted_path(settings.name):
        return own_encoder(settings)
    if settings.name == "vggish":
        return empty_vggish(settings)
    together = settings.name == "whisper+campplus"
    first = "encoder.encoders.0.conv1.bias" if together else "encoder.conv1.bias"
    whisper = Whisper(len(tensors[first]), settings.layer, pooling=settings.pooling)
    return Concatenated([whisper, VoiceFrames()]) if together else whisper


def _own(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Tensors that differ from those of the bundled encoder."""
    packaged = _packaged(checkpoint.config)
    return {
        name: tensor
        for name, tensor in checkpoint.model.state_dict().items()
        if name not in packaged or not torch.equal(tensor, packaged[name])
    }


def _packaged(config: Config) -> dict[str, Tensor]:
    """Tensors of the bundled encoder, under their names in a model with this config."""
    if config.encoder.name not in ("whisper", "whisper+campplus") or config.encoder.layer > LAYERS:
        return {}
    tensors = packaged_tensors(config.encoder)
    return {f"encoder.{name}": tensor for name, tensor in tensors.items()}


def _compact(tensor: Tensor) -> Tensor:
    """As float16 if that changes no value."""
    half = tensor.to(torch.float16)
    return (half if torch.equal(half.to(tensor.dtype), tensor) else tensor).contiguous()
