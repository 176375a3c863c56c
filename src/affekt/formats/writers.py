"""Writers of predictions in text formats, and the choice of a writer by the suffix of a file.

Names of files and classes are escaped as the format requires; in CSV they cannot be read as
formulas. The formats of annotation tools are in `annotation`.
"""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ..atomic import write, write_folder
from ..errors import AffektError
from ..extras import optional_import
from ..sanitise import csv_text
from ..types import Prediction
from .annotation import Span, elan, spoken, textgrid, utterances


def json_lines(predictions: Sequence[Prediction]) -> str:
    """JSON lines: one object for each prediction, the same as ``predict --json`` prints."""
    return "".join(json.dumps(p.to_dict(), ensure_ascii=False) + "\n" for p in predictions)


def table(predictions: Sequence[Prediction]) -> str:
    """CSV: one row for each prediction."""
    labels = list(predictions[0].probabilities) if predictions else []
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    columns = [
        "file",
        "channel",
        "speaker",
        "start",
        "end",
        "label",
        "confidence",
        "reason",
        "model",
    ]
    shares = (csv_text(f"prob_{label}") for label in labels)
    names = list(dict.fromkeys(name for p in predictions for name in p.dimensions))
    dimensions = (csv_text(f"dim_{name}") for name in names)
    rows.writerow([*columns, *shares, "arousal", "valence", *dimensions, "warnings"])
    for p in predictions:
        texts = (p.file, p.speaker, p.label, p.rejection_reason, p.model)
        file, speaker, label, reason, model = map(csv_text, texts)
        shown: list[float | None] = [p.probabilities[name] for name in labels]
        shown += [p.arousal, p.valence, *map(p.dimensions.get, names)]
        numbers = ["" if value is None else f"{value:.4f}" for value in shown]
        times = f"{p.start:.3f}", f"{p.start + p.duration:.3f}"
        who = file, p.channel or "", speaker
        codes = csv_text(" ".join(warning.code for warning in p.warnings))
        rows.writerow([*who, *times, label, f"{p.confidence:.4f}", reason, model, *numbers, codes])
    return out.getvalue()


def subrip(predictions: Sequence[Prediction]) -> str:
    """SRT subtitles."""
    blocks = (
        f"{i}\n{_clock(s.start, ',')} --> {_clock(s.end, ',')}\n{s.text}\n"
        for i, s in enumerate(_captions(predictions), 1)
    )
    return "\n".join(blocks)


def webvtt(predictions: Sequence[Prediction]) -> str:
    """WebVTT subtitles."""
    blocks = (
        f"{_clock(s.start, '.')} --> {_clock(s.end, '.')}\n{_escaped(s.text)}\n"
        for s in _captions(predictions)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _captions(predictions: Sequence[Prediction]) -> list[Span]:
    captions = []
    for span, p in zip(utterances(predictions), spoken(predictions), strict=True):
        channel = [f"[{p.channel}]"] if p.channel else []
        speaker = [*f"{p.speaker}:".split()] if p.speaker else []
        confidence = [] if p.rejection_reason else [f"{p.confidence:.0%}"]
        words = [*channel, *speaker, *span.text.split(), *confidence]
        captions.append(span._replace(text=" ".join(words)))
    return captions


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    hours, minutes, rest = ms // 3_600_000, ms // 60_000 % 60, ms / 1000 % 60
    return f"{hours:02}:{minutes:02}:{rest:06.3f}".replace(".", point)


def rttm(predictions: Sequence[Prediction]) -> str:
    """Rich Transcription Time Marked; the label is in the field of the orthography.

    The name is that of the speaker, and ``<NA>`` where voices were not told apart.

    Recordings are identified by their names without suffix; those that share one, by their paths
    below the folder that they have in common. Blanks become underscores.
    """
    ids = _recording_ids(list(dict.fromkeys(p.file for p in predictions)))
    return "".join(
        f"SPEAKER {ids[p.file]} {p.channel or 1} {p.start:.3f} {p.duration:.3f} "
        f"{_field(p.label)} <NA> {_field(p.speaker)} "
        f"{p.confidence:.4f} <NA>\n"
        for p in spoken(predictions)
    )


def _field(text: str) -> str:
    """A field of RTTM, which has no blanks."""
    return "_".join(text.split()) or "<NA>"


def _recording_ids(files: Sequence[str]) -> dict[str, str]:
    """Identifiers of recordings by file, each a different one."""
    stems = {file: _field(Path(file).stem) for file in files}
    times = Counter(stems.values())
    shared = [file for file in files if times[stems[file]] > 1]
    common = os.path.commonpath([Path(file).absolute().parent for file in shared] or [Path()])
    ids: dict[str, str] = {}
    for file in [*(f for f in files if times[stems[f]] == 1), *shared]:
        path = os.path.relpath(Path(file).absolute(), common)
        name = unique = stems[file] if times[stems[file]] == 1 else _field(Path(path).as_posix())
        number = 2
        while unique in ids.values():
            unique, number = f"{name}-{number}", number + 1
        ids[file] = unique
    return ids


def database(predictions: Sequence[Prediction], folder: Path) -> None:
    """Write a folder in the format of audformat."""
    from .database import save_database

    write_folder(folder, lambda part: save_database(predictions, part))


TextFormat = Callable[[Sequence[Prediction]], str]
FILE_FOR_ALL: dict[str, TextFormat] = {".jsonl": json_lines, ".csv": table, ".rttm": rttm}
FILE_PER_RECORDING: dict[str, TextFormat] = {
    ".srt": subrip,
    ".vtt": webvtt,
    ".textgrid": textgrid,
    ".eaf": elan,
}
TEXT_FORMATS = FILE_FOR_ALL | FILE_PER_RECORDING
DATABASE = ".audformat"
Writer = Callable[[Sequence[Prediction], Path], None]


def writer(path: Path) -> tuple[Writer, bool]:
    """Choose the format by the suffix of a file.

    Returns:
        A function that writes predictions to a path, and whether the format needs one file for
        each recording.

    Raises:
        AffektError: No format has this suffix.
        MissingExtraError: The format needs a package that is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == DATABASE:
        with optional_import(f"the format {DATABASE}"):
            import audformat  # noqa: F401  # raises before anything is recognised

        return database, False
    if text := TEXT_FORMATS.get(suffix):
        separate = suffix in FILE_PER_RECORDING
        if suffix == ".eaf":
            text = partial(elan, folder=path.absolute().parent)
        return lambda predictions, target: write(target, text(predictions)), separate
    known = ", ".join([*FILE_FOR_ALL, DATABASE, *FILE_PER_RECORDING])
    raise AffektError(f"{path}: no format has this suffix; use one of {known}")
