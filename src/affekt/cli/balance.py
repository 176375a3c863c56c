"""``affekt balance``: segments of each class before training."""

from pathlib import Path

from ..config import Config
from ..errors import AffektError
from ..recipe import settings_with
from .app import (
    Recipe,
    Settings,
    Source,
    app,
    console,
    progress,
    save,
    say_audio_warnings,
)


@app.command
def balance(
    source: Source,
    *,
    recipe: Recipe = None,
    plot: Path | None = None,
    config: Settings = Config(),
) -> None:
    """Show the balance plan of a corpus and the number of segments of each class.

    Parameters
    ----------
    plot:
        Write a figure of the plan and the numbers (the paper's Figures 2 and 3).
    """
    from ..corpora.registry import load_corpus
    from ..report.console import balance_table
    from ..training.balance import summarise
    from ..training.clips import audio_warnings, load_clips

    chosen = settings_with(recipe, config)
    corpus = load_corpus(source, chosen.labels, chosen.target_columns).training()
    if corpus.dimensions:
        raise AffektError("dimensions have no classes to balance")
    with progress() as report:
        clips = load_clips(corpus.examples, report)
    summary = summarise(chosen.balance.plan, [(c.label, c.seconds) for c in clips])
    console().print(f"balance plan {chosen.balance.plan}", highlight=False)
    console().print(balance_table(summary))
    say_audio_warnings(audio_warnings(clips))
    if plot:
        from ..report.figures import charts

        save(charts.balance(summary, f"{corpus.name}, plan {chosen.balance.plan}"), plot)
