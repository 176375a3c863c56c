"""The settings of a run: a recipe, values over it, and parts given as objects."""

import hashlib
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from .atomic import write
from .config import ENCODERS_WITH, Config, explain
from .errors import AffektError, RenamedWarning
from .own_parts import dotted_path, is_dotted_path
from .renamed_settings import renamed_keys

if TYPE_CHECKING:
    from .nn.encoders.protocol import SegmentEncoder
    from .nn.pooling import Pooling

Settings = Config | Mapping[str, Any] | None


def read_config(recipe: Path | None = None, overrides: dict[str, Any] | None = None) -> Config:
    """Read a recipe over the defaults, and apply overrides to it.

    Args:
        recipe: TOML file; None for the defaults.
        overrides: Settings as nested dictionaries, ``{"stage2": {"epochs": 40}}``.

    Raises:
        AffektError: The recipe cannot be read, or a key or value is not allowed; the message
            names it and the most similar key.
    """
    values: dict[str, Any] = {}
    if recipe is not None:
        try:
            values = tomllib.loads(recipe.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise AffektError(f"recipe {recipe}: {error}") from error
    values, renamed = renamed_keys(values)
    for old, new in renamed.items():
        warnings.warn(f"recipe {recipe}: {old} is now {new}", RenamedWarning, stacklevel=2)
    try:
        config = Config.model_validate(_merged(values, overrides or {}))
    except ValidationError as error:
        raise AffektError(explain(error)) from error
    for key, names in ENCODERS_WITH.items():
        if config.encoder.name not in names and key in config.encoder.model_fields_set:
            raise AffektError(
                f"encoder.{key} belongs to {', '.join(names)}; the encoder is {config.encoder.name}"
            )
    if config.encoder.weights == "distilled" and config.encoder.name != "vggish":
        raise AffektError(
            "encoder.weights = 'distilled' belong to vggish; the encoder is "
            f"{config.encoder.name}: add --encoder.name vggish"
        )
    if config.encoder.options and not is_dotted_path(config.encoder.name):
        raise AffektError(
            "encoder.options belong to an encoder of your own; the encoder is "
            f"{config.encoder.name}"
        )
    return config


def _merged(values: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Settings with overrides; within a section key by key."""
    result = dict(values)
    for section, settings in overrides.items():
        below = result.get(section)
        if isinstance(settings, dict) and isinstance(below, dict):
            settings = below | settings
        result[section] = settings
    return result


def settings_with(
    recipe: str | Path | None = None,
    config: Settings = None,
    encoder: "str | type[SegmentEncoder] | SegmentEncoder | None" = None,
    pooling: "str | type[Pooling] | None" = None,
) -> Config:
    """Settings of a run, from a recipe, values over it, and parts given as objects.

    Args:
        recipe: TOML file.
        config: Values over the recipe.
        encoder: Class, instance or dotted path.
        pooling: Class or dotted path.

    Raises:
        AffektError: A key or value is not allowed.
    """
    return read_config(Path(recipe) if recipe else None, given_settings(config, encoder, pooling))


def given_settings(
    config: Settings = None,
    encoder: "str | type[SegmentEncoder] | SegmentEncoder | None" = None,
    pooling: "str | type[Pooling] | None" = None,
) -> dict[str, Any]:
    """Settings apart from those of a recipe, as nested dictionaries; see `settings_with`."""
    values = config.model_dump(exclude_unset=True) if isinstance(config, Config) else config
    overrides = dict(values or {})
    if encoder is not None:
        given = {"name": encoder} if isinstance(encoder, str) else _encoder(encoder)
        overrides["encoder"] = {**overrides.get("encoder", {}), **given}
    if pooling is not None:
        name = pooling if isinstance(pooling, str) else dotted_path(pooling)
        overrides["stage2"] = {**overrides.get("stage2", {}), "pooling": name}
    return overrides


def _encoder(encoder: "type[SegmentEncoder] | SegmentEncoder") -> dict[str, Any]:
    """The section ``encoder`` of a config for an encoder given as an object.

    The weights of an instance are written to the cache folder, as a file to start training from.
    """
    from safetensors.torch import save

    from .nn.encoders.weights import cache_folder

    if isinstance(encoder, type):
        return {"name": dotted_path(encoder)}
    settings: dict[str, Any] = {"name": dotted_path(type(encoder))}
    settings["options"] = dict(encoder.architecture)
    if tensors := {k: v.detach().cpu().contiguous() for k, v in encoder.state_dict().items()}:
        content = save(tensors)
        name = f"{type(encoder).__name__}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
        settings["weights"] = str(cache_folder() / "encoders" / name)
        write(Path(settings["weights"]), content)
    return settings
