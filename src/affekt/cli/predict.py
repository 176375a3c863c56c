"""``affekt predict``."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from ..progress import Event, Report
from .app import app, complain, console, progress, save, say
from .target import Target, named

if TYPE_CHECKING:
    from ..audio.decoding import Decoder
    from ..inference.normalisation import NormalisationStatistics
    from ..inference.recognizer import EncodedRecording, Recognizer
    from ..report.figures.outline import Outline
    from ..types import Prediction


@app.command
def predict(
    *files: str,
    model: str = "default",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    out: Path | None = None,
    plot: Path | None = None,
    source_stats: str | None = None,
    channels: Literal["mean", "split"] = "mean",
    hop: float = 0.24,
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
        Write a file in place of printing; its suffix tells the format: .jsonl, .csv, .rttm and
        .audformat (a folder) of all recordings together; .srt, .vtt, .TextGrid (Praat) and .eaf
        (ELAN) of each, to whose name that of the recording is added if there are several.
    plot:
        Picture of waveform, log-mel, emotion over time and attention (png, pdf, svg). With several
        files or channels the name of each is added.
    source_stats:
        File from "affekt adapt --unlabelled" with the statistics of where the recordings come
        from; or "auto": take them from these very recordings, which must be of one source.
    channels:
        "split": a timeline for each channel, utterance by utterance, as for a call with one party
        on each.
    hop:
        Seconds between two points of the timeline, at most.
    """
    if not files:
        raise AffektError("predict needs a recording: affekt predict call.wav")
    from ..inference.normalisation import load_statistics
    from ..inference.recognizer import load

    try:
        recognizer = load(model, hop)
    except ValueError as error:
        raise AffektError(str(error)) from None
    if plot:
        from ..report.figures.charts import kind_of

        kind_of(plot)  # a wrong suffix is told before any work
    target = Target(out, files) if out else None
    job = _Job(recognizer, as_json, target, plot, many=len(files) > 1, split=channels == "split")
    if source_stats == "auto":
        job.learn_from(files)
    elif source_stats:
        job.source = load_statistics(Path(source_stats))
    failed = 0
    for file in files:
        try:
            job.recognise(file)
        except AudioError as error:
            failed += 1
            complain(error)
            if target:
                target.drop(file)
    if target:
        target.write()
    if failed < len(files):
        say(f"{recognizer.name}: {recognizer.intended_use}")
        say(f"terms: {recognizer.license}")
    return 2 if failed else 0


class _Job:
    """What was asked for, and what is known so far."""

    def __init__(
        self, recognizer: "Recognizer", as_json: bool, target: Target | None, plot: Path | None,
        *, many: bool, split: bool,
    ) -> None:  # fmt: skip
        self.recognizer, self.plot, self.many, self.split = recognizer, plot, many, split
        self.target = target
        self.take = target.take if target else partial(_show, as_json)
        self.take_line = target.take if target else partial(_show, as_json, line=True)
        self.headed = many and not (as_json or target)
        self.source: NormalisationStatistics | None = None
        self.learn = False
        self.encoded: dict[str, EncodedRecording] = {}
        self.pictures: list[Path] = []

    def learn_from(self, files: Iterable[str]) -> None:
        """Take the statistics from the short ones; long ones add theirs as they are read."""
        from ..audio import decoding
        from ..inference.recognizer import LONG

        self.learn = True
        if not self.split:
            for file in files:
                with suppress(AudioError):
                    if recording := decoding.Decoder(file).whole(LONG):
                        [self.encoded[file]] = self.recognizer.encode([recording])
        self.source = self.recognizer.statistics_of(self.encoded.values())

    def recognise(self, file: str) -> None:
        """Tell of one file, and draw it.

        Raises:
            AudioError: It cannot be read as a recording.
        """
        from ..audio import decoding
        from ..inference.recognizer import LONG
        from ..report.figures.outline import Outline

        decoders = decoding.apart(file) if self.split else [decoding.Decoder(file)]
        outlines = [Outline() for _ in decoders] if self.plot else []
        for decoder, outline in zip(decoders, outlines, strict=False):
            decoder.tap = outline.push
        if not self.split and (recording := decoders[0].whole(LONG)):
            clip = self.encoded.get(file) or self.recognizer.encode([recording])[0]
            told = [self.recognizer.classify(clip, self.source)]
            self.take(told[0])
            if self.target:  # what is odd about the recording no format tells
                for warning in told[0].warnings:
                    complain(f"{told[0].file}: {warning}")
        else:
            told = self._utterances(decoders)
        for decoder, outline in zip(decoders, outlines, strict=False):
            own = [p for p in told if p.channel in (0, (decoder.channel or 0) + 1)]
            self._draw(own, outline, decoder)

    def _utterances(self, decoders: "list[Decoder]") -> "list[Prediction]":
        """As they are found, with the progress through the file; kept only for a picture."""
        from ..report.console import printable

        if self.headed:
            console().print(printable(decoders[0].name), style="bold", markup=False)
        kept: list[Prediction] = []
        odd: Counter[str] = Counter()
        parties = (self.recognizer.utterances(d, self.source, learn=self.learn) for d in decoders)
        with progress() as report:
            for prediction in merge(*parties, key=lambda p: p.start):
                self.take_line(prediction)
                odd.update(warning.partition(":")[0] for warning in prediction.warnings)
                if self.plot:
                    kept.append(prediction)
                _report(report, prediction, decoders[0])
        damage = dict.fromkeys(w for d in decoders for w in d.warnings)
        for warning in damage:
            complain(f"{decoders[0].name}: {warning}")
        for kind, count in odd.items():
            if not any(warning.startswith(kind) for warning in damage):
                complain(f"{decoders[0].name}: {kind}: {count} utterances")
        return kept

    def _draw(self, told: "list[Prediction]", outline: "Outline", decoder: "Decoder") -> None:
        from ..report.figures.timeline import recognition

        path = cast(Path, self.plot)
        if self.many:
            path = named(path, decoder.name, self.pictures)
        if decoder.channel is not None:
            path = path.with_stem(f"{path.stem}-channel{decoder.channel + 1}")
        self.pictures.append(path)
        save(recognition(told, outline), path)


def _report(report: Report, told: "Prediction", decoder: "Decoder") -> None:
    end = told.start + told.duration
    report(Event("recognised, s", round(end), round(max(end, decoder.promised))))


def _show(as_json: bool, prediction: "Prediction", *, line: bool = False) -> None:
    from ..report.console import prediction_view, utterance_line

    if as_json:
        print(json.dumps(prediction.to_dict(), ensure_ascii=False), flush=True)
    else:
        console().print((utterance_line if line else prediction_view)(prediction))
