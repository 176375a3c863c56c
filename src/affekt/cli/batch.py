"""``affekt batch``."""

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..errors import AffektError
from ..progress import Event
from .app import app, complain, progress, say


@app.command
def batch(
    source: str = "",
    *,
    out: Path,
    model: str = "default",
    engine: Literal["local", "ray"] = "local",
    workers: int = os.cpu_count() or 1,
    address: str | None = None,
    hop: float = 0.24,
    resume: Annotated[bool, Parameter(negative="")] = False,
    verify: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Recognise all recordings of an archive, into Parquet: one row for each, also for an error.

    Writes files/ (one row per recording), segments/ (one row per segment) and, at the end,
    _SUCCESS.

    Parameters
    ----------
    source:
        Folder, glob, table with a column path (CSV, TSV, Parquet), tar shards, or URL of fsspec.
    out:
        Folder for the result; every worker must see it.
    model:
        Name of a bundled model, or a model folder.
    engine:
        "local": processes on this machine. "ray": Ray Data (extra cluster).
    workers:
        Largest number of processes or actors; each uses one core and loads the model.
    address:
        Address of a Ray cluster; by default one is started on this machine.
    hop:
        Largest distance between two points of the timeline, in seconds.
    resume:
        Resume an interrupted job.
    verify:
        Only check that OUT is complete: each input exactly once, recognised by one model.
    """
    from ..batch import engines
    from ..batch import job as jobs
    from ..nn.bundled import model_folder
    from ..nn.checkpoint import load_checkpoint

    if verify:
        _say_counts(jobs.verify(out))
        return 0
    if not source or workers < 1:
        raise AffektError(
            "batch needs a source and at least one worker: affekt batch FOLDER --out DIR"
        )
    folder = model_folder(model)
    name, model_hash = load_checkpoint(folder).name, jobs.hash_of(folder)
    if resume:
        job = jobs.resumed(out, source, model_hash, hop)
    else:
        job = jobs.begin(out, source, name, model_hash, hop)
    todo = jobs.missing(out, job)
    say(f"{job.files} recordings in {job.parts} parts, {len(todo)} to do")
    if todo:
        arguments = (out, str(folder.absolute()), job, todo, workers)
        run = engines.ray(*arguments, address) if engine == "ray" else engines.local(*arguments)
        errors = 0
        with progress() as report:
            for done, part in enumerate(run, 1):
                errors += part.errors
                report(Event(f"parts done, {errors} errors", done, len(todo)))
    counts = jobs.finish(out)
    _say_counts(counts)
    if counts["errors"]:
        complain(
            f"{counts['errors']} of {counts['files']} recordings could not be read: "
            "see the column error"
        )
    return 0


def _say_counts(counts: dict[str, int | float]) -> None:
    hours = counts["seconds"] / 3600
    say(
        f"complete: {counts['files']} recordings, {counts['errors']} with an error, "
        f"{counts['segments']} segments, {hours:.1f} hours of speech"
    )
