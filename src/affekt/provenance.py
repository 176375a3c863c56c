"""Provenance of a run: data, settings, code and versions; stored with every result."""

import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import __version__
from .config import Config
from .content import hash_tree, hash_value
from .corpora.corpus import Corpus
from .errors import AffektError
from .own_parts import hash_sources, is_dotted_path

PACKAGE = Path(__file__).parent
LIBRARIES = ("torch", "scikit-learn", "opensmile", "transformers")  # that compute scores
# Parts of the package that stand above an evaluation and cannot change a score.
NO_EFFECT = ("batch", "cli", "formats", "paper", "report", "server")


def provenance(
    corpus: Corpus, config: Config, recordings: Mapping[str, str], system: str = ""
) -> dict[str, Any]:
    """Collect what a run depends on.

    Args:
        corpus: The corpus.
        config: The settings.
        recordings: Hash of each audio file, see `Corpus.audio_hashes`.
        system: Name of the system, where one is evaluated.

    Raises:
        AffektError: The source files of affekt changed after this process had started, or a part of
            the user cannot be imported.
    """
    files = {e.file for e in (*corpus.examples, *corpus.train_only)}
    audio = sorted((file, recordings[file]) for file in files)
    return {
        "corpus": corpus.description() | {"audio": hash_value(audio)},
        "config": portable(config).model_dump(mode="json"),
        "versions": dict(_versions()) | {"code": code_hash()},
        "hashes": content_hashes(config, system),
    }


def identity(
    corpus: Corpus, config: Config, recordings: Mapping[str, str], system: str = ""
) -> dict[str, Any]:
    """What must be equal for an unfinished run to be continued, or a finished one to be current.

    It is the provenance and the hash of each recording, without the commit and the patch level of
    Python.

    Args:
        corpus: As of `provenance`.
        config: As of `provenance`.
        recordings: As of `provenance`.
        system: As of `provenance`.

    Raises:
        AffektError: As of `provenance`.
    """
    origin = provenance(corpus, config, recordings, system)
    return comparable({"system": system, **origin, "recordings": dict(recordings)})


def comparable(values: Mapping[str, Any]) -> dict[str, Any]:
    """A stored provenance without what does not change a result."""
    versions = {k: v for k, v in values.get("versions", {}).items() if k != "commit"}
    if "python" in versions:
        versions["python"] = ".".join(versions["python"].split(".")[:2])
    return {**values, "versions": versions}


def portable(config: Config) -> Config:
    """Replace paths of weights by their file names, since other machines have other folders."""

    def file_name(path: str | None) -> str | None:
        return path and Path(path).name

    encoder = config.encoder.model_copy(update={"weights": file_name(config.encoder.weights)})
    weights = {key: file_name(path) for key, path in config.baselines}
    baselines = config.baselines.model_copy(update=weights)
    return config.model_copy(update={"encoder": encoder, "baselines": baselines})


def content_hashes(config: Config, system: str = "") -> dict[str, str]:
    """Content hash of the weights and of the user's parts that settings name, by setting.

    Raises:
        AffektError: A part of the user cannot be imported.
    """
    parts = {
        "encoder.name": config.encoder.name,
        "stage2.pooling": config.stage2.pooling,
        "system": system,
    }
    sources = {key: hash_sources(name, key) for key, name in parts.items() if is_dotted_path(name)}
    return weights_hashes(config) | sources


def weights_hashes(config: Config) -> dict[str, str]:
    """Content hash of the weights that the settings name, by setting.

    Weights at random, and downloads whose hash is checked, have none.
    """
    from .nn.encoders.campplus import WEIGHTS
    from .nn.encoders.weights import BUNDLED, DISTILLED

    encoder = config.encoder
    files = {f"baselines.{key}": path for key, path in config.baselines}
    if encoder.weights not in ("random", "download"):
        bundled = str(BUNDLED) if encoder.name in ("whisper", "whisper+campplus") else None
        named = str(DISTILLED) if encoder.weights == "distilled" else encoder.weights
        files["encoder.weights"] = named or bundled
    if encoder.name == "whisper+campplus":
        files["encoder.voices"] = str(WEIGHTS)
    found = {key: hash_tree(Path(path)) for key, path in files.items() if path}
    if encoder.name == "ssl" and encoder.weights and not found["encoder.weights"]:
        found["encoder.weights"] = _hub_revision(encoder.weights)
    return {key: value for key, value in found.items() if value}


def _hub_revision(name: str) -> str:
    """Commit of a model of the Hugging Face hub that is used now; "" if there is no such model."""
    with suppress(ImportError, OSError, ValueError):
        from transformers.utils.hub import cached_file

        if path := cached_file(name, "config.json"):
            return Path(path).parent.name
    return ""


def code_hash() -> str:
    """Hash of the source files of affekt that can change a score.

    Raises:
        AffektError: They changed since the first call, so that code in memory and on disk differ.
    """
    current = hash_value(list(_sources()))
    if current != _first_code_hash():
        raise AffektError(
            "the source files of affekt changed while this process was running; start it again"
        )
    return current


@cache
def _first_code_hash() -> str:
    return hash_value(list(_sources()))


def _sources() -> Iterator[tuple[str, str]]:
    """Name and hash of each part of the package that can change a score."""
    for path in sorted(PACKAGE.iterdir()):
        if path.suffix == ".py" or (path.is_dir() and path.name not in NO_EFFECT):
            yield path.name, hash_tree(path, "*.py")


@cache
def _versions() -> dict[str, str]:
    """Versions, read once: a process runs the code that was there at its first call."""
    found = {"affekt": __version__, "commit": _commit(), "python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def _commit() -> str:
    """Commit of the checkout that affekt runs from, or "" outside one."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PACKAGE), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)  # noqa: S603
        return done.stdout.strip()

    try:
        tracked = git("ls-files", Path(__file__).name)  # else: a virtual environment in a checkout
        return git("describe", "--always", "--dirty") if tracked else ""
    except (OSError, subprocess.SubprocessError):
        return ""
