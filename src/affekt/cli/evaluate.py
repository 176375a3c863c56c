"""``affekt evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config
from ..errors import AffektError
from .app import Cache, Recipe, Settings, Source, app, console, progress, settings, tell_notes

if TYPE_CHECKING:
    from ..corpora.corpus import Corpus
    from ..run_result import RunResult


@app.command
def evaluate(
    source: Source,
    *,
    out: Path,
    recipe: Recipe = None,
    cache: Cache = None,
    system: str = "default",
    test: str | None = None,
    leave_out: list[str] | None = None,
    train_only: list[str] | None = None,
    model: str | None = None,
    predictions: Path | None = None,
    workers: int = 1,
    config: Settings = Config(),
) -> None:
    """Score a system on unseen speakers: folds by speaker, several seeds, nested selection.

    With --model or --predictions nothing is trained: an existing model, or the predictions of any
    tool, are scored on the corpus.

    Parameters
    ----------
    out:
        New folder for metrics.json, predictions.parquet and confusion.png; an unfinished
        evaluation in it is resumed.
    system:
        System of the study, such as egemaps-svm; an unknown name lists all.
    test:
        Another corpus: train on the source and test on this one, on the classes that both have.
    leave_out:
        Further corpora: each corpus is tested in turn by a model trained on all others.
    train_only:
        (leave-out) Further corpora to train on that are not tested.
    model:
        Score this model without training: name of a bundled model, or a model folder.
    predictions:
        Score the predictions in this table (CSV, TSV, JSON lines, Parquet) without training:
        columns path and label, and where known prob_CLASS and seed; a row for each clip.
    workers:
        Number of processes; each runs whole folds.
    """
    from ..corpora.combine import across, leave_one_corpus_out
    from ..corpora.registry import load_corpus
    from ..evaluation.runner import evaluate as run
    from ..evaluation.systems.registry import Maker, configured, title
    from ..nn.encoders.weights import cache_folder

    chosen = configured(system, settings(recipe, config))
    if test and leave_out:
        raise AffektError("give --test for one corpus or --leave-out for several, not both")
    if train_only and not leave_out:
        raise AffektError("--train-only needs --leave-out: it is trained on whichever is left out")
    if model or predictions:
        if test or leave_out or (model and predictions) or system != "default":
            raise AffektError(
                "--model or --predictions alone: nothing is trained, so --system, --test and "
                "--leave-out have no effect"
            )
        scored = _existing(load_corpus(source, chosen.labels), model, predictions, chosen, out)
        _show(scored, out)
        return
    if test:
        corpus = across(source, test, chosen.labels)
    elif leave_out:
        corpus = leave_one_corpus_out([source, *leave_out], chosen.labels, train_only or [])
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
    _show(metrics, out)


def _existing(
    corpus: "Corpus", model: str | None, predictions: Path | None, config: Config, out: Path
) -> "RunResult":
    """Score without training.

    Args:
        corpus: What is tested.
        model: Name of a bundled model, or a model folder.
        predictions: A table, where there is no `model`.
        config: Settings.
        out: New folder.
    """
    from ..evaluation.existing import evaluate_model, evaluate_predictions

    if predictions:
        return evaluate_predictions(corpus, predictions, config, out)
    with progress() as report:
        return evaluate_model(corpus, str(model), config, out, report=report)


def _show(result: "RunResult", out: Path) -> None:
    """Print the scores and notes, and draw the confusion matrix."""
    from ..report.console import score_table
    from ..report.figures import charts

    heading = f"{result.corpus.name}: UAR {result.UAR:.3f}, {result.seeds} seeds pooled"
    if result.existing:
        heading = f"{result.corpus.name}: UAR {result.UAR:.3f}"
    heading += f"\n{result.title}"
    charts.save(charts.confusion(**dict(result.confusion), title=heading), out / "confusion.png")
    console().print(score_table(result))
    tell_notes(result)
    print(f"results: {out}")
