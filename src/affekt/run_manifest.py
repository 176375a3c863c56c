"""The manifest of a resumable run: which data, settings and code its folder belongs to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .atomic import new_folder, write
from .errors import AffektError
from .plural import counted

RUN = "run.json"
SHOWN = 3  # differences that a message names


def start_or_resume(folder: Path, identity: Mapping[str, Any], kind: str, *, resume: bool) -> None:
    """Write the manifest of a new run, or check that of the unfinished run in a folder.

    Args:
        folder: Folder of the run; new, empty, or with an unfinished run.
        identity: Data, settings and versions, as JSON types; see `affekt.provenance.identity`.
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
    if differing := differences(stored, identity):
        raise AffektError(
            f"{folder}: holds an unfinished {kind} of other data, settings or code "
            f"({abridged(differing)}); delete the folder to start again, or choose another --out"
            + _earlier_version(stored, identity)
        )


def _earlier_version(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """How to finish a run that another version of affekt began."""
    old, new = (values.get("versions", {}).get("affekt") for values in (stored, identity))
    return f", or install affekt {old} to finish it" if old != new else ""


def abridged(differing: list[str]) -> str:
    """The first differences, for a message."""
    return "; ".join(differing[:SHOWN]) + ("; ..." if len(differing) > SHOWN else "")


def differences(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Describe in what the identities of two runs differ.

    Args:
        stored: Identity of a run on disk. That of a version which recorded no content hashes
            differs from every other.
        current: Identity of the run at hand.
    """
    old, new = json.loads(json.dumps(stored)), json.loads(json.dumps(current))
    found = []
    if "hashes" in new and "hashes" not in old:
        version = old.get("versions", {}).get("affekt", "unknown")
        found.append(
            f"the content of its audio, weights and code is unknown: affekt {version} did not "
            "record it"
        )
        for place, key in ((new, "hashes"), (new["corpus"], "audio"), (new["versions"], "code")):
            place.pop(key, None)
        new.pop("recordings", None)
    recordings = old.pop("recordings", None), new.pop("recordings", None)
    if all(recordings):
        found += _changed_recordings(*recordings)
    audio = [values.get("corpus", {}).pop("audio", None) for values in (old, new)]
    if audio[0] != audio[1] and not found:
        found.append("the audio changed")
    changed = _differences(old.pop("hashes", {}), new.pop("hashes", {}))
    found += [f"the content of {text.partition(' ')[0]} changed" for text in changed]
    codes = [values.get("versions", {}).pop("code", None) for values in (old, new)]
    others = list(_differences(old, new))
    if codes[0] != codes[1] and not any(text.startswith("versions.affekt ") for text in others):
        found.append("the source code of affekt changed")
    return found + others


def _changed_recordings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Describe which recordings changed, by the hashes of their files."""
    parts = {
        "changed": [name for name in old if name in new and old[name] != new[name]],
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
    }
    for what, names in parts.items():
        if names:
            where = f"{len(names)} of {counted(len({**old, **new}), 'recording')}"
            yield f"audio {what}: {where}, the first {names[0]}"


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
