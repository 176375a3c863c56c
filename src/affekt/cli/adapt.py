"""``affekt adapt``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import AffektError, AudioError
from ..plural import counted
from .app import Cache, Labels, app, complain, progress, say
from .files import recordings, sources


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
    """Adapt a model to your own recordings, with or without labels.

    Labelled recordings give a new model with their classes. Unlabelled recordings of one speaker or
    domain (microphone, telephone line, archive) give its normalisation statistics. They should have
    the usual mix of emotions, since the statistics remove what all recordings have in common.

    Parameters
    ----------
    source:
        Labelled recordings: manifest (path, label, speaker), a folder, or corpus:FOLDER.
    unlabelled:
        Folder of unlabelled recordings of one speaker or domain: a minute of speech or more.
    neutral:
        Folder of neutral speech of one speaker; emotions are then deviations from it. Results are
        better with --unlabelled and everyday recordings of the speaker.
    out:
        New folder for the model; or new file of statistics, for "predict --normalisation".
    base:
        Model to adapt: name of a bundled model, or a model folder.
    labels:
        Rename or merge classes (--labels.furious anger); "" leaves a class out.
    """
    if sum(given is not None for given in (source, unlabelled, neutral)) != 1:
        raise AffektError("give one of: labelled recordings, --unlabelled FOLDER, --neutral FOLDER")
    if source is not None:
        return _labelled(source, out, base, labels or {}, cache)
    if labels:
        raise AffektError("--labels is for labelled recordings only")
    return _statistics(Path(str(unlabelled or neutral)), out, base, neutral=neutral is not None)


def _labelled(source: str, out: Path, base: str, labels: dict[str, str], cache: Path | None) -> int:
    """Adapt a model to labelled recordings; see `adapt`.

    Args:
        source: The recordings.
        out: Folder for the new model.
        base: Model to adapt.
        labels: New names by label.
        cache: Folder of the embedding cache.
    """
    from ..corpora.registry import load_corpus
    from ..nn.encoders.weights import cache_folder
    from ..sanitise import printable
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
    print(f"confidence: calibrated on held-out {adapted.held_out} of these recordings")
    print(f"use it: affekt predict FILE --model {out}")
    return 0


def _statistics(folder: Path, out: Path, base: str, *, neutral: bool) -> int:
    """Write the normalisation statistics of unlabelled recordings; see `adapt`.

    Args:
        folder: The recordings.
        out: New file.
        base: Model whose encoder is used.
        neutral: Whether the recordings are neutral speech.
    """
    from ..inference.pipeline import statistics_of_files
    from ..inference.recognizer import load

    if out.exists():
        raise AffektError(f"{out}: exists; choose another name")
    files = recordings([str(folder)])
    recognizer = load(base)
    statistics = recognizer.statistics_of([])
    unread = 0
    for _, found in statistics_of_files(recognizer, sources(files)):
        if isinstance(found, AudioError):
            unread += 1
            complain(found)
        else:
            statistics = found
    if not statistics.segments:
        raise AffektError(f"{folder}: no speech in {counted(len(files), 'recording')}")
    replace(statistics, neutral=neutral).save(out)
    used = counted(len(files) - unread, "recording")
    print(f"statistics: {out}, {counted(statistics.segments, 'segment')} of {used}")
    say("the confidence is not calibrated on these recordings, since they have no labels")
    if statistics.segments < 60 and not neutral:
        say("less than half a minute of speech: the statistics are not reliable yet")
    return 2 if unread else 0
