"""Provenance of a run: data, settings, code and versions; stored with every result."""

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import __version__
from .config import Config


def provenance(corpus: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Collect what a run depends on.

    Args:
        corpus: As `affekt.corpora.corpus.Corpus.description` gives it.
        config: The settings.
    """
    return {
        "corpus": dict(corpus),
        "config": portable(config).model_dump(mode="json"),
        "versions": dict(_versions()),
    }


def portable(config: Config) -> Config:
    """Replace paths of weights by their file names, since other machines have other folders."""

    def file_name(path: str | None) -> str | None:
        return path and Path(path).name

    encoder = config.encoder.model_copy(update={"weights": file_name(config.encoder.weights)})
    weights = {key: file_name(path) for key, path in config.baselines}
    baselines = config.baselines.model_copy(update=weights)
    return config.model_copy(update={"encoder": encoder, "baselines": baselines})


@cache
def _versions() -> dict[str, str]:
    """Versions, read once: a process runs the code that was there at its first call."""
    return {
        "affekt": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def _commit() -> str:
    """Commit of the checkout that affekt runs from, or "" outside one."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)  # noqa: S603
        return done.stdout.strip()

    try:
        tracked = git("ls-files", Path(__file__).name)  # else: a virtual environment in a checkout
        return git("describe", "--always", "--dirty") if tracked else ""
    except (OSError, subprocess.SubprocessError):
        return ""
