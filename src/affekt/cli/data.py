"""``affekt data``: list, check and download corpora."""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from ..errors import CorpusError
from .app import Labels, Source, app, console, progress, say

if TYPE_CHECKING:
    from ..evaluation.audit.corpus_check import Check

data = App(name="data", help="List, check and download corpora.")
app.command(data)


@data.command(name="list")
def list_() -> None:
    """List the published corpora that affekt reads in their owner's layout."""
    from ..corpora.registry import CORPORA
    from ..report.corpora import known_list

    console().print(known_list(CORPORA))


@data.command
def check(source: Source, *, labels: Labels = None) -> int:
    """Check a corpus for faults that invalidate a score; exit 1 if one is serious.

    It compares the number of clips with the published one, lists unreadable and repeated
    recordings, silence, clipping, sampling rates and classes by speaker, and measures how well the
    speaker, the length or the level of a clip alone predicts its class.

    Parameters
    ----------
    labels:
        Rename or merge classes (--labels.furious anger); "" leaves a class out.
    """
    from ..corpora.registry import load_corpus
    from ..evaluation.audit.corpus_check import check as check_corpus
    from ..report.corpora import check_view

    corpus = load_corpus(source, labels)
    with progress() as report:
        found: Check = check_corpus(corpus, report)
    console().print(check_view(found))
    return 1 if found.serious else 0


@data.command
def get(name: str, *, out: Path = Path()) -> None:
    """Download a corpus if its owner offers it freely; otherwise print how to obtain it.

    Parameters
    ----------
    name:
        Name of the corpus in affekt data list.
    out:
        Folder of the download. An interrupted download resumes.
    """
    from ..corpora.download import get as fetch
    from ..corpora.registry import CORPORA

    if name not in CORPORA:
        raise CorpusError(f"{name}: not a known corpus; choose one of {', '.join(CORPORA)}")
    known = CORPORA[name]
    say(f"license: {known.license}")
    if not known.downloads:
        raise CorpusError(f"{name}: cannot be downloaded by a program. {known.obtain}")
    for download in known.downloads:
        say(f"from {download.url}" + ("" if download.md5 else " (no checksum published)"))
        with progress() as report:
            path = fetch(download, out, report)
        print(f"{path}: unpack it, then give the corpus as {name}:FOLDER")
