"""``affekt evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING

from .. import api
from ..config import Config, TestNormalisation
from ..plural import counted
from .app import (
    Cache,
    Recipe,
    Settings,
    Source,
    TrainingDevice,
    app,
    console,
    progress,
    say_notes,
)

if TYPE_CHECKING:
    from ..dimension_result import DimensionResult
    from ..run_result import RunResult


@app.command
def evaluate(
    source: Source,
    *,
    out: Path,
    recipe: Recipe = None,
    cache: Cache = None,
    system: str = "default",
    model: str | None = None,
    predictions: Path | None = None,
    test: str | None = None,
    leave_out: list[str] | None = None,
    train_only: list[str] | None = None,
    folds: Path | None = None,
    normalisations: list[TestNormalisation] | None = None,
    workers: int = 1,
    device: TrainingDevice = "auto",
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
    model:
        Score this model without training: name of a bundled model, a model folder, or an ONNX
        file of affekt export.
    predictions:
        Score the predictions in this table (CSV, TSV, JSON lines, Parquet) without training:
        columns path and label, and where known prob_CLASS and seed; a row for each clip.
    test:
        Another corpus: train on the source and test on this one, on the classes that both have.
    leave_out:
        Further corpora: each corpus is tested in turn by a model trained on all others.
    train_only:
        Further corpora that are trained on in every fold and never tested.
    folds:
        Folds of others, in place of folds by speaker: a table with the columns path, fold and
        part (train, val, test), or EmoBox's folder of the corpus.
    normalisations:
        Test the trained models with each of these (repeat the option) in place of
        --protocol.test-normalisation; the results of each are in a folder of its name in --out.
    workers:
        Number of processes; each runs whole folds.
    """
    with progress() as report:
        result = api.evaluate(
            source,
            out,
            system=system,
            model=model,
            predictions=predictions,
            test=test,
            leave_out=leave_out or (),
            train_only=train_only or (),
            folds=folds,
            normalisations=normalisations or (),
            recipe=recipe,
            config=config,
            workers=workers,
            cache=cache,
            device=device,
            report=report,
        )
    show_result(result, out / normalisations[0] if normalisations else out)
    for further in (normalisations or ())[1:]:
        print(f"results with test normalisation {further}: {out / further}")


def show_result(result: "RunResult | DimensionResult", out: Path) -> None:
    """Print the scores and notes, and draw the confusion matrix of classes."""
    from ..dimension_result import DimensionResult
    from ..report.console import dimension_table, score_table
    from ..report.figures import charts

    if isinstance(result, DimensionResult):
        console().print(dimension_table(result))
        say_notes(result)
        print(f"results: {out}")
        return
    heading = f"{result.corpus.name}: UAR {result.UAR:.3f}"
    if not result.existing:
        heading += f", {counted(result.seeds, 'seed')} pooled"
    heading += f"\n{result.title}"
    charts.save(charts.confusion(**dict(result.confusion), title=heading), out / "confusion.png")
    console().print(score_table(result))
    say_notes(result)
    print(f"results: {out}")
