"""``affekt predict``."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from ..progress import Event, Report, silent
from .app import Device, app, complain, console, progress, save, say
from .files import recordings
from .files import sources as opened
from .normalisation import read_normalisation
from .target import Target, named

if TYPE_CHECKING:
    from ..inference.utterances import Decoded
    from ..report.figures.outline import Outline
    from ..types import Prediction

RECOGNISED = "seconds recognised"


@app.command
def predict(
    *files: str,
    model: str = "default",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    out: Path | None = None,
    plot: Path | None = None,
    normalisation: str = "speaker",
    speakers: Literal["auto"] | int = 1,
    channels: Literal["mean", "split"] = "mean",
    hop: float = 0.24,
    track: int | None = None,
    device: Device = "cpu",
) -> int:
    """Recognise the emotion of recordings.

    A recording is recognised utterance by utterance while it is decoded; pauses have no emotion.
    With --json each utterance is an object of its own.

    Parameters
    ----------
    files:
        Recordings, folders of them, patterns such as "calls/*.wav", or "-" for standard input.
        wav, flac, ogg, opus, mp3, aiff; m4a, mp4, webm, avi with the extra media.
    model:
        Name of a bundled model, or a model folder.
    as_json:
        Print one JSON object a line.
    out:
        Write a file in place of printing; its suffix tells the format: .jsonl, .csv, .rttm and
        .audformat (a folder) of all recordings together; .srt, .vtt, .TextGrid (Praat) and .eaf
        (ELAN) of each, to whose name that of the recording is added if there are several.
    plot:
        Picture of waveform, log-mel, emotion over time and attention (png, pdf, svg). With several
        files or channels the name of each is added.
    normalisation:
        "speaker": each recording (or channel) is standardised by its own statistics, which count
        more the longer it is; "shared": all by their common statistics, as recordings of one
        speaker or domain; "none"; or a statistics file of "affekt adapt --unlabelled".
    speakers:
        Number of speakers on each channel, or "auto" to estimate it. Above 1, each utterance names
        its speaker (diarisation) and is standardised by the statistics of that speaker; this takes
        longer.
    channels:
        "split" recognises each channel separately, as for a call with one party on each.
    hop:
        Largest distance between two points of the timeline, in seconds.
    track:
        Audio track of files that have several, from 1 on; by default the default track of the file,
        else the first.
    """
    if not files:
        raise AffektError("predict needs a recording: affekt predict call.wav")
    from ..inference.pipeline import recognise_files, shared_statistics
    from ..inference.recognizer import load
    from ..inference.speakers import MOST
    from ..inference.utterances import Options
    from ..nn.checkpoint import require_classes

    split = channels == "split"
    if speakers != "auto" and not 1 <= speakers <= MOST:
        raise AffektError(f"--speakers {speakers}: give a number from 1 to {MOST}, or auto")
    try:
        recognizer = load(model, hop, device=device)
    except ValueError as error:
        raise AffektError(str(error)) from error
    if plot or (out and out.suffix.lower() not in (".jsonl", ".csv")):
        require_classes(recognizer.name, recognizer.dimensions, "--plot or an --out of this format")
    if plot:
        from ..report.figures.charts import kind_of

        kind_of(plot)  # refuse a wrong suffix before any work
    names = recordings(files)
    target = Target(out, names) if out else None
    sources = opened(names)
    chosen = read_normalisation(normalisation, "shared", ("speaker", "shared", "none"))
    if chosen == "shared":
        chosen = shared_statistics(recognizer, sources, track=track)
    printer = _Printer(names, as_json, target, plot)
    options = Options(split, chosen, speakers, observe=printer.observe, track=track)
    failed = 0
    with progress() as report:
        printer.report = report
        results = recognise_files(recognizer, sources, options)
        for index, own in groupby(results, key=itemgetter(0)):
            failed += not printer.recording(index, (result for _, result in own))
    if target:
        target.write()
    if failed < len(names):
        say(f"{recognizer.name}: {recognizer.intended_use}")
        say(f"license: {recognizer.license}")
    return 2 if failed else 0


class _Printer:
    """Prints, writes and draws predictions as they come.

    Args:
        files: The recordings.
        as_json: Print JSON objects.
        target: Write files in place of printing.
        plot: Draw a picture of each recording.
    """

    def __init__(
        self, files: Sequence[str], as_json: bool, target: Target | None, plot: Path | None
    ) -> None:
        self.files, self.as_json, self.target, self.plot = files, as_json, target, plot
        self.report: Report = silent
        self.duration = 0.0
        self.alone = False  # whether the recording is one utterance
        self.outlines: dict[tuple[int, int], Outline] = {}
        self.pictures: list[Path] = []

    def observe(self, block: "Decoded") -> None:
        """Keep what a picture needs of a decoded block."""
        self.duration = block.duration
        if self.plot:
            from ..report.figures.outline import Outline

            self.outlines.setdefault((block.recording, block.channel), Outline()).push(block.wave)

    def recording(self, index: int, results: "Iterable[Prediction | AudioError]") -> bool:
        """Show what was recognised in one recording; whether it could be read."""
        file, predictions = self.files[index], list["Prediction"]()
        for result in results:
            if isinstance(result, AudioError):
                complain(result)
                if self.target:
                    self.target.drop(file)
                return False
            if not predictions:
                told_apart = result.channel or result.speaker
                self.alone = result.file_duration is not None and not told_apart
            if not self.alone:
                self._utterance(result, first=not predictions)
            else:
                self._show(result)
            predictions.append(result if self.plot else replace(result, segments=[]))
        if not self.alone:  # what follows the last utterance is silence
            end = round(predictions[-1].file_duration or self.duration)
            self.report(Event(RECOGNISED, end, end))
        self._warn(predictions)
        if self.plot:
            self._draw(index, predictions)
        return True

    def _utterance(self, prediction: "Prediction", *, first: bool) -> None:
        from ..sanitise import printable

        if first and len(self.files) > 1 and not (self.as_json or self.target):
            console().print(printable(prediction.file), style="bold", markup=False)
        self._show(prediction)
        end = prediction.start + prediction.duration
        self.report(Event(RECOGNISED, round(end), round(max(end, self.duration))))

    def _show(self, prediction: "Prediction") -> None:
        from ..report.console import prediction_view, utterance_line

        if self.target:
            self.target.take(prediction)
        elif self.as_json:
            print(json.dumps(prediction.to_dict(), ensure_ascii=False), flush=True)
        else:
            console().print((prediction_view if self.alone else utterance_line)(prediction))

    def _warn(self, predictions: "Sequence[Prediction]") -> None:
        """Warnings of the file, each once, and the number of utterances with any other."""
        name, warnings = predictions[0].file, [w for p in predictions for w in p.warnings]
        if self.alone:
            for warning in warnings if self.target else ():  # elsewhere they are in the result
                complain(f"{name}: {warning}")
            return
        for warning in dict.fromkeys(w for w in warnings if w.of_file):
            complain(f"{name}: {warning}")
        for code, count in Counter(w.code for w in warnings if not w.of_file).items():
            complain(f"{name}: {code}: {count} utterance{'s' if count > 1 else ''}")

    def _draw(self, index: int, predictions: "Sequence[Prediction]") -> None:
        from ..report.figures.timeline import recognition

        split = any(p.channel for p in predictions)
        for channel in sorted(c for i, c in self.outlines if i == index):
            outline = self.outlines.pop((index, channel))
            path = cast(Path, self.plot)
            if len(self.files) > 1:
                path = named(path, predictions[0].file, self.pictures)
            if split:
                path = path.with_stem(f"{path.stem}-channel{channel + 1}")
            self.pictures.append(path)
            own = [p for p in predictions if p.channel in (0, channel + 1)]
            save(recognition(own, outline), path)
