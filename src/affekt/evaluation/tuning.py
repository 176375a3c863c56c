"""Search of settings on a corpus: a recipe, and the score of the search on unseen speakers."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..atomic import write
from ..config import Config
from ..content import hash_value
from ..corpora.corpus import Corpus
from ..dimension_result import DimensionResult
from ..errors import AffektError
from ..extras import optional_import
from ..plural import counted
from ..progress import Report
from ..provenance import identity
from ..run_manifest import start_or_resume
from ..run_result import FILE, RunResult
from ..training.clips import load_clips
from ..training.context import TrainingContext
from ..training.search import Found, Search, search
from ..training.search_space import read_space
from .runner import evaluate
from .systems.tuned import Tuned

with optional_import("a search of settings"):
    import tomli_w

RECIPE = "recipe.toml"
SYSTEM = "affekt.evaluation.systems.tuned:Tuned"


@dataclass(frozen=True)
class Tuning:
    """Result of `affekt.tune`.

    Attributes:
        recipe: File with the settings found, for ``affekt train --recipe``.
        found: The settings and how they were found.
        score: Nested score of the search, if wanted and not finished by an earlier call.
        score_folder: Folder of its files.
    """

    recipe: Path
    found: Found
    score: RunResult | DimensionResult | None
    score_folder: Path


def tune(
    corpus: Corpus,
    config: Config,
    out: Path,
    *,
    trials: int,
    space: Path | None,
    score: bool,
    workers: int,
    cache: Path | None,
    report: Report,
) -> Tuning:
    """Search settings in the training part of a corpus, and score the search in its folds.

    The recipe comes from a search in all of the corpus but its official test part. The score comes
    from a search of its own inside the training part of each fold.

    Args:
        corpus: The corpus.
        config: Settings that are searched from.
        out: Folder of the recipe, the trials and the score; an unfinished search in it continues.
        trials: Number of trials of each search.
        space: File with the settings to search; see `read_space`.
        score: Whether to score the search.
        workers: Number of processes of the score; each runs complete folds.
        cache: Folder of cached embeddings.
        report: Called with each step.

    Raises:
        AffektError: A setting or the space is wrong, or `out` holds something else.
    """
    if trials < 1:
        raise AffektError(f"trials is {trials}; a search needs at least 1")
    if config.protocol.paper_protocol or config.protocol.training_imbalance:
        raise AffektError("a search takes no protocol.paper_protocol or training_imbalance")
    searched = read_space(space, config)
    texts = {key: repr(distribution) for key, distribution in searched.items()}
    own = identity(corpus, config, corpus.audio_hashes()) | {"space": texts}
    start_or_resume(out, own, "search", resume=True)
    plan = Search(config, searched, trials, out / "trials.db")
    clips = load_clips(corpus.training().examples, report)
    context = TrainingContext(report, embedding_cache=cache)
    found = search(clips, plan, context, seed=config.protocol.seed)
    write(out / RECIPE, recipe_text(found))
    result, folder = None, out / f"score-{trials}-trials"
    if score and not (folder / FILE).is_file():
        result = evaluate(
            corpus,
            partial(Tuned, plan, cache),
            config,
            folder,
            system=SYSTEM,
            title=f"Tuned, {counted(trials, 'trial')}",
            workers=workers,
            report=report,
            instance=hash_value([trials, texts]),
        )
    return Tuning(out / RECIPE, found, result, folder)


def recipe_text(found: Found) -> str:
    """The settings found as a recipe."""
    settings = found.config.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return (
        f"# Found by affekt tune: the best of {found.complete} trials, {found.pruned} more were\n"
        f"# stopped early. Loss of the validation speakers {found.loss:.4f}; it chose these\n"
        "# settings, and is too low for other speakers.\n\n" + tomli_w.dumps(settings)
    )
