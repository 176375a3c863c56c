"""``affekt tune``."""

from pathlib import Path

from .. import api
from ..config import Config
from .app import Cache, Recipe, Settings, Source, app, progress
from .evaluate import show_result


@app.command
def tune(
    source: Source,
    *,
    out: Path,
    trials: int = 20,
    space: Path | None = None,
    score: bool = True,
    workers: int = 1,
    recipe: Recipe = None,
    cache: Cache = None,
    config: Settings = Config(),
) -> None:
    """Search settings on validation speakers and write the best as a recipe.

    Test speakers of a fold are never used: the score comes from a search of its own inside the
    training part of each fold. An interrupted search continues when the command is repeated.

    Parameters
    ----------
    out:
        Folder for recipe.toml, the trials (trials.db, an Optuna study) and the score.
    trials:
        Number of trials of each search; a finished search continues with more.
    space:
        TOML file with the settings to search: sections and keys as in a recipe, with a list of
        choices, or {low = 1e-4, high = 1e-2, log = true}, as value.
    score:
        Score the search on unseen speakers, in all folds and seeds.
    workers:
        Number of processes of the score; each runs whole folds.
    """
    with progress() as report:
        result = api.tune(
            source,
            out,
            trials=trials,
            space=space,
            score=score,
            recipe=recipe,
            config=config,
            workers=workers,
            cache=cache,
            report=report,
        )
    found = result.found
    print(f"best of {found.complete} trials, {found.pruned} more stopped early:")
    for key, value in found.values.items():
        print(f"  {key} = {value:.3g}" if isinstance(value, float) else f"  {key} = {value}")
    print(f"recipe: {result.recipe}")
    if result.score:
        print("score of the search on unseen speakers:")
        show_result(result.score, result.score_folder)
