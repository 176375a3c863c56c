"""The manifest of a resumable run: which data, settings and code its folder belongs to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .atomic import new_folder, write
from .errors import AffektError

RUN = "run.json"
SHOWN = 3  # differences that a message names


def start_or_resume(folder: Path, identity: Mapping[str, Any], kind: str, *, resume: bool) -> None:
    """Write the manifest of a new run, or check that of the unfinished run in a folder.

    Args:
        folder: Folder of the run; new, empty, or with an unfinished run.
        identity: Data, settings and versions, as JSON types.
        kind: What the run is called in messages, such as "training".
        resume: Whether an unfinished run may be continued.

    Raises:
        AffektError: The folder holds other files, or an unfinished run that may not be continued:
            of other data, settings or code, or because `resume` is False.
    """
    path = folder / RUN
    if not path.is_file():
        new_folder(folder)
        write(path, json.dumps(identity, indent=2, ensure_ascii=False) + "\n")
        return
    if not resume:
        raise AffektError(
            f"{folder}: holds an unfinished {kind}; add --resume, or delete the folder"
        )
    try:
        stored = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise AffektError(f"{path}: damaged ({error}); delete {folder}") from error
    check_same_run(folder, stored, identity, kind)


def check_same_run(
    folder: Path, stored: Mapping[str, Any], identity: Mapping[str, Any], kind: str
) -> None:
    """Refuse to continue a run with other data, settings or code.

    Args:
        folder: Folder of the run, for the message.
        stored: Identity in its manifest.
        identity: Identity of the run that wants to continue it.
        kind: What the run is called in messages.

    Raises:
        AffektError: The two differ; the message says in what.
    """
    differing = list(_differences(stored, json.loads(json.dumps(identity))))
    if differing:
        shown = "; ".join(differing[:SHOWN]) + ("; ..." if len(differing) > SHOWN else "")
        raise AffektError(
            f"{folder}: holds an unfinished {kind} of other data, settings or code ({shown}); "
            "delete the folder to start again, or choose another --out"
        )


def _differences(stored: Any, current: Any, key: str = "") -> Iterator[str]:
    """Describe each value that differs, ``config.stage2.epochs was 40, now 60``."""
    if isinstance(stored, dict) and isinstance(current, dict):
        for name in dict.fromkeys([*stored, *current]):
            inner = f"{key}.{name}" if key else name
            yield from _differences(stored.get(name), current.get(name), inner)
    elif stored != current:
        yield f"{key} was {_brief(stored)}, now {_brief(current)}"


def _brief(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
