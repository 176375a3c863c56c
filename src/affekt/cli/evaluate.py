"""``affekt evaluate``."""

from pathlib import Path

from ..config import Config
from ..errors import AffektError
from .app import Cache, Recipe, Settings, Source, app, console, progress, settings, tell_notes


@app.command
def evaluate(
    source: Source,
    *,
    out: Path,
    recipe: Recipe = None,
    cache: Cache = None,
    system: str = "default",
    test: str | None = None,
    others: list[str] | None = None,
    also: list[str] | None = None,
    workers: int = 1,
    config: Settings = Config(),
) -> None:
    """Score the system on unheard speakers: folds by speaker, several seeds, nested selection.

    Parameters
    ----------
    out:
        New folder for metrics.json, predictions.parquet and confusion.png; an unfinished one
        is gone on with.
    system:
        Which system of the study, such as egemaps-svm; an unknown one lists all.
    test:
        Another corpus: train on the source, test on this, on the classes that both have.
    others:
        Further corpora: each is tested once by a model that learned from all others.
    also:
        (others) Further corpora that are trained on and not tested.
    workers:
        Processes, each with folds of its own.
    """
    from ..corpora.combine import across, leave_one_corpus_out
    from ..corpora.registry import load_corpus
    from ..evaluation.runner import evaluate as run
    from ..evaluation.systems.registry import Maker, configured, title
    from ..nn.encoders.weights import cache_folder
    from ..report.console import score_table
    from ..report.figures import charts

    chosen = configured(system, settings(recipe, config))
    if test and others:
        raise AffektError("give --test for one corpus or --others to leave one out, not both")
    if also and not others:
        raise AffektError("--also goes with --others: what else to train on when each is left out")
    if test:
        corpus = across(source, test, chosen.labels)
    elif others:
        corpus = leave_one_corpus_out([source, *others], chosen.labels, also or [])
    else:
        corpus = load_corpus(source, chosen.labels)
    embeddings = cache or cache_folder() / "vectors"
    make = Maker(system, chosen, embeddings)
    with progress() as report:
        metrics = run(
            corpus,
            make,
            chosen,
            out,
            system=system,
            title=title(system, chosen),
            workers=workers,
            report=report,
        )
    heading = f"{corpus.name}: UAR {metrics.UAR:.3f}, {metrics.seeds} seeds pooled"
    heading += f"\n{metrics.title}"
    charts.save(charts.confusion(**dict(metrics.confusion), title=heading), out / "confusion.png")
    console().print(score_table(metrics))
    tell_notes(metrics)
    print(f"results: {out}")
