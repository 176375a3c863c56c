"""Both stages compute where their model is, wherever their data are.

The model is on torch's device without data, where an operation with a tensor of the CPU raises.
"""

import numpy as np
import pytest
import torch

from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.nn.emotion_model import EmotionModel
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.run import Run, prepare
from affekt.training.stage1 import train_encoder
from affekt.training.stage2 import train_sequence
from affekt.training.targets import task_of
from affekt.training.trainer import History


class OneStep:
    """In place of a trainer: one step on the first items."""

    context = TrainingContext()

    def fit(self, stage):
        stage.model.train()
        loss = stage.loss([0, 1, 2])
        loss.backward()
        assert loss.device.type == "meta"
        gradients = [p.grad for p in stage.parameters if p.grad is not None]
        assert gradients
        assert {g.device.type for g in gradients} == {"meta"}
        self.stage = stage
        return History()


@pytest.fixture(scope="module", params=["peephole", "none"])
def elsewhere(request, manifest, tiny_config):
    """Settings that train the encoder, a model on another device, and its training clips.

    torch cannot pack sequences for its LSTM there.
    """
    values = tiny_config.model_dump(exclude_unset=True)
    values["stage1"]["freeze"] = False
    values["stage2"] |= {"end_to_end": True, "cell": request.param}
    config = Config.model_validate(values)
    clips = load_clips(load_corpus(str(manifest)).examples[:8])
    task = task_of(clips)
    split, _, _ = prepare(Run("", clips, [], task, config, 0), np.random.default_rng(0))
    return config, EmotionModel(config, task.outputs).to("meta"), split


def test_stage_1_computes_where_its_model_is(elsewhere, monkeypatch):
    config, model, split = elsewhere
    # Statistics are of embeddings on the CPU, where this device cannot send any.
    embeddings = [torch.rand(2, model.encoder.dim) for _ in split.training.waves]
    monkeypatch.setattr("affekt.training.context.EmbeddingCache", lambda *_: _Known(embeddings))
    train_encoder(model, split, config, OneStep())
    assert {s.mean.device.type for s in model.projection.domains.values()} == {"meta"}


def test_stage_2_computes_where_its_model_is(elsewhere):
    config, model, split = elsewhere
    train_sequence(model, split, config, OneStep())


class _Known:
    """Embeddings that are known already."""

    def __init__(self, embeddings):
        self.embeddings = embeddings

    def encode(self, waves, spans):
        return self.embeddings
