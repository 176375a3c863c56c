"""``affekt adapt``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from .app import Cache, app, complain, progress, say

Labels = Annotated[dict[str, str] | None, Parameter(name="--labels")]


@app.command
def adapt(
    source: str | None = None,
    *,
    unlabelled: Path | None = None,
    neutral: Path | None = None,
    out: Path,
    base: Annotated[str, Parameter(name="--from")] = "default",
    labels: Labels = None,
    cache: Cache = None,
) -> int:
    """Fit a model to your own recordings: labelled ones, or unlabelled ones of one source.

    Labelled recordings give a new model with their classes. Unlabelled ones give the statistics
    of their source (a voice, a microphone, a line, an archive): they should hold its emotions
    in about their usual shares, since what all of them share is taken for the source.

    Parameters
    ----------
    source:
        Labelled recordings: manifest (path, label, speaker), a folder, or corpus:FOLDER.
    unlabelled:
        Folder of recordings of one source; a minute of speech does, more is better.
    neutral:
        Folder of recordings of one speaker's neutral voice, where there are no others: emotion is
        then what departs from it. Unlabelled everyday recordings of the speaker do better.
    out:
        New folder for the model; or new file of statistics, for "predict --normalisation".
    base:
        The model to start from: the name of a bundled one, or a model folder.
    labels:
        Rename or merge classes (--labels.furious anger); "" leaves a class out.
    """
    if sum(given is not None for given in (source, unlabelled, neutral)) != 1:
        raise AffektError("give labelled recordings, or a folder with --unlabelled or --neutral")
    if source is not None:
        return _labelled(source, out, base, labels or {}, cache)
    if labels:
        raise AffektError("--labels goes with labelled recordings")
    return _statistics(Path(str(unlabelled or neutral)), out, base, neutral=neutral is not None)


def _labelled(source: str, out: Path, base: str, labels: dict[str, str], cache: Path | None) -> int:
    from ..corpora.registry import load_corpus
    from ..nn.encoders.weights import cache_folder
    from ..report.console import printable
    from ..training.context import TrainingContext
    from ..training.output import adapt_to_folder

    corpus = load_corpus(source, labels)
    with progress() as report:
        context = TrainingContext(report, embedding_cache=cache or cache_folder() / "vectors")
        adapted = adapt_to_folder(corpus, base, out, context)
    classes = printable(", ".join(adapted.checkpoint.labels))
    print(f"model: {out}, classes {classes}; its card is {out / 'README.md'}")
    print(
        f"UAR on held-out {adapted.held_out}: {adapted.before:.3f} before, {adapted.after:.3f} "
        f"after (gain {adapted.gain[0]:+.3f} to {adapted.gain[1]:+.3f}, 95 %)"
    )
    for note in adapted.notes():
        say(note)
    print(f"try it: affekt predict FILE --model {out}")
    return 0


def _statistics(folder: Path, out: Path, base: str, *, neutral: bool) -> int:
    from ..audio import decoding
    from ..inference.recognizer import load

    if out.exists():
        raise AffektError(f"{out}: exists; choose another name")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in decoding.SUFFIXES)
    if not files:
        raise AffektError(f"{folder}: no recordings here")
    recognizer = load(base)
    source = replace(recognizer.statistics_of([]), neutral=neutral)
    unread = 0
    for file in files:
        try:
            source = recognizer.statistics_of(recognizer.encode([decoding.read(file)]), source)
        except AudioError as error:
            unread += 1
            complain(error)
    if not source.segments:
        raise AffektError(f"{folder}: no speech in {len(files)} recordings")
    source.save(out)
    print(f"source: {out}, {source.segments} segments of {len(files) - unread} recordings")
    if source.segments < 60 and not neutral:
        say("under half a minute of speech: the statistics say little yet")
    return 2 if unread else 0
