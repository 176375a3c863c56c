"""Trackers of a training: its settings, losses and validation scores in TensorBoard or MLflow."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker

from ..config import Config, Frozen
from ..errors import AffektError
from ..extras import optional_import
from ..provenance import portable

TrackerName = Literal["tensorboard", "mlflow"]
TRACKING = "tracking"  # folder next to the models
EXPERIMENT = "affekt"  # of MLflow; $MLFLOW_EXPERIMENT_NAME replaces it


@contextmanager
def tracked(
    names: Sequence[TrackerName], run: str, folder: Path, config: Config
) -> Iterator[list[GeneralTracker]]:
    """Start a run of each tracker for the duration of a block; only the main process writes.

    Args:
        names: The trackers.
        run: Name of the run.
        folder: TensorBoard writes to ``FOLDER/tensorboard/RUN``, MLflow to ``FOLDER/mlflow.db``
            unless $MLFLOW_TRACKING_URI names a server.
        config: Settings, which the run records.

    Raises:
        AffektError: The name is not one of a file.
        MissingExtraError: A tracker is not installed.
    """
    if not run or Path(run).name != run:
        raise AffektError(f"run name {run!r}: give a name without folders")
    with ExitStack() as running:
        started = []
        for name in dict.fromkeys(names):
            with optional_import(f"tracker {name}"):
                tracker = _start(name, run, folder)
            running.callback(tracker.finish)
            tracker.store_init_configuration(_flat(config))
            started.append(tracker)
        yield started


def log(
    trackers: Sequence[GeneralTracker], stage: str, values: Mapping[str, float], epoch: int
) -> None:
    """Record values of an epoch.

    Args:
        trackers: From `tracked`.
        stage: Name of the stage, which that of each value follows.
        values: Values by name.
        epoch: From 1 on.
    """
    prefix = re.sub(r"[^\w/]+", "_", stage).strip("_")
    for tracker in trackers:
        tracker.log({f"{prefix}/{name}": value for name, value in values.items()}, step=epoch)


def _start(name: TrackerName, run: str, folder: Path) -> GeneralTracker:
    if name == "tensorboard":
        tracker = TensorBoardTracker(run, folder / "tensorboard")
    else:
        import mlflow

        if not os.environ.get("MLFLOW_TRACKING_URI"):
            folder.mkdir(parents=True, exist_ok=True)
            mlflow.set_tracking_uri(f"sqlite:///{folder.resolve() / 'mlflow.db'}")
        tracker = MLflowTracker(EXPERIMENT, run_name=run)
    tracker.start()
    return tracker


def _flat(config: Config) -> dict[str, Any]:
    """Settings by their dotted keys; lists and dictionaries as JSON."""
    values: dict[str, Any] = {}
    for name, setting in portable(config):
        if isinstance(setting, Frozen):
            values |= {f"{name}.{key}": each for key, each in setting}
        else:
            values[name] = setting
    simple = (bool, int, float, str)
    return {k: v if isinstance(v, simple) else json.dumps(v) for k, v in values.items()}
