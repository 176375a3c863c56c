"""A job: its list, its parts, and whether it is complete."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .. import __version__
from ..atomic import new_folder, write
from ..errors import AffektError
from ..nn.encoders.hashing import file_hash
from ..run_manifest import check_same_run
from .inputs import parts, write_list
from .part import shards

LIST, JOB, SUCCESS = "inputs.parquet", "job.json", "_SUCCESS"


@dataclass(frozen=True)
class Job:
    """What was asked for; written once, so that a job that goes on is the same job.

    Attributes:
        source: As it was given.
        model: Name of the model.
        model_hash: Of its files.
        hop: Seconds between the points of a timeline.
        files: How many recordings there are.
        parts: In how many parts.
        affekt: Version.
    """

    source: str
    model: str
    model_hash: str
    hop: float
    files: int
    parts: int
    affekt: str = __version__


def hash_of(folder: Path) -> str:
    """Hash of a model folder: 16 hexadecimal digits."""
    return file_hash(folder / "config.json", folder / "model.safetensors")[:16]


def begin(out: Path, source: str, model: str, model_hash: str, hop: float) -> Job:
    """A new job in an empty folder.

    Raises:
        AffektError: The folder holds something, or there is nothing to score.
    """
    new_folder(out)
    files = write_list(source, out / LIST)
    job = Job(source, model, model_hash, hop, files, parts(out / LIST))
    write(out / JOB, json.dumps(asdict(job), indent=2, ensure_ascii=False) + "\n")
    return job


def load(out: Path) -> Job:
    """A job that was begun.

    Raises:
        AffektError: There is none.
    """
    try:
        return Job(**json.loads((out / JOB).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise AffektError(f"{out}: no job of affekt batch there ({error})") from None


def resumed(out: Path, source: str, model_hash: str, hop: float) -> Job:
    """The job that `begin` began.

    Raises:
        AffektError: There is none, or it is of another source, model or hop.
    """
    job = load(out)
    stored = {"source": job.source, "model": job.model_hash, "hop": job.hop}
    current = {"source": source, "model": model_hash, "hop": hop}
    check_same_run(out, stored, current, "job")
    return job


def missing(out: Path, job: Job) -> list[int]:
    """The parts that are not done."""
    return [part for part in range(job.parts) if not shards(out, part)[0].exists()]


def verify(out: Path) -> dict[str, int | float]:
    """Check that every input has exactly one row, by the one model.

    Returns:
        Counts of files, errors and segments, and seconds of sound.

    Raises:
        AffektError: Something is missing, double, damaged, or of another model.
    """
    job = load(out)
    if left := missing(out, job):
        raise AffektError(f"{out}: {len(left)} of {job.parts} parts are missing; use --resume")
    counts: dict[str, int | float] = {"files": 0, "errors": 0, "segments": 0, "seconds": 0.0}
    inputs = pq.ParquetFile(out / LIST)
    for part in range(job.parts):
        files, segments = shards(out, part)
        try:
            rows, points = pq.read_table(files), pq.read_table(segments)
        except (OSError, pa.ArrowException) as error:
            raise AffektError(f"{files}: damaged ({error}); remove it and use --resume") from None
        expected = inputs.read_row_group(part, columns=["index", "file"])
        if rows.select(["index", "file"]) != expected:
            raise AffektError(f"{files}: its rows are not those of its inputs; remove it")
        if set(rows["hash"].to_pylist()) - {job.model_hash}:
            raise AffektError(f"{files}: scored by another model; remove it")
        if set(points["index"].to_pylist()) - set(rows["index"].to_pylist()):
            raise AffektError(f"{segments}: has segments of other files; remove both shards")
        counts["files"] += len(rows)
        counts["errors"] += sum(bool(e) for e in rows["error"].to_pylist())
        counts["segments"] += len(points)
        counts["seconds"] += sum(rows["duration"].to_pylist())
    return counts


def finish(out: Path) -> dict[str, int | float]:
    """Verify, and say that the job is complete.

    Raises:
        AffektError: It is not.
    """
    counts = verify(out)
    write(out / SUCCESS, json.dumps(counts) + "\n")
    return counts
