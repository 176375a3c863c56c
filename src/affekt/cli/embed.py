"""``affekt embed``."""

from pathlib import Path
from typing import Literal

from ..errors import AffektError
from ..plural import counted
from .app import Device, app, complain, progress, say
from .files import recordings, source


@app.command
def embed(
    *files: str,
    out: Path,
    level: Literal["segment", "clip"] = "segment",
    model: str = "default",
    track: int | None = None,
    device: Device = "cpu",
) -> int:
    """Write the embeddings of recordings to a Parquet file.

    Its columns are file, start, end (seconds) and embedding (list of float32).

    Parameters
    ----------
    files:
        Recordings, as for "affekt predict".
    out:
        New file, with the suffix .parquet.
    level:
        "segment": a row for each 0.96 s segment. "clip": a row for each recording, the mean of its
        segments.
    model:
        Name of a bundled model, or a model folder; its encoder is used.
    track:
        Audio track of files that have several, from 1 on; by default the default track of the file,
        else the first.
    """
    from ..formats.embeddings import write_embeddings
    from ..inference.recognizer import load

    if not files:
        raise AffektError("embed needs a recording: affekt embed call.wav --out call.parquet")
    recognizer = load(model, device=device)
    names = recordings(files)
    with progress() as report:
        errors = write_embeddings(
            recognizer, [source(name) for name in names], out, level, report, track=track
        )
    for error in errors:
        complain(error)
    say(f"written: {out}, level {level}, {counted(len(names) - len(errors), 'recording')}")
    return 2 if errors else 0
