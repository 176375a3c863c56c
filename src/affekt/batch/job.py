"""Jobs of batch inference: start, resume, verify, finish."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from .. import __version__
from ..atomic import new_folder, write
from ..audio.listing import LeftOut
from ..audio.source import shown
from ..errors import AffektError
from ..inference.speakers import SpeakerCount
from ..nn.encoders.hashing import file_hash
from ..plural import counted
from ..run_manifest import check_same_run
from .inputs import Input, number_of_parts, read_part, write_inputs
from .part import changed_recordings, part_files

BatchSpeakers = Literal["column"] | SpeakerCount
LIST, JOB, SUCCESS = "inputs.parquet", "job.json", "_SUCCESS"


@dataclass(frozen=True)
class Job:
    """What a job computes: the content of ``job.json``, written when the job is started.

    Attributes:
        source: Folder, glob, table, tar or URL of the recordings.
        model: Name of the model.
        model_hash: Hash of the files of the model.
        hop: Largest distance between two points of the timeline, in seconds.
        files: Number of recordings.
        parts: Number of parts.
        affekt: Version that started the job.
        left_out: Note about files of the source that are not recordings, or "".
        track: Audio track of the recordings, as of `Decoder`.
        speakers: "column" for those of the table, if it has them; or the number of voices of each
            channel, which are told apart, or "auto".
    """

    source: str
    model: str
    model_hash: str
    hop: float
    files: int
    parts: int
    affekt: str = __version__
    left_out: str = ""
    track: int | None = None
    speakers: BatchSpeakers = "column"


def hash_model(folder: Path) -> str:
    """Hash a model folder: 16 hexadecimal digits."""
    return file_hash(folder / "config.json", folder / "model.safetensors")[:16]


def start_job(
    out: Path,
    source: str,
    model: str,
    model_hash: str,
    hop: float,
    track: int | None = None,
    speakers: BatchSpeakers = "column",
) -> Job:
    """Start a job in an empty folder and write the list of its recordings.

    Args:
        out: New or empty folder, or one in which a start was killed.
        source: See `Job`.
        model: See `Job`.
        model_hash: See `Job`.
        hop: See `Job`.
        track: See `Job`.
        speakers: See `Job`.

    Raises:
        AffektError: The folder is not empty, or there are no recordings.
    """
    _clear(out)
    new_folder(out)
    left_out = LeftOut()
    files = write_inputs(source, out / LIST, left_out, speakers=speakers == "column")
    parts, note = number_of_parts(out / LIST), left_out.note()
    further: dict[str, Any] = {"left_out": note, "track": track, "speakers": speakers}
    job = Job(shown(source), model, model_hash, hop, files, parts, **further)
    write(out / JOB, json.dumps(asdict(job), indent=2, ensure_ascii=False) + "\n")
    return job


def _clear(out: Path) -> None:
    """Delete what a job leaves that was killed before it had begun: its list, temporary files."""
    left = list(out.iterdir()) if out.is_dir() else []
    if all(
        p.name == LIST or (p.name[0] == "." and p.suffix in (".parquet", ".json")) for p in left
    ):
        for path in left:
            path.unlink()


def has_begun(out: Path) -> bool:
    """Whether a folder contains a job, be it complete or not."""
    return (out / JOB).exists()


def load_job(out: Path) -> Job:
    """Read ``job.json`` of a job.

    Raises:
        AffektError: The folder contains no job.
    """
    try:
        return Job(**json.loads((out / JOB).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise AffektError(f"{out}: no job of affekt batch here ({error})") from error


def resume_job(
    out: Path,
    source: str,
    model_hash: str,
    hop: float,
    track: int | None = None,
    speakers: BatchSpeakers = "column",
) -> Job:
    """Read a job that is to be resumed.

    Args:
        out: Folder of the job.
        source: See `Job`; it must be that of the job, as must model and hop.
        model_hash: See `Job`.
        hop: See `Job`.
        track: See `Job`.
        speakers: See `Job`.

    Raises:
        AffektError: The folder contains no job, or one with another source, model or hop.
    """
    job = load_job(out)
    stored = {"source": job.source, "model": job.model_hash, "hop": job.hop, "track": job.track}
    current = {"source": shown(source), "model": model_hash, "hop": hop, "track": track}
    stored["speakers"], current["speakers"] = job.speakers, speakers
    check_same_run(out, stored, current, "job")
    return job


def missing_parts(out: Path, job: Job) -> list[int]:
    """Numbers of the parts that are not complete."""
    return [part for part in range(job.parts) if not part_files(out, part)[0].exists()]


def changed_parts(out: Path, job: Job) -> dict[int, list[Input]]:
    """Numbers of the complete parts with recordings that changed since, and these.

    Raises:
        AffektError: A tar shard changed.
    """
    complete = set(range(job.parts)) - set(missing_parts(out, job))
    found = {p: changed_recordings(read_part(out / LIST, p), out, p) for p in sorted(complete)}
    return {part: changed for part, changed in found.items() if changed}


def verify(out: Path) -> dict[str, int | float]:
    """Check that every input has exactly one row, which the model of the job computed.

    Returns:
        Numbers of files, errors and segments, and seconds of audio.

    Raises:
        AffektError: A row is missing, repeated or of another model, or a file is damaged.
    """
    job = load_job(out)
    if missing := missing_parts(out, job):
        raise AffektError(
            f"{out}: {len(missing)} of {counted(job.parts, 'part')} missing; use --resume"
        )
    counts: dict[str, int | float] = {"files": 0, "errors": 0, "segments": 0, "seconds": 0.0}
    inputs = pq.ParquetFile(out / LIST)
    for part in range(job.parts):
        files, segments = part_files(out, part)
        try:
            rows, points = pq.read_table(files), pq.read_table(segments)
        except (OSError, pa.ArrowException) as error:
            raise AffektError(f"{files}: damaged ({error}); delete it and use --resume") from error
        expected = inputs.read_row_group(part, columns=["index", "file"])
        if rows.select(["index", "file"]) != expected:
            raise AffektError(
                f"{files}: its rows do not match the inputs; delete it and use --resume"
            )
        if set(rows["hash"].to_pylist()) - {job.model_hash}:
            raise AffektError(f"{files}: of another model; delete it and use --resume")
        if set(points["index"].to_pylist()) - set(rows["index"].to_pylist()):
            raise AffektError(
                f"{segments}: has segments of other files; delete it and {files}, use --resume"
            )
        counts["files"] += len(rows)
        counts["errors"] += sum(bool(e) for e in rows["error"].to_pylist())
        counts["segments"] += len(points)
        counts["seconds"] += sum(rows["duration"].to_pylist())
    return counts


def finish(out: Path) -> dict[str, int | float]:
    """Verify a job and mark it as complete with ``_SUCCESS``.

    Returns:
        See `verify`.

    Raises:
        AffektError: See `verify`.
    """
    counts = verify(out)
    write(out / SUCCESS, json.dumps(counts) + "\n")
    return counts
