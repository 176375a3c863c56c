"""``affekt listen``."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal, cast

from cyclopts import Parameter

from ..errors import AffektError
from ..plural import counted
from .app import app, complain, console, say
from .normalisation import read_normalisation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..inference.speaker_statistics import Normalisation
    from ..types import Prediction, Segment

BLOCK = 0.06  # s read at a time


@app.command
def listen(
    pcm: Annotated[Literal["microphone", "-"], Parameter(allow_leading_hyphen=True)] = "microphone",
    *,
    model: str = "default",
    rate: int = 16_000,
    channels: int = 1,
    samples: Literal["int16", "float32"] = "int16",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    normalisation: str = "speaker",
    hop: float = 0.24,
) -> int:
    """Recognise live speech: a segment every HOP seconds, and each utterance after its end.

    Stop with Ctrl-C.

    Parameters
    ----------
    pcm:
        "microphone" (extra mic), or "-" for standard input: raw PCM, little-endian, or WAV, whose
        header replaces --rate, --channels and --samples.
    model:
        Name of a bundled model, or a model folder.
    rate:
        Sampling rate in Hz.
    channels:
        Number of interleaved channels, which are averaged.
    samples:
        Type of the samples on standard input.
    as_json:
        Print one JSON object per line: {"segment": ...} for each segment, {"utterance": ...} for
        each utterance.
    normalisation:
        "speaker": utterances are standardised by the statistics of those so far; "none"; or a
        statistics file of "affekt adapt --unlabelled".
    hop:
        Seconds from one segment to the next.
    """
    import torch

    from ..audio.pcm import SampleFormat, read_samples
    from ..inference.recognizer import load
    from ..inference.stream import Stream

    if rate < 1 or channels < 1:
        raise AffektError(f"--rate {rate} --channels {channels}: both must be positive")
    screen = _Json() if as_json else _Screen()
    names = ("speaker", "none")
    chosen = cast("Normalisation", read_normalisation(normalisation, "speaker", names))
    if pcm == "microphone":
        blocks = _microphone(rate, channels)
    else:
        given = SampleFormat(samples, rate, channels)
        found, blocks = read_samples(sys.stdin.buffer, given, BLOCK)
        rate = found.sampling_rate
        if found is not given:
            count = counted(found.channels, "channel")
            say(f"WAV on standard input: {found.samples}, {rate} Hz, {count}")
    recognizer = load(model)
    torch.set_num_threads(1)  # a segment is little work; on a busy machine threads only wait
    try:
        stream = Stream(recognizer, rate, hop=hop, ended=screen.utterance, normalisation=chosen)
    except ValueError as error:
        raise AffektError(str(error)) from error
    with screen, suppress(KeyboardInterrupt):
        for block in blocks:
            for segment in stream.push(block):
                screen.segment(segment)
    for segment in stream.close():
        screen.segment(segment)
    say(f"{recognizer.name}: {recognizer.intended_use}")
    say(f"license: {recognizer.license}")
    return 0


def _microphone(rate: int, channels: int) -> "Iterator[NDArray[np.generic]]":
    """Blocks ``(samples, channels)`` without end."""
    try:
        import sounddevice
    except OSError as error:  # the module is installed, but not the library PortAudio
        raise AffektError(f"the microphone cannot be opened: {error}") from error
    try:
        with sounddevice.InputStream(rate, channels=channels, dtype="float32") as microphone:
            say("listening; stop with Ctrl-C")
            while True:
                block, lost = microphone.read(round(BLOCK * rate))
                if lost:
                    complain("samples were lost: this computer is too slow")
                yield block
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AffektError(
            f"the microphone cannot be opened: {error}; raw PCM can be piped: affekt listen -"
        ) from error


class _Json:
    """Prints one JSON object per line."""

    def __enter__(self) -> "_Json":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def segment(self, segment: "Segment") -> None:
        print(json.dumps({"segment": asdict(segment)}, ensure_ascii=False), flush=True)

    def utterance(self, prediction: "Prediction") -> None:
        print(json.dumps({"utterance": prediction.to_dict()}, ensure_ascii=False), flush=True)


class _Screen:
    """Prints a line for each utterance; on a terminal, the current segment is below them."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = console()
        self._live = Live("", console=self._console, auto_refresh=False, transient=True)
        self._warned = False

    def __enter__(self) -> "_Screen":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def segment(self, segment: "Segment") -> None:
        from ..report.console import moment_line

        if self._console.is_terminal:
            self._live.update(moment_line(segment), refresh=True)
        else:
            self._console.print(moment_line(segment))

    def utterance(self, prediction: "Prediction") -> None:
        from ..report.console import utterance_line

        self._console.print(utterance_line(prediction))
        notes = [w for w in prediction.warnings if w.code == "uncalibrated"]
        if notes and not self._warned:
            self._console.print(f"  warning: {notes[0]}", style="yellow")
        self._warned = self._warned or bool(notes)
