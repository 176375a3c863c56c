"""``affekt train``."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..config import Config
from ..errors import AffektError
from ..progress import silent
from ..recipe import settings_with
from .app import Cache, Recipe, Settings, Source, TrainingDevice, app, progress, say


@app.command
def train(
    source: Source,
    *,
    out: Path,
    pool: list[str] | None = None,
    recipe: Recipe = None,
    evaluation: Path | None = None,
    calibrate_on: list[Path] | None = None,
    cache: Cache = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    checkpoint_every: int = 500,
    gradient_accumulation_steps: int = 1,
    device: TrainingDevice = "auto",
    tracker: list[Literal["tensorboard", "mlflow"]] | None = None,
    run_name: str = "",
    config: Settings = Config(),
) -> int:
    """Train a model on a corpus, without its official test part.

    Ctrl-C ends the current stage with its best epoch; a second Ctrl-C aborts. Several processes,
    started by torchrun or accelerate launch, train one model together.

    Parameters
    ----------
    out:
        New folder for the model.
    pool:
        Another corpus to train on together with the source; may be repeated.
    evaluation:
        metrics.json of an evaluation with the same corpus and settings, for the model card. Its
        folder also has predictions.parquet, which must give its scores.
    calibrate_on:
        Folder of an evaluation with --leave-out and the same settings: calibrate the confidence
        on corpora that were left out of training. May be repeated, for an evaluation with
        protocol.test_normalisation.
    resume:
        Continue an unfinished training to OUT from its last checkpoint.
    checkpoint_every:
        Write a resume checkpoint every N steps; there is one after each epoch too.
    gradient_accumulation_steps:
        Compute each batch in N parts, one after the other: less memory, the same gradient.
    tracker:
        Record settings, losses and scores of each epoch with this tracker, in the folder tracking
        next to OUT; may be repeated (extra tracking). MLflow writes to $MLFLOW_TRACKING_URI if set.
    run_name:
        Name of the run in trackers; by default the name of OUT.
    """
    from ..corpora.combine import pool as pooled
    from ..evaluation.results import evaluation_for_card
    from ..nn.encoders.weights import cache_folder
    from ..training.context import TrainingContext
    from ..training.output import train_to_folder
    from ..training.processes import joined_processes
    from ..training.resume import ResumeCheckpoints
    from ..training.tracking import TRACKING, tracked

    chosen = settings_with(recipe, config)
    if chosen.protocol.paper_protocol:
        raise AffektError("protocol.paper_protocol needs a test fold; use affekt evaluate")
    if chosen.protocol.training_imbalance:
        raise AffektError("protocol.training_imbalance is for affekt evaluate")
    if checkpoint_every < 1 or gradient_accumulation_steps < 1:
        raise AffektError("--checkpoint-every and --gradient-accumulation-steps must be positive")
    folder = out.resolve()
    scores = evaluation_for_card(evaluation) if evaluation else None
    corpus = pooled([source, *(pool or [])], chosen.labels, chosen.target_columns)
    with (
        joined_processes(device) as processes,
        progress() if processes.is_main_process else nullcontext(silent) as report,
        tracked(
            tracker or (), run_name or folder.name, folder.parent / TRACKING, chosen
        ) as tracking,
    ):
        if processes.is_main_process:
            for note in corpus.training().notes:
                say(f"note: {note}")
        context = TrainingContext(
            report,
            processes,
            embedding_cache=cache or cache_folder() / "vectors",
            checkpoints=ResumeCheckpoints.for_output(out, checkpoint_every, resume=resume),
            gradient_accumulation_steps=gradient_accumulation_steps,
            keep_interrupted=True,
            trackers=tracking,
        )
        trained = train_to_folder(
            corpus, chosen, out, context, evaluation=scores, calibrate_on=calibrate_on or ()
        )
    if not processes.is_main_process:
        return 0
    kind, names = "classes", trained.labels
    if trained.dimensions:
        kind, names = "dimensions", trained.dimensions
    return _finish(out, f"{kind} {', '.join(names)}", interrupted=trained.interrupted)


def _finish(out: Path, predicts: str, *, interrupted: bool) -> int:
    """Print the path of the model and return the exit code."""
    from ..sanitise import printable

    if interrupted:
        say(f"interrupted; the best epoch so far is in {out}")
        return 130
    print(f"model: {out}, {printable(predicts)}; its card is {out / 'README.md'}")
    print(f"use it: affekt predict FILE --model {out}")
    return 0
