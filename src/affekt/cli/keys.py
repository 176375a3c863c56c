"""``affekt keys``."""

from pathlib import Path

from cyclopts import App

from ..errors import AffektError
from .app import app, say

keys = App(name="keys", help="Write the keys of the clients of affekt serve --keys.")
app.command(keys)


@keys.command
def add(
    file: Path,
    name: str,
    *,
    scopes: tuple[str, ...] = (),
    per_minute: int | None = None,
) -> int:
    """Add the key of a client and print its token, which is stored nowhere.

    Parameters
    ----------
    file:
        File of the keys; created if missing.
    name:
        Name of the client; its jobs are seen by this key only.
    scopes:
        What it may use: recognise, jobs, stream, adapt, metrics, admin (the jobs and adaptations of
        all); by default the first three. May be repeated.
    per_minute:
        Limit of requests in a minute, in each worker process.
    """
    from pydantic import ValidationError

    from ..server.keys import (
        DEFAULT_SCOPES,
        SCOPES,
        Key,
        new_token,
        read_keys,
        token_hash,
        write_keys,
    )

    known = read_keys(file) if file.exists() else {}
    if name in known:
        raise AffektError(f"{file}: has a key {name}; revoke it first, or choose another name")
    if unknown := set(scopes) - set(SCOPES):
        raise AffektError(f"no scope {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}")
    token = new_token()
    try:
        key = Key.model_validate(
            {"sha256": token_hash(token), "scopes": scopes or DEFAULT_SCOPES,
             "per_minute": per_minute}
        )  # fmt: skip
    except ValidationError as error:
        raise AffektError(f"--per-minute {per_minute}: must be at least 1") from error
    write_keys(file, known | {name: key})
    say(f"key {name} in {file}; it is valid at once, and its token is shown only now:")
    print(token)
    return 0


@keys.command
def revoke(file: Path, name: str) -> int:
    """Delete the key of a client; a running server refuses it at once.

    Parameters
    ----------
    file:
        File of the keys.
    name:
        Name of the client.
    """
    from ..server.keys import read_keys, write_keys

    known = read_keys(file)
    if name not in known:
        raise AffektError(f"{file}: has no key {name}; there are {', '.join(known) or 'none'}")
    write_keys(file, {other: key for other, key in known.items() if other != name})
    say(f"key {name} is revoked")
    return 0


@keys.command(name="list")
def show(file: Path) -> int:
    """Print the keys of a file, without their tokens.

    Parameters
    ----------
    file:
        File of the keys.
    """
    from ..server.keys import read_keys

    for name, key in read_keys(file).items():
        limit = f", {key.per_minute} a minute" if key.per_minute else ""
        print(f"{name}: {', '.join(key.scopes)}{limit}")
    return 0
