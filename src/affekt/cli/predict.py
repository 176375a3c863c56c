"""``affekt predict``."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from ..files import write
from ..progress import Event
from .app import app, complain, console, progress, save, say

if TYPE_CHECKING:
    from ..audio import Decoder, Recording
    from ..recognizer import Heard, Recognizer
    from ..types import Prediction


@app.command
def predict(
    *files: str,
    model: str = "default",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    out: Path | None = None,
    plot: Path | None = None,
    source_stats: str | None = None,
) -> int:
    """Recognise the emotion of recordings.

    What is longer than half a minute is recognised utterance by utterance, as it is read; with
    --json each is an object of its own.

    Parameters
    ----------
    files:
        wav, flac, ogg, opus, mp3, aiff; m4a, mp4, webm, avi with the extra media.
    model:
        Name of a bundled model, or a model folder.
    as_json:
        Print one JSON object a line.
    out:
        Write a file in place of printing; its suffix tells the format: .jsonl, .csv, .rttm of all
        recordings together; .srt, .vtt, .TextGrid (Praat) and .eaf (ELAN) of each, to whose name
        that of the recording is added if there are several.
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
    from ..recognizer import LONG, load
    from ..source import load_source

    recognizer = load(model)
    failed = 0
    pictures: list[Path] = []
    heard: dict[str, Heard] = {}
    source = None
    learn = source_stats == "auto"
    if learn:
        heard = _heard(recognizer, files)
        source = recognizer.source_of(heard.values())
    elif source_stats:
        source = load_source(Path(source_stats))
    target = Target(out, files) if out else None
    for file in files:
        try:
            decoder = audio.Decoder(file)
            recording = decoder.whole(inf if plot else LONG)
            if recording is None:
                told = recognizer.utterances(decoder, source, learn=learn)
                _long(told, decoder, target.take if target else partial(_line, as_json))
                continue
        except AudioError as error:
            failed += 1
            complain(error)
            if target:
                target.drop(file)
            continue
        clip = heard[file] if file in heard else recognizer.hear([recording])[0]
        prediction = recognizer.tell(clip, source)
        if target:
            target.take(prediction)
        else:
            _show(prediction, as_json)
        if plot:
            pictures.append(_named(plot, file, pictures) if len(files) > 1 else plot)
            _picture(prediction, recording, pictures[-1])
    if target:
        target.write()
    if failed < len(files):
        say(f"{recognizer.name}: {recognizer.note}")
        say(f"terms: {recognizer.terms}")
    return 2 if failed else 0


def _heard(recognizer: "Recognizer", files: Iterable[str]) -> "dict[str, Heard]":
    """The short recordings that can be read, encoded: what takes time is not done twice."""
    from .. import audio
    from ..recognizer import LONG

    heard = {}
    for file in files:
        with suppress(AudioError):
            if recording := audio.Decoder(file).whole(LONG):
                [heard[file]] = recognizer.hear([recording])
    return heard


class Target:
    """The file, or the file for each recording, that ``--out`` asks for.

    Raises:
        AffektError: A file is there already, or no format has its suffix: before any work.
    """

    def __init__(self, out: Path, files: Sequence[str]) -> None:
        from ..report.formats import writer

        self.to_text, self.each = writer(out)
        self.told: dict[Path, list[Prediction]] = {}
        self.path_of: dict[str, Path] = {}
        for file in dict.fromkeys(files):
            single = len(set(files)) == 1 or not self.each
            self.path_of[file] = out if single else _named(out, file, list(self.told))
            self.told[self.path_of[file]] = []
        for path in self.told:
            if path.exists():
                raise AffektError(f"{path}: exists; choose another name")

    def take(self, prediction: "Prediction") -> None:
        """Keep an utterance for its file."""
        self.told[self.path_of[prediction.file]].append(prediction)

    def drop(self, file: str) -> None:
        """A recording that could not be read gets no file of its own."""
        if self.each:
            self.told.pop(self.path_of[file], None)

    def write(self) -> None:
        """Write all files, each whole or not at all."""
        for path, told in self.told.items():
            write(path, self.to_text(told))
            say(f"written: {path}")


def _line(as_json: bool, prediction: "Prediction") -> None:
    from ..report.console import utterance_line

    if as_json:
        _show(prediction, as_json)
    else:
        console().print(utterance_line(prediction))


def _long(
    told: "Iterable[Prediction]", decoder: "Decoder", take: "Callable[[Prediction], None]"
) -> None:
    """Utterances as they are found, with the progress through the file."""
    found = 0
    with progress() as report:
        for prediction in told:
            found += 1
            take(prediction)
            end = prediction.start + prediction.duration
            report(Event("recognised, s", round(end), round(max(end, decoder.promised))))
    for warning in decoder.warnings:
        complain(f"{decoder.name}: {warning}")
    if not found:
        say(f"{decoder.name}: nobody speaks")


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
