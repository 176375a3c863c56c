"""``affekt study`` and ``affekt report``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..config import Config
from ..errors import AffektError
from ..evaluation.systems.registry import SYSTEMS, configured
from .app import Cache, Recipe, Settings, Source, app, console, progress, say, say_notes, settings

Language = Annotated[
    Literal["en", "zh"], Parameter(name="--lang", help="Language of the page: English or Chinese.")
]
Systems = Annotated[
    str,
    Parameter(
        help=f"Names with commas between them: {', '.join(SYSTEMS)}. Unless given, all that are "
        'fast; "all" takes hours.'
    ),
]
Workers = Annotated[int, Parameter(help="Processes, each with folds of its own.")]


@app.command
def study(
    source: Source,
    *,
    out: Path,
    systems: Systems = "",
    folds: Path | None = None,
    workers: Workers = 1,
    recipe: Recipe = None,
    cache: Cache = None,
    lang: Language = "en",
    config: Settings = Config(),
) -> None:
    """Score several systems on the same folds and report on them. Run again, it goes on.

    Parameters
    ----------
    out:
        Folder of the study: a folder for each system, and report.html, .md and .csv.
    folds:
        Folds of others, in place of folds by speaker; see affekt evaluate --folds.
    """
    from ..corpora.combine import corpus_with_folds
    from ..evaluation.results import load_run
    from ..evaluation.study import chosen_systems, run_study
    from ..nn.encoders.weights import cache_folder
    from ..report.console import study_table
    from ..report.page import study_page, write_page

    chosen = settings(recipe, config)
    names = {name: configured(name, chosen) for name in chosen_systems(systems)}
    corpus = corpus_with_folds(source, chosen.labels, folds=folds)
    embeddings = cache or cache_folder() / "vectors"
    with progress() as report:
        folders = run_study(corpus, names, out, embeddings, workers, report)
    runs = [load_run(folder) for folder in folders]
    console().print(study_table([(run.title, run.metrics) for run in runs]))
    say_notes(runs[0].metrics)
    for path in write_page(study_page(runs, lang), out / "report.html"):
        print(path)


@app.command
def report(
    *runs: Path,
    html: Path = Path("report.html"),
    lang: Language = "en",
) -> None:
    """Report on finished runs over the same corpus: scores, tests, confusions, curves.

    Parameters
    ----------
    runs:
        Folders that evaluate or study wrote.
    html:
        Where to write the page; Markdown and CSV are written beside it.
    """
    from ..evaluation.results import load_run
    from ..report.page import study_page, write_page

    if not runs:
        raise AffektError("report needs a run: affekt report runs/mine")
    page = study_page([load_run(run) for run in runs], lang)
    for path in write_page(page, html):
        say(f"written: {path}")
