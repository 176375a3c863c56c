import math

import pytest
import torch
from torch import nn

from affekt.nn.sequence_model import PeepholeLSTM, SequenceModel


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_peephole_cell_by_hand():
    """Equations 3-7 on two steps, one unit, with every weight different."""
    cell = PeepholeLSTM(1, 1)
    with torch.no_grad():
        cell.input.weight.copy_(torch.tensor([[0.5], [-0.3], [0.8], [0.2]]))
        cell.input.bias.copy_(torch.tensor([0.1, 0.2, -0.1, 0.05]))
        cell.recurrent.weight.copy_(torch.tensor([[0.4], [0.6], [-0.7], [0.9]]))
        cell.peephole.copy_(torch.tensor([[0.3], [-0.5], [0.7]]))
    h = c = 0.0
    expected = []
    for x in (1.0, -2.0):
        i = sigmoid(0.5 * x + 0.4 * h + 0.3 * c + 0.1)  # (3)
        f = sigmoid(-0.3 * x + 0.6 * h - 0.5 * c + 0.2)  # (4)
        new = f * c + i * math.tanh(0.8 * x - 0.7 * h - 0.1)  # (5)
        o = sigmoid(0.2 * x + 0.9 * h + 0.7 * new + 0.05)  # (6), at c_t
        c, h = new, o * math.tanh(new)  # (7)
        expected.append(h)
    states = cell(torch.tensor([[[1.0], [-2.0]]]), torch.ones(1, 2, dtype=torch.bool))
    assert states.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_without_peepholes_the_cell_is_pytorchs():
    ours, theirs = PeepholeLSTM(5, 4), nn.LSTM(5, 4, batch_first=True)
    with torch.no_grad():
        ours.peephole.zero_()
        theirs.weight_ih_l0.copy_(ours.input.weight)
        theirs.weight_hh_l0.copy_(ours.recurrent.weight)
        theirs.bias_ih_l0.copy_(ours.input.bias)
        theirs.bias_hh_l0.zero_()
    x = torch.randn(3, 7, 5)
    mask = torch.ones(3, 7, dtype=torch.bool)
    assert torch.allclose(ours(x, mask), theirs(x)[0], atol=1e-6)


def model(cell, pooling):
    torch.manual_seed(1)
    settings = {"cell": cell, "hidden": 6, "pooling": pooling, "dropout": 0.5}
    return SequenceModel(8, 3, order=3, **settings).eval()


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_a_clip_is_the_same_alone_in_any_batch_and_in_any_order(cell, pooling):
    net = model(cell, pooling)
    clips = [torch.randn(n, 8) for n in (1, 5, 12, 3)]
    alone = [net(c[None], torch.tensor([len(c)])) for c in clips]
    for order in ([0, 1, 2, 3], [2, 0, 3, 1], [3, 2]):
        batch = nn.utils.rnn.pad_sequence([clips[i] for i in order], batch_first=True)
        batch[batch == 0] = 7.0  # what stands in the padding must not matter
        out = net(batch, torch.tensor([len(clips[i]) for i in order]))
        for row, i in enumerate(order):
            n = len(clips[i])
            assert torch.allclose(out.logits[row], alone[i].logits[0], atol=1e-5)
            assert torch.allclose(out.attention[row, :n], alone[i].attention[0], atol=1e-5)
            assert out.attention[row, n:].abs().sum() == 0
            logits = net.timeline(out.hidden)[row, :n]
            assert torch.allclose(logits, net.timeline(alone[i].hidden)[0], atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
def test_the_output_depends_on_the_order_in_both_directions(cell):
    net = model(cell, "attention")
    clip = torch.randn(6, 8)
    lengths = torch.tensor([6])
    forth = net(clip[None], lengths).logits
    assert not torch.allclose(forth, net(clip.flip(0)[None], lengths).logits, atol=1e-4)
    for end in (0, 5):  # a change at either end reaches the hidden vector at the other
        changed = clip.clone()
        changed[end] += 1
        other = net.timeline(net(changed[None], lengths).hidden)[0, 5 - end]
        assert not torch.allclose(other, net.timeline(net(clip[None], lengths).hidden)[0, 5 - end])


def test_the_clips_logits_are_the_attention_weighted_mean_of_its_segments():
    net = model("lstm", "attention")
    out = net(torch.randn(2, 4, 8), torch.tensor([4, 3]))
    weighted = (out.attention[..., None] * net.timeline(out.hidden)).sum(1)
    assert torch.allclose(weighted, out.logits, atol=1e-6)
