"""The settings that a search tries: a range or the choices of each."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..config import Config, all_keys, explain
from ..errors import AffektError
from ..extras import optional_import

with optional_import("a search of settings"):
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

Space = Mapping[str, BaseDistribution]

# What the validation loss compares: not the protocol, the loss itself, or the classes.
SECTIONS = ("audio", "segments", "balance", "augment", "encoder", "stage1", "stage2")
DEFAULT: dict[str, dict[str, Any]] = {
    "balance": {"plan": ["none", "auto", "paper-like"]},
    "stage1": {"head_learning_rate": {"low": 1e-4, "high": 3e-3, "log": True}},
    "stage2": {
        "cell": ["lstm", "none"],
        "pooling": ["attention", "mean", "statistics"],
        "hidden": [64, 128, 256],
        "dropout": {"low": 0.1, "high": 0.7},
        "learning_rate": {"low": 1e-4, "high": 3e-3, "log": True},
    },
}


def read_space(path: Path | None, config: Config) -> Space:
    """Read the settings to search from a TOML file, and check each bound and choice.

    Args:
        path: Sections and keys as in a recipe, with a list of choices or ``{low = 1e-4,
            high = 1e-2, log = true}`` as value; None for `DEFAULT`.
        config: The settings that are searched from.

    Raises:
        AffektError: The file cannot be read, or has a key or a value that a recipe cannot have.
    """
    values: Mapping[str, Any] = DEFAULT
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise AffektError(f"search space {path}: {error}") from error
    elif config.dimensions:  # which have no classes to balance
        values = {section: own for section, own in DEFAULT.items() if section != "balance"}
    space = {}
    for section, own in values.items():
        if section not in SECTIONS or not isinstance(own, dict):
            raise AffektError(
                f"search space: {section!r} cannot be searched; choose keys of the sections "
                f"{', '.join(SECTIONS)}"
            )
        for name, given in own.items():
            key = f"{section}.{name}"
            space[key] = _distribution(key, given)
            for value in _extremes(space[key]):
                with_values(config, {key: value})
    if not space:
        raise AffektError(f"search space {path}: names no setting")
    return space


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Settings with other values, by their dotted keys.

    Raises:
        AffektError: A value is not allowed.
    """
    settings = config.model_dump(exclude_unset=True)
    for key, value in values.items():
        section, _, name = key.partition(".")
        settings[section] = settings.get(section, {}) | {name: value}
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise AffektError(explain(error)) from error


def values_of(config: Config, space: Space) -> dict[str, Any] | None:
    """Values of settings in the space; None if one lies outside."""
    values = {}
    for key, distribution in space.items():
        section, _, name = key.partition(".")
        values[key] = getattr(getattr(config, section), name)
        inside = (
            values[key] in distribution.choices
            if isinstance(distribution, CategoricalDistribution)
            else distribution.low <= values[key] <= distribution.high  # type: ignore[attr-defined]
        )
        if not inside:
            return None
    return values


def _distribution(key: str, given: Any) -> BaseDistribution:
    if isinstance(given, list) and given:
        if all(isinstance(value, str | int | float) for value in given):
            return CategoricalDistribution(given)
    elif isinstance(given, dict) and {"low", "high"} <= given.keys() <= {"low", "high", "log"}:
        section, _, name = key.partition(".")
        whole = key in all_keys() and type(getattr(getattr(Config(), section), name)) is int
        kind = IntDistribution if whole else FloatDistribution
        try:
            return kind(given["low"], given["high"], log=bool(given.get("log", False)))
        except (ValueError, TypeError) as error:
            raise AffektError(f"search space: {key}: {error}") from error
    raise AffektError(
        f"search space: {key} = {given!r}: give a list of choices, or a range such as "
        "{low = 1e-4, high = 1e-2, log = true}"
    )


def _extremes(distribution: BaseDistribution) -> tuple[Any, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    return distribution.low, distribution.high  # type: ignore[attr-defined]
