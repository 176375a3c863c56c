"""A study: several systems on the same folds, each with its own folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import Config
from ..corpora.corpus import Corpus
from ..errors import AffektError
from ..progress import Event, Report
from ..provenance import identity
from ..run_manifest import abridged, differences
from ..run_result import FILE, run_identity
from .runner import evaluate
from .systems.registry import SYSTEMS, Maker, known_system
from .systems.titles import title


def chosen_systems(names: str) -> list[str]:
    """System names from a comma-separated list; the fast systems for "", all for "all".

    Raises:
        AffektError: There is no such system; the message gives the most similar name.
    """
    if not names:
        return [name for name, system in SYSTEMS.items() if not system.opt_in]
    if names == "all":
        return list(SYSTEMS)
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not chosen:
        raise AffektError(f"--systems {names!r} names no system")
    for name in chosen:
        known_system(name)
    return chosen


def run_folder(out: Path, system: str) -> Path:
    """Folder of a system; a dotted path is written without the colon, which Windows forbids."""
    return out / system.replace(":", ".")


def is_finished(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a folder holds a finished run of the same data, settings and code.

    Args:
        folder: Folder of a system.
        identity: What the run must be made of; see `affekt.provenance.identity`.

    Raises:
        AffektError: It holds a finished run of other data, settings or code; the message says in
            what it differs.
    """
    if not (folder / FILE).is_file():
        return False
    if differing := differences(run_identity(folder), identity):
        raise AffektError(
            f"{folder}: holds a finished run of other data, settings or code "
            f"({abridged(differing)}); delete the folder to run it again, or choose another --out: "
            "affekt report compares runs of several folders"
        )
    return True


def run_study(
    corpus: Corpus,
    systems: Mapping[str, Config],
    out: Path,
    cache: Path | None,
    workers: int,
    report: Report,
) -> list[Path]:
    """Evaluate each system that is not finished yet.

    Args:
        corpus: The corpus; all systems have the same folds of it.
        systems: Settings by name of the system, as
            `affekt.evaluation.systems.registry.configured` returns them.
        out: Folder of the study; each system has a folder in it.
        cache: Folder of cached embeddings and features; None for no cache.
        workers: Number of processes.
        report: Called with each step.

    Returns:
        Folders of the systems.

    Raises:
        AffektError: As of `affekt.evaluation.runner.evaluate`, or a folder holds a finished
            run of other data or settings.
    """
    recordings = corpus.audio_hashes()
    unfinished = {
        name: config
        for name, config in systems.items()
        if not is_finished(run_folder(out, name), identity(corpus, config, recordings, name))
    }
    for name, config in unfinished.items():  # what is missing is an error before hours of work
        corpus.test_folds(config.protocol.folds)
        Maker(name, config, cache)()
    folders = []
    for number, (name, config) in enumerate(systems.items()):
        report(Event("systems", number, len(systems), name))
        folder = run_folder(out, name)
        if name in unfinished:
            if number and corpus.audio_hashes() != recordings:
                raise AffektError("the recordings changed during the study; start it again")
            evaluate(
                corpus,
                Maker(name, config, cache),
                config,
                folder,
                system=name,
                title=title(name, config),
                workers=workers,
                report=report,
                recordings=recordings,
            )
        folders.append(folder)
    report(Event("systems", len(systems), len(systems)))
    return folders
