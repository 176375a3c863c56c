"""``affekt batch``."""

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..errors import AffektError
from ..plural import counted
from ..progress import Event
from .app import Device, app, complain, progress, say


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
    track: int | None = None,
    speakers: Literal["column", "auto"] | int = "column",
    resume: Annotated[bool, Parameter(negative="")] = False,
    verify: Annotated[bool, Parameter(negative="")] = False,
    device: Device = "cpu",
    gpus_per_actor: float = 0,
) -> int:
    """Recognise all recordings of an archive and write the results as Parquet files.

    OUT then contains files/ (one row per recording, also for one that cannot be read), segments/
    (one row per segment) and, when all are done, _SUCCESS.

    Parameters
    ----------
    source:
        Folder, glob, table with a column path (CSV, TSV, Parquet), tar shards, or URL of fsspec.
    out:
        Folder for the results; every worker must have access to it.
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
    track:
        Audio track of files that have several, from 1 on; by default the default track of the file,
        else the first.
    speakers:
        "column": a speaker of the table's column speaker, if it has one, is standardised by the
        statistics of all recordings of that speaker in a part of the job. A number of speakers
        on each channel, or "auto" to estimate it: utterances name their speaker (diarisation).
    resume:
        Resume the job in OUT if one has begun there; otherwise start it. Local recordings that
        changed since are recognised again.
    verify:
        Only check that OUT is complete: one row for each input, all by the same model.
    gpus_per_actor:
        (ray) GPUs that each actor asks for, together with --device cuda; 0.25 lets four actors
        share one.
    """
    from ..batch import engines
    from ..batch import job as jobs
    from ..inference.speakers import MOST
    from ..nn.bundled import model_folder
    from ..nn.checkpoint import load_checkpoint, require_classes
    from ..nn.devices import device_named

    if verify:
        _say_counts(jobs.verify(out))
        return 0
    if isinstance(speakers, int) and not 1 <= speakers <= MOST:
        raise AffektError(f"--speakers {speakers}: give a number from 1 to {MOST}, auto or column")
    if not source or workers < 1:
        raise AffektError(
            "batch needs a source and at least one worker: affekt batch FOLDER --out DIR"
        )
    if gpus_per_actor and (engine != "ray" or device == "cpu" or gpus_per_actor < 0):
        raise AffektError("--gpus-per-actor is a positive number with --engine ray --device cuda")
    if engine == "local":
        device_named(device)  # raises before anything starts
    folder = model_folder(model)
    checkpoint = load_checkpoint(folder)
    require_classes(checkpoint.name, checkpoint.dimensions, "affekt batch")
    name, model_hash = checkpoint.name, jobs.hash_model(folder)
    if resume and jobs.has_begun(out):
        job = jobs.resume_job(out, source, model_hash, hop, track, speakers)
    else:
        job = jobs.start_job(out, source, name, model_hash, hop, track, speakers)
    if job.left_out:
        say(job.left_out)
    changed = jobs.changed_parts(out, job)
    if again := [one.file for part in changed.values() for one in part]:
        say(
            f"{counted(len(again), 'recording')} changed since they were recognised, and are "
            f"recognised again; the first: {again[0]}"
        )
    parts = sorted({*jobs.missing_parts(out, job), *changed})
    say(
        f"{counted(job.files, 'recording')} in {counted(job.parts, 'part')}; parts to be "
        f"recognised: {len(parts)}"
    )
    if parts:
        (out / jobs.SUCCESS).unlink(missing_ok=True)
        arguments = (out, str(folder.absolute()), job, parts, workers, device)
        if engine == "ray":
            results = engines.run_on_ray(*arguments, address=address, gpus_per_actor=gpus_per_actor)
        else:
            results = engines.run_locally(*arguments)
        errors = 0
        with progress() as report:
            for done, part in enumerate(results, 1):
                errors += part.errors
                report(Event(f"parts done, {counted(errors, 'error')}", done, len(parts)))
    counts = jobs.finish(out)
    _say_counts(counts)
    if counts["errors"]:
        complain(
            f"not readable: {counts['errors']} of {counted(int(counts['files']), 'recording')}; "
            "the column error says why"
        )
    return 0


def _say_counts(counts: dict[str, int | float]) -> None:
    minutes = counts["seconds"] / 60
    duration = f"{minutes:.1f} minutes" if minutes < 60 else f"{minutes / 60:.1f} hours"
    say(
        f"complete: {counted(int(counts['files']), 'recording')}, {counts['errors']} with an "
        f"error, {counted(int(counts['segments']), 'segment')}, {duration} of audio"
    )
