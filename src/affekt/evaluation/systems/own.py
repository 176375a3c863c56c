"""Systems of the user, from outside the package."""

from typing import Any

from ...config import Config
from ...errors import AffektError
from ...own_parts import import_part
from .system import System

ATTRIBUTES = ("fit", "predict", "labels", "training_info")


def own_system(path: str, config: Config) -> System:
    """Build the system at a dotted path by calling it with the settings.

    Raises:
        AffektError: It cannot be imported or built, or lacks a part of `System`.
    """
    part = import_part(path, "system")
    try:
        system: Any = part(config)
    except Exception as error:
        raise AffektError(
            f"system = {path!r}: calling it with the settings (affekt.config.Config) failed: "
            f"{type(error).__name__}: {error}"
        ) from error
    return require_system(system, path)


def require_system(system: Any, name: str) -> System:
    """Check that an object has the methods and attributes of `System`.

    Raises:
        AffektError: It lacks a method or an attribute.
    """
    if missing := [key for key in ATTRIBUTES if not hasattr(system, key)]:
        raise AffektError(
            f"system = {name!r}: has no {', '.join(missing)}; see affekt.System for what a system "
            "must have"
        )
    checked: System = system
    return checked
