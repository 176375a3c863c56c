"""A model on disk: a folder with config.json, model.safetensors and README.md (its card).

Never written over another model, never pickled; each file is whole or not there. Tensors that
float16 holds exactly, as those of a frozen Whisper, are stored as such: half the size, same bits.
What an encoder shares with the package's own is not stored again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from .. import __version__
from ..atomic import new_folder, write
from ..config import Config, explain
from ..errors import AffektError, CheckpointError
from ..own_parts import is_dotted_path, require_trust
from .emotion_model import EmotionModel
from .encoders.own import own_encoder
from .encoders.protocol import SegmentEncoder
from .encoders.ssl import empty_ssl
from .encoders.vggish import VGGish
from .encoders.weights import LAYERS, build_encoder, packaged_hash
from .encoders.whisper import Whisper

FORMAT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A trained model with all that is needed to use it and to know where it came from.

    Attributes:
        model: The network, in evaluation mode.
        labels: Class names in the order of its logits.
        config: Settings it was trained with.
        name: What results call it.
        intended_use: One sentence on what it is good for and what not.
        training: Data, speakers, seed, epochs, score; for the card and the curious.
    """

    model: EmotionModel
    labels: list[str]
    config: Config
    name: str
    intended_use: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def license(self) -> str:
        """What the model may be used for, as far as the data it learned from say."""
        return self.config.license or str(self.training.get("corpus", {}).get("terms", ""))


def save_checkpoint(checkpoint: Checkpoint, folder: Path, card: str) -> None:
    """Write a model folder; config.json comes last and makes it one.

    Raises:
        AffektError: The folder is not empty, or cannot be written.
    """
    about = {
        "format": FORMAT,
        "affekt": __version__,
        "name": checkpoint.name,
        "labels": checkpoint.labels,
        "intended_use": checkpoint.intended_use,
        "encoder_origin": checkpoint.model.encoder.origin,
        "packaged_encoder": packaged_hash(),
        "architecture": dict(checkpoint.model.encoder.architecture),
        "training": dict(checkpoint.training),
        "config": checkpoint.config.model_dump(mode="json"),
    }
    tensors = {name: _compact(t) for name, t in _own(checkpoint).items()}
    new_folder(folder)
    write(folder / "README.md", card)
    write(folder / "model.safetensors", save(tensors))
    write(folder / "config.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def load_checkpoint(folder: Path, *, trust_own_parts: bool = False) -> Checkpoint:
    """Read a model folder.

    Args:
        folder: The model folder.
        trust_own_parts: Import the encoder or pooling outside the package that the model names;
            see `affekt.own_parts.require_trust`.

    Raises:
        CheckpointError: No model there, a damaged or foreign one, one of a newer affekt, or one
            that needs code which is not there or not trusted.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: no model here ({name} is missing)")
    try:
        about = json.loads((folder / "config.json").read_text("utf-8"))
        tensors = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: damaged model ({error})") from None
    if not isinstance(about, dict) or "format" not in about:
        raise CheckpointError(f"{folder}: config.json is not of an affekt model")
    if about["format"] != FORMAT:
        raise CheckpointError(
            f"{folder}: model format {about['format']}, this affekt reads {FORMAT}; update affekt"
        )
    try:
        config = Config.model_validate(about["config"])
        own_parts = (config.encoder.name, config.stage2.pooling)
        require_trust(folder, own_parts, trust=trust_own_parts)
        labels = [str(label) for label in about["labels"]]
        model = EmotionModel(config, len(labels), _encoder(config, tensors, about))
        model.encoder.origin = str(about["encoder_origin"])
        own = {name: t.float() for name, t in tensors.items()}
        complete = own.keys() >= model.state_dict().keys()
        if not complete and about["packaged_encoder"] != packaged_hash():
            raise CheckpointError(f"{folder}: stands on the encoder of another affekt; train anew")
        model.load_state_dict(own if complete else _packaged(config) | own)
    except ValidationError as error:
        raise CheckpointError(f"{folder}: config.json: {explain(error)}") from error
    except CheckpointError:
        raise
    except AffektError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{folder}: weights and config do not fit ({reason})") from None
    return Checkpoint(
        model.eval(),
        labels,
        config,
        about.get("name", folder.name),
        str(about.get("intended_use", about.get("note", ""))),
        about.get("training", {}),
    )


def _encoder(
    config: Config, tensors: Mapping[str, Tensor], about: Mapping[str, Any]
) -> SegmentEncoder:
    """The encoder without weights, sized as in the file or as the package's own."""
    settings = config.encoder
    if settings.name == "ssl":
        return empty_ssl(
            about["architecture"],
            layer=settings.layer,
            pooling=settings.pooling,
            mix=settings.mix,
        )
    if is_dotted_path(settings.name):
        return own_encoder(settings)
    if settings.name == "vggish":
        return VGGish(padding=settings.padding, final_relu=settings.final_relu)
    d_model = len({**_packaged(config), **tensors}["encoder.conv1.bias"])
    return Whisper(d_model, settings.layer, pooling=settings.pooling)


def _own(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """What the package does not hold already."""
    packaged = _packaged(checkpoint.config)
    return {
        name: tensor
        for name, tensor in checkpoint.model.state_dict().items()
        if name not in packaged or not torch.equal(tensor, packaged[name])
    }


def _packaged(config: Config) -> dict[str, Tensor]:
    """The encoder inside the package as a model with this config would name its tensors."""
    if config.encoder.name != "whisper" or config.encoder.layer > LAYERS:
        return {}
    encoder = build_encoder(config.encoder.model_copy(update={"weights": None}))
    return {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}


def _compact(tensor: Tensor) -> Tensor:
    half = tensor.to(torch.float16)
    return (half if torch.equal(half.to(tensor.dtype), tensor) else tensor).contiguous()
