"""``affekt adapt``."""

from pathlib import Path

from ..errors import AffektError, AudioError
from .app import app, complain, say


@app.command
def adapt(*, unlabelled: Path, out: Path, model: str = "default") -> int:
    """Learn what the recordings of one source have in common; no labels are needed.

    A source is a voice, a microphone, a line, an archive. Its recordings should hold its
    emotions in about their usual shares: what all of them share is taken for the source.

    Parameters
    ----------
    unlabelled:
        Folder of recordings of one source; a minute of speech does, more is better.
    out:
        New file of statistics, for "affekt predict --source-stats".
    model:
        Name of a bundled model, or a model folder: it will understand the statistics, and so
        will every model with the same encoder.
    """
    from .. import audio
    from ..recognizer import load

    if out.exists():
        raise AffektError(f"{out}: exists; choose another name")
    files = sorted(p for p in unlabelled.rglob("*") if p.suffix.lower() in audio.SUFFIXES)
    if not files:
        raise AffektError(f"{unlabelled}: no recordings here")
    recognizer = load(model)
    source = recognizer.source_of([])
    unread = 0
    for file in files:
        try:
            source = recognizer.source_of(recognizer.hear([audio.read(file)]), source)
        except AudioError as error:
            unread += 1
            complain(error)
    if not source.segments:
        raise AffektError(f"{unlabelled}: no speech in {len(files)} recordings")
    source.save(out)
    heard = len(files) - unread
    print(f"source: {out}, {source.segments} segments of {heard} recordings")
    if source.segments < 60:
        say("under half a minute of speech: the statistics say little yet")
    return 2 if unread else 0
