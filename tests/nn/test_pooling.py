"""Each pooling against numbers worked out by hand or by a slower formula."""

import math

import pytest
import torch

from affekt.nn.pooling import REDUCED, RIDGE, make_pooling, square_root

NAMES = ["attention", "mean", "multi-head", "statistics", "bilinear", "covariance", "higher-order"]
H = torch.tensor([[[1.0, 0.0], [1.5, 1.0], [0.0, 1.0], [9.0, 9.0]]])
MASK = torch.tensor([[True, True, True, False]])


def pooling(name, hidden=2):
    torch.manual_seed(0)
    return make_pooling(name, hidden, order=3)


def test_attention_by_hand():
    """Equation 8: W h = (1, 2, 0.5) over three segments, the fourth is padding; equation 9."""
    pool = pooling("attention")
    with torch.no_grad():
        pool.score.weight.copy_(torch.tensor([[1.0, 0.5]]))
    total = math.exp(1) + math.exp(2) + math.exp(0.5)
    expected = [math.exp(1) / total, math.exp(2) / total, math.exp(0.5) / total, 0.0]
    vector, weights = pool(H, MASK)
    assert weights[0].tolist() == pytest.approx(expected, abs=1e-6)
    mixed = [expected[0] + 1.5 * expected[1], expected[1] + expected[2]]
    assert vector[0].tolist() == pytest.approx(mixed, abs=1e-6)


def test_mean_by_hand():
    vector, weights = pooling("mean")(H, MASK)
    assert weights[0].tolist() == pytest.approx([1 / 3] * 3 + [0])
    assert vector[0].tolist() == pytest.approx([2.5 / 3, 2 / 3])


def test_multi_head_concatenates_the_heads():
    pool = pooling("multi-head")
    with torch.no_grad():
        pool.score.weight.zero_()
        pool.score.weight[2] = torch.tensor([100.0, 0.0])  # sees only the second segment
    vector, weights = pool(H, MASK)
    heads = vector.view(4, 2)
    assert torch.allclose(heads[0], torch.tensor([2.5 / 3, 2 / 3]))
    assert torch.allclose(heads[2], torch.tensor([1.5, 1.0]))
    assert weights[0].tolist() == pytest.approx([1 / 4, 2 / 4, 1 / 4, 0])


def test_statistics_by_hand():
    pool = pooling("statistics")
    with torch.no_grad():
        pool.score.weight.zero_()
    vector, _ = pool(H, MASK)
    sd = [math.sqrt((1 + 2.25 + 0) / 3 - (2.5 / 3) ** 2), math.sqrt(2 / 3 - 4 / 9)]
    assert vector[0].tolist() == pytest.approx([2.5 / 3, 2 / 3, *sd], abs=1e-5)


def test_bilinear_is_the_mean_of_products():
    """logit_c = mean_t (a . h_t)(b_c . h_t)."""
    pool = pooling("bilinear")
    a, b = torch.tensor([0.5, -2.0]), torch.tensor([1.0, 3.0])
    with torch.no_grad():
        pool.score.weight.copy_(a[None])
    vector, weights = pool(H, MASK)
    products = [float((a @ h) * (b @ h)) for h in H[0, :3]]
    assert float((b @ vector[0]).detach()) == pytest.approx(sum(products) / 3, abs=1e-6)
    assert weights[0].tolist() == pytest.approx([0.5 / 3.75, 1.25 / 3.75, 2 / 3.75, 0], abs=1e-5)


def test_the_square_root_squares_to_the_matrix():
    torch.manual_seed(0)
    x = torch.randn(3, 8, 20, dtype=torch.float64)
    matrices = x @ x.mT / 20 + torch.eye(8)
    root = square_root(matrices)
    assert torch.allclose(root @ root, matrices, rtol=0.02, atol=0.02)
    assert torch.allclose(root, root.mT, atol=1e-9)


def test_covariance_is_that_of_the_segments():
    pool = pooling("covariance")
    x = pool.reduce(H[0, :3])
    expected = square_root((torch.cov(x.T, correction=0) + RIDGE * torch.eye(REDUCED))[None])[0]
    vector, _ = pool(H, MASK)
    upper = expected[*torch.triu_indices(REDUCED, REDUCED)]
    assert torch.allclose(vector[0], upper, atol=1e-5)


def test_higher_order_by_the_slow_formula():
    """h_t * (1/R) sum_r sigmoid(W_r relu(prod_{s <= r} U_rs h_t)), then the mean."""
    pool = pooling("higher-order")
    embeddings, gates = [], []
    for h in H[0, :3]:
        total = torch.zeros(2)
        for r in range(3):
            product = torch.ones(REDUCED)
            for s in range(r + 1):
                product = product * (pool.project[r].weight[s * REDUCED : (s + 1) * REDUCED] @ h)
            total = total + torch.sigmoid(pool.gate[r].weight @ product.clamp_min(0))
        gates.append(float(total.detach().mean() / 3))
        embeddings.append(h * total / 3)
    vector, weights = pool(H, MASK)
    assert torch.allclose(vector[0], torch.stack(embeddings).mean(0), atol=1e-6)
    assert weights[0].tolist() == pytest.approx([g / sum(gates) for g in gates] + [0], abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing_and_shares_sum_to_one(name):
    pool = pooling(name, 6).double()
    h = torch.randn(2, 5, 6, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    embeddings, weights = pool(h * mask[..., None], mask)
    assert torch.allclose(weights.sum(-1), torch.ones(2, dtype=torch.float64))
    assert (weights >= 0).all()
    assert (weights[1, 2:] == 0).all()
    alone, _ = pool(h[1:, :2], mask[1:, :2])
    assert torch.allclose(embeddings[1:], alone, atol=1e-9)
    assert embeddings.shape == (2, pool.dim)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("segments", [1, 3])
def test_gradients_are_finite_and_those_of_the_function(name, segments):
    pool = pooling(name, 4).double()
    h = torch.randn(2, segments, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.ones(2, segments, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda x: pool(x, mask)[0], h, atol=1e-4, rtol=1e-3)
