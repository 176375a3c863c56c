"""``affekt predict``."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from ..progress import Event
from .app import app, complain, console, progress, save, say
from .target import Target, named

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
    most = inf if plot else LONG  # a picture needs the whole
    learn = source_stats == "auto"
    if learn:
        heard = _heard(recognizer, files, most)
        source = recognizer.source_of(heard.values())
    elif source_stats:
        source = load_source(Path(source_stats))
    target = Target(out, files) if out else None
    take = target.take if target else partial(_show, as_json)
    for file in files:
        try:
            decoder = audio.Decoder(file)
            recording = decoder.whole(most)
            if recording is None:
                line = target.take if target else partial(_show, as_json, line=True)
                _long(recognizer.utterances(decoder, source, learn=learn), decoder, line)
                continue
        except AudioError as error:
            failed += 1
            complain(error)
            if target:
                target.drop(file)
            continue
        clip = heard[file] if file in heard else recognizer.hear([recording])[0]
        prediction = recognizer.tell(clip, source)
        take(prediction)
        if plot:
            pictures.append(named(plot, file, pictures) if len(files) > 1 else plot)
            _picture(prediction, recording, pictures[-1])
    if target:
        target.write()
    if failed < len(files):
        say(f"{recognizer.name}: {recognizer.note}")
        say(f"terms: {recognizer.terms}")
    return 2 if failed else 0


def _heard(recognizer: "Recognizer", files: Iterable[str], most: float) -> "dict[str, Heard]":
    """Recordings of at most so many seconds, encoded: what takes time is not done twice."""
    from .. import audio

    heard = {}
    for file in files:
        with suppress(AudioError):
            if recording := audio.Decoder(file).whole(most):
                [heard[file]] = recognizer.hear([recording])
    return heard


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


def _show(as_json: bool, prediction: "Prediction", *, line: bool = False) -> None:
    from ..report.console import prediction_view, utterance_line

    if as_json:
        print(json.dumps(prediction.to_dict(), ensure_ascii=False), flush=True)
    else:
        console().print((utterance_line if line else prediction_view)(prediction))


def _picture(prediction: "Prediction", recording: "Recording", path: Path) -> None:
    from ..report import plots

    save(plots.recognition(prediction, recording.wave), path)
