"""``affekt data``: which corpora are known, what one holds, how to get it."""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from ..errors import CorpusError
from .app import Source, app, console, progress, say

if TYPE_CHECKING:
    from ..evaluation.audit.corpus_check import Check

data = App(name="data", help="Which corpora are known, what one holds, how to get it.")
app.command(data)


@data.command(name="list")
def list_() -> None:
    """List the published corpora that affekt reads in their owner's layout."""
    from ..corpora.registry import CORPORA
    from ..report.corpora import known_list

    console().print(known_list(CORPORA))


@data.command
def check(source: Source) -> int:
    """Look at a corpus before trusting a number from it; exit 1 if something is serious.

    Counts against the official ones, unreadable and double recordings, silence, clipping,
    sampling rates, classes by speaker, and how far the speaker, the length or the level of a
    clip alone tell its class.
    """
    from ..corpora.registry import load_corpus
    from ..evaluation.audit.corpus_check import check as look
    from ..report.corpora import check_view

    corpus = load_corpus(source)
    with progress() as report:
        found: Check = look(corpus, report)
    console().print(check_view(found))
    return 1 if found.serious else 0


@data.command
def get(name: str, *, out: Path = Path()) -> None:
    """Fetch a corpus that its owner offers freely, or say how to ask for it.

    Parameters
    ----------
    name:
        As in affekt data list.
    out:
        Folder to fetch into. A broken download goes on where it ended.
    """
    from ..corpora.download import get as fetch
    from ..corpora.registry import CORPORA

    if name not in CORPORA:
        raise CorpusError(f"{name}: not a known corpus; known are {', '.join(CORPORA)}")
    known = CORPORA[name]
    say(f"terms: {known.license}")
    if not known.downloads:
        raise CorpusError(f"{name}: cannot be fetched by a program. {known.obtain}")
    for download in known.downloads:
        say(f"from {download.url}" + ("" if download.md5 else " (its owner states no checksum)"))
        with progress() as report:
            path = fetch(download, out, report)
        print(f"{path}: unpack it, then use {name}:FOLDER")
