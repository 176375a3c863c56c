"""Statistics that standardise embeddings."""

import torch

from affekt.nn.emotion_model import statistics_of


def test_statistics_of_one_block_are_those_of_torch():
    x = torch.randn(40, 3) * 3 + 50
    mean, sd, _ = statistics_of([x])
    assert torch.equal(mean, x.mean(0)) and torch.equal(sd, x.std(0))


def test_statistics_of_several_blocks_are_those_of_all_rows():
    torch.manual_seed(0)
    x = torch.randn(40, 3) * torch.tensor([1.0, 30, 0]) + torch.tensor([0.0, 2, 7])
    mean, sd, _ = statistics_of(iter([x[:2], x[2:12], x[12:]]))
    assert mean.dtype == sd.dtype == torch.float32
    assert torch.allclose(mean, x.double().mean(0).float(), rtol=1e-6)
    assert torch.allclose(sd[:2], x[:, :2].double().std(0).float(), rtol=1e-6)
    assert sd[2] == 1  # constant: not scaled
