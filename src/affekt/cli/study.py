"""``affekt study`` and ``affekt report``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..config import Config
from ..errors import AffektError
from ..evaluation.systems.registry import SYSTEMS, configured, require_effect, used_by
from ..recipe import settings_with
from .app import Cache, Recipe, Settings, Source, app, console, progress, say, say_notes

Language = Annotated[
    Literal["en", "zh"], Parameter(name="--lang", help="Language of the page: English or Chinese.")
]
Systems = Annotated[
    str,
    Parameter(
        help=f"Comma-separated names: {', '.join(SYSTEMS)}, or the dotted path of your own. By "
        'default all fast systems; "all" takes hours.'
    ),
]
Workers = Annotated[int, Parameter(help="Number of processes; each runs complete folds.")]


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
    """Evaluate several systems on the same folds and write a report; an interrupted study resumes.

    Parameters
    ----------
    out:
        Folder of the study; it holds a folder for each system, and report.html, .md and .csv.
    folds:
        Folds of others, in place of folds by speaker; see affekt evaluate --folds.
    """
    from ..corpora.combine import corpus_with_folds
    from ..evaluation.results import load_run
    from ..evaluation.study import chosen_systems, run_study
    from ..nn.encoders.weights import cache_folder
    from ..report.console import study_table
    from ..report.page import study_page, write_page

    chosen = settings_with(recipe, config)
    names = chosen_systems(systems)
    used = set[str]().union(*(used_by(name, chosen) for name in names))
    require_effect(config, used, ", ".join(names))
    settings_of = {name: configured(name, chosen) for name in names}
    corpus = corpus_with_folds(source, chosen.labels, folds=folds, columns=chosen.target_columns)
    if corpus.dimensions:
        raise AffektError("a study compares systems of classes; score dimensions by evaluate")
    embeddings = cache or cache_folder() / "vectors"
    with progress() as report:
        folders = run_study(corpus, settings_of, out, embeddings, workers, report)
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
    """Report on finished runs over the same corpus: scores, significance tests, confusion matrices.

    Parameters
    ----------
    runs:
        Folders of finished runs of affekt evaluate or affekt study.
    html:
        File of the page; Markdown and CSV are written to the same folder.
    """
    from ..evaluation.results import load_run, mismatches
    from ..report.i18n import TEXT
    from ..report.page import study_page, write_page

    if not runs:
        raise AffektError("report needs the folder of a run: affekt report runs/mine")
    finished = [load_run(run) for run in runs]
    page = study_page(finished, lang)
    for what in mismatches(finished):
        say(f"note: {TEXT['en'][f'other_{what}']}")
    for path in write_page(page, html):
        say(f"written: {path}")
