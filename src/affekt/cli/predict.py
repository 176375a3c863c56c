"""``affekt predict``."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from .app import app, complain, console, save, say

if TYPE_CHECKING:
    from ..audio import Recording
    from ..recognizer import Heard, Recognizer
    from ..types import Prediction


@app.command
def predict(
    *files: str,
    model: str = "default",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    plot: Path | None = None,
    source_stats: str | None = None,
) -> int:
    """Recognise the emotion of recordings.

    Parameters
    ----------
    files:
        wav, flac, ogg, opus, mp3, aiff; m4a, mp4, webm, avi with the extra media.
    model:
        Name of a bundled model, or a model folder.
    as_json:
        Print one JSON object a line.
    plot:
        Picture of waveform, emotion over time and attention (png, pdf, svg). With several
        files the name of each is added.
    source_stats:
        File from "affekt adapt --unlabelled" with the statistics of where the recordings come
        from; or "auto": take them from these very recordings, which must be of one source.
    """
    if not files:
        raise AffektError("predict needs a recording: affekt predict call.wav")
    from .. import audio
    from ..recognizer import load
    from ..source import load_source

    recognizer = load(model)
    failed = 0
    pictures: list[Path] = []
    heard: dict[str, Heard] = {}
    source = None
    if source_stats == "auto":
        heard = _heard(recognizer, files)
        source = recognizer.source_of(heard.values())
    elif source_stats:
        source = load_source(Path(source_stats))
    for file in files:
        try:
            recording = audio.read(file)
        except AudioError as error:
            failed += 1
            complain(error)
            continue
        clip = heard[file] if file in heard else recognizer.hear([recording])[0]
        prediction = recognizer.tell(clip, source)
        _show(prediction, as_json)
        if plot:
            pictures.append(_named(plot, file, pictures) if len(files) > 1 else plot)
            _picture(prediction, recording, pictures[-1])
    if failed < len(files):
        say(f"{recognizer.name}: {recognizer.note}")
        say(f"terms: {recognizer.terms}")
    return 2 if failed else 0


def _heard(recognizer: "Recognizer", files: Iterable[str]) -> "dict[str, Heard]":
    """All recordings that can be read, encoded: what takes time is not done twice."""
    from .. import audio

    heard = {}
    for file in files:
        with suppress(AudioError):
            [heard[file]] = recognizer.hear([audio.read(file)])
    return heard


def _named(plot: Path, file: str, taken: list[Path]) -> Path:
    """The picture of one of several files; files of the same name are numbered."""
    stem = f"{plot.stem}-{Path(file).stem}"
    path, number = plot.with_stem(stem), 2
    while path in taken:
        path, number = plot.with_stem(f"{stem}-{number}"), number + 1
    return path


def _show(prediction: "Prediction", as_json: bool) -> None:
    if as_json:
        print(json.dumps(prediction.to_dict(), ensure_ascii=False), flush=True)
        return
    from ..report.console import prediction_view

    console().print(prediction_view(prediction))


def _picture(prediction: "Prediction", recording: "Recording", path: Path) -> None:
    from ..report import plots

    save(plots.recognition(prediction, recording.wave), path)
