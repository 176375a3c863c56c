"""What trackers record of a training."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from affekt import AffektError
from affekt.config import Config
from affekt.training.context import TrainingContext
from affekt.training.targets import Score
from affekt.training.tracking import tracked
from affekt.training.trainer import Stage, Trainer

CONFIG = Config.model_validate({"encoder": {"weights": "/secret/tiny.safetensors"}})


def train(names, folder):
    """A stage of two epochs, tracked; its history."""
    model, losses = nn.Linear(1, 1), iter([0.5, 0.25])
    stage = Stage(
        name="stage 1 (encoder)", model=model, optimizer=torch.optim.SGD(model.parameters(), 0.1),
        sizes=[1], batch_size=1, loss=lambda items: model.weight.square().sum(),
        validate=lambda: Score(next(losses), 0.75), epochs=2, patience=9,
    )  # fmt: skip
    with tracked(names, "mine", folder, CONFIG) as trackers:
        context = TrainingContext(trackers=trackers)
        return Trainer(context, np.random.default_rng(0), "refit").fit(stage)


def test_tensorboard_has_losses_and_scores_of_each_epoch_and_the_settings(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = train(["tensorboard"], tmp_path)
    folder = tmp_path / "tensorboard/mine"
    events = accumulator.EventAccumulator(str(folder)).Reload()
    values = {
        tag.removeprefix("refit/stage_1_encoder/"): [e.value for e in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
    assert values.pop("loss") == pytest.approx(history.loss)
    assert values == {"validation_loss": [0.5, 0.25], "validation_UAR": [0.75, 0.75]}
    [recorded] = folder.glob("*/hparams.yml")
    assert "stage2.epochs: 60" in recorded.read_text()
    assert "secret" not in recorded.read_text()


@pytest.mark.slow  # ten seconds of imports and tables
def test_mlflow_has_a_named_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    history = train(["mlflow"], tmp_path)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    [experiment] = client.search_experiments(filter_string="name = 'affekt'")
    [found] = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
    losses = client.get_metric_history(found.info.run_id, "refit/stage_1_encoder/loss")
    assert [(m.step, m.value) for m in losses] == list(enumerate(history.loss, 1))
    assert json.loads(found.data.params["augment.speeds"]) == [0.9, 1.1]


def test_without_trackers_nothing_is_written(tmp_path):
    train([], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_run_is_no_path(tmp_path):
    for name in ("../elsewhere", "a/b", ""):
        with (
            pytest.raises(AffektError, match="give a name without folders"),
            tracked(["tensorboard"], name, tmp_path, CONFIG),
        ):
            pass
