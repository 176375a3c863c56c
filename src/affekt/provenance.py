"""What was run on what, by which versions: written beside every result."""

import hashlib
import platform
import subprocess
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import __version__
from .config import Config
from .corpora.corpus import Corpus


def portable(config: Config) -> Config:
    """The settings with the file names of weights for their paths, which are nobody else's."""

    def named(path: str | None) -> str | None:
        return path and Path(path).name

    encoder = config.encoder.model_copy(update={"weights": named(config.encoder.weights)})
    starts = {key: named(path) for key, path in config.baselines}
    baselines = config.baselines.model_copy(update=starts)
    return config.model_copy(update={"encoder": encoder, "baselines": baselines})


def _digest(corpus: Corpus) -> str:
    """Tells corpora with other clips, labels, speakers or splits apart; not their sound."""
    rows = sorted(
        (u.id, u.label, u.speaker, u.split) for u in [*corpus.examples, *corpus.train_only]
    )
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def provenance(corpus: Corpus, config: Config) -> dict[str, Any]:
    """Corpus, settings and versions."""
    return {
        "corpus": {
            "name": corpus.name,
            "clips": len(corpus.examples),
            "speakers": len(corpus.speakers),
            "labels": dict(sorted(Counter(u.label for u in corpus.examples).items())),
            "terms": corpus.license,
            "digest": _digest(corpus),
        },
        "config": portable(config).model_dump(mode="json"),
        "versions": {
            "affekt": __version__,
            "commit": _commit(),
            "python": platform.python_version(),
            "torch": version("torch"),
        },
    }


def _commit() -> str:
    """Commit of the checkout that affekt runs from, or "" outside one."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)  # noqa: S603
        return done.stdout.strip()

    try:
        ours = git("ls-files", Path(__file__).name)  # not some other project around a venv
        return git("describe", "--always", "--dirty") if ours else ""
    except (OSError, subprocess.SubprocessError):
        return ""
