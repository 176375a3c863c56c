"""Two processes train the same model as a single one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from affekt import AffektError
from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.training.clips import load_clips
from affekt.training.context import TrainingContext
from affekt.training.embedding_cache import EmbeddingCache
from affekt.training.processes import (
    MIXED_PRECISION,
    join_processes,
    joined_processes,
    make_accelerator,
    random_states,
    restore_random_states,
    seeded,
)
from affekt.training.run import train
from affekt.training.targets import Score
from affekt.training.trainer import Stage, Trainer


def regression(processes, steps=1):
    """Weights and losses of items of unlike size; the last batch has a single one."""
    torch.manual_seed(0)
    model, sizes = nn.Linear(3, 1), [1, 3, 2, 1, 2, 1, 3]
    items = [torch.randn(size, 3) for size in sizes]

    def loss(batch):
        return (model(torch.cat([items[i] for i in batch])) - 1).square().mean()

    stage = Stage(
        name="test", model=model, optimizer=torch.optim.Adam(model.parameters(), 0.1),
        sizes=sizes, batch_size=4, loss=loss,
        validate=lambda: Score(loss(range(7)).item(), 0.5), epochs=5, patience=9, max_grad_norm=1.0,
    )  # fmt: skip
    context = TrainingContext(processes=processes, gradient_accumulation_steps=steps)
    history = Trainer(context, np.random.default_rng(0)).fit(stage)
    return [*model.weight[0].tolist(), model.bias.item(), *history.loss]


def without_dropout(config):
    """End to end, and without stage 1, whose head always has some."""
    settings = config.model_dump()
    settings["stage1"] |= {"epochs": 0, "learning_rate": 1e-4}
    settings["stage2"] |= {"dropout": 0, "end_to_end": True, "epochs": 3}
    return Config.model_validate(settings)


def results(processes, manifest, config, cache):
    """Results of this process."""
    clips = load_clips(load_corpus(str(manifest)).examples)
    context = TrainingContext(processes=processes, embedding_cache=cache)
    trained = train(clips, config, context, seed=0)
    exact = train(clips, without_dropout(config), context, seed=0)
    waves = [np.random.default_rng(i).standard_normal(20_000).astype(np.float32) for i in range(3)]
    spans = [np.array([[0, 96], [24, 120]])[: 1 + i % 2] for i in range(3)]
    encoder = trained.model.encoder
    embeddings = EmbeddingCache(encoder, cache / "new", processes).encode(waves, spans)
    known = EmbeddingCache(encoder, cache / "new", processes).encode(waves, spans)
    return {
        "regression": [regression(processes), regression(processes, 2)],
        "info": trained.training_info().to_json(),
        "exact": exact.training_info().to_json(),
        "weights": sum(t.double().abs().sum().item() for t in trained.model.state_dict().values()),
        "embeddings": [v.tolist() for v in embeddings],
        "cached": all(map(torch.equal, embeddings, known)),
    }


@pytest.fixture(scope="module")
def both(manifest, tiny_config, tmp_path_factory):
    """Results of one process alone, and of each of two."""
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "config.json").write_text(tiny_config.model_dump_json())
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", __file__, str(manifest)]
    subprocess.run([sys.executable, *command, str(folder)], check=True, capture_output=True)
    two = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    alone = results(join_processes("cpu"), manifest, tiny_config, folder / "one")
    return json.loads(json.dumps(alone)), two


def test_gradients_of_shares_and_parts_sum_to_those_of_the_batch(both):
    alone, two = both
    expected = pytest.approx(alone["regression"][0], abs=1e-5)
    assert alone["regression"][1] == expected
    for process in two:
        assert process["regression"] == [expected, expected]


def test_two_processes_train_the_model_of_a_single_one(both):
    alone, (first, second) = both
    assert first["weights"] == second["weights"]
    assert first["info"] == second["info"]
    assert first["info"]["validation_speakers"] == alone["info"]["validation_speakers"]
    assert first["info"]["balance"] == alone["info"]["balance"]
    assert min(t["info"]["validation_UAR"] for t in (alone, first)) > 0.6
    one, other = (t["exact"]["curves"]["stage 2"] for t in (alone, first))
    assert one.keys() == other.keys()
    for curve in one:
        assert other[curve] == pytest.approx(one[curve], abs=2e-3)


def test_a_device_that_is_not_there_is_named():
    for device, there in {"cuda": torch.cuda, "mps": torch.mps}.items():
        if not there.is_available():
            with pytest.raises(AffektError, match=f"device '{device}'.* choose auto or one of cpu"):
                join_processes(device)


def test_each_training_of_a_process_has_its_own_precision():
    processes = join_processes("cpu")
    for precision in ("float32", "bfloat16", "float32"):
        accelerator = make_accelerator(processes, precision)
        assert accelerator.mixed_precision == MIXED_PRECISION[precision]
        assert accelerator.device == torch.device("cpu")


def test_float16_needs_a_gpu():
    with pytest.raises(AffektError, match="float16 needs a GPU"):
        make_accelerator(join_processes("cpu"), "float16")


def test_random_numbers_continue_and_a_seed_holds_for_a_block():
    cpu = torch.device("cpu")
    states = random_states(cpu)
    first = torch.rand(3)
    with seeded(1, cpu):
        torch.rand(5)
    second = torch.rand(3)
    restore_random_states(states, cpu)
    assert torch.equal(first, torch.rand(3))
    assert torch.equal(second, torch.rand(3))


def test_embeddings_computed_in_shares_are_the_same_bits(both):
    alone, two = both
    for process in two:
        assert process["embeddings"] == alone["embeddings"]
        assert process["cached"]


if __name__ == "__main__":
    manifest, folder = map(Path, sys.argv[1:])
    config = Config.model_validate_json((folder / "config.json").read_text())
    with joined_processes("cpu") as processes:
        mine = results(processes, manifest, config, folder / "two")
        (folder / f"{processes.process_index}.json").write_text(json.dumps(mine))
