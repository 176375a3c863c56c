"""``affekt train``."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..config import Config
from ..errors import AffektError
from ..progress import silent
from .app import Cache, Recipe, Settings, Source, app, progress, say, settings


@app.command
def train(
    source: Source,
    *,
    out: Path,
    others: list[str] | None = None,
    recipe: Recipe = None,
    evaluation: Path | None = None,
    unheard: list[Path] | None = None,
    cache: Cache = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    save_every: int = 500,
    accumulate: int = 1,
    config: Settings = Config(),
) -> int:
    """Train a model on a corpus, less what it marks test. Ctrl-C keeps the best epoch so far.

    Started by torchrun or accelerate launch, its processes share each batch.

    Parameters
    ----------
    out:
        New folder for the model.
    others:
        Further corpora, trained on together with the source.
    evaluation:
        metrics.json of an evaluation with the same corpus and settings, for the card.
    unheard:
        Folder of an evaluation with --others and these settings: the confidence is then calibrated
        on corpora that were left out. Once more for one with protocol.test_normalisation.
    resume:
        Go on with a training to OUT that was killed, if there is one.
    save_every:
        Steps after which a kill loses nothing; each epoch is kept anyway.
    accumulate:
        Pieces in which each process computes its part of a batch: less memory.
    """
    from ..corpora.combine import pool
    from ..nn.encoders.weights import cache_folder
    from ..report.console import printable
    from ..training.distributed import joined
    from ..training.model_folder import train_folder
    from ..training.trainer import Trainer

    chosen = settings(recipe, config)
    if chosen.protocol.paper_protocol:
        raise AffektError("protocol.paper_protocol needs a test fold: it is for evaluate")
    if save_every < 1 or accumulate < 1:
        raise AffektError("--save-every and --accumulate must be positive")
    corpus = pool([source, *(others or [])], chosen.labels)
    cache = cache or cache_folder() / "vectors"
    with (
        joined() as distributed,
        progress() if distributed.first else nullcontext(silent) as report,
    ):
        trained = train_folder(
            corpus,
            chosen,
            out,
            cache=cache,
            evaluation=evaluation,
            unheard=unheard or (),
            trainer=Trainer(report, distributed, accumulate=accumulate),
            save_every=save_every,
            resume=resume,
        )
    if not distributed.first:
        return 0
    if trained.interrupted:
        say(f"interrupted; the best epoch so far is in {out}")
        return 130
    classes = printable(", ".join(trained.labels))
    print(f"model: {out}, classes {classes}; its card is {out / 'README.md'}")
    print(f"try it: affekt predict FILE --model {out}")
    return 0
