"""From a clip's segment vectors to its emotion: Bi-LSTM, pooling, softmax (section 1.3).

A clip's output never depends on its neighbours in the batch: recurrences run over each
clip's own length and pooling is masked.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Output(NamedTuple):
    """What the sequence model says of a batch.

    Attributes:
        logits: ``(batch, classes)``.
        segment_logits: ``(batch, segments, classes)``, the classifier on each hidden
            vector. The classifier is linear and attention sums to 1, so `logits` is their
            mean weighted by `attention`: the timeline explains the label exactly.
        attention: ``(batch, segments)``, sums to 1 over each clip, 0 where it is padded.
    """

    logits: Tensor
    segment_logits: Tensor
    attention: Tensor


class BiLSTM(nn.Module):
    """Standard bidirectional LSTM, packed."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, segments, inputs)``, ``(batch,)`` to ``(batch, segments, 2 * hidden)``."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])[
            0
        ]


class PeepholeLSTM(nn.Module):
    """One direction of equations 3-7: gates that see the cell (Gers & Schmidhuber, 2000).

    Equation 4 lost its x_t in print, equation 6 writes sigma_t for o_t and lets the output
    gate look at c_{t-1}. The cell here has both inputs in every gate, diagonal peepholes,
    and an output gate that looks at c_t as in Graves (2013), whom the equations follow.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Linear(inputs, 4 * hidden)  # W_x and b of i, f, c, o
        self.recurrent = nn.Linear(hidden, 4 * hidden, bias=False)  # W_h
        self.peephole = nn.Parameter(torch.zeros(3, hidden))  # diagonals of W_ci, W_cf, W_co
        for weight in self.parameters():
            nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``(batch, segments, inputs)`` and their mask to ``(batch, segments, hidden)``.

        Where the mask is false the state passes through unchanged.
        """
        h = c = x.new_zeros(x.shape[0], self.hidden)
        states = []
        for x_t, valid in zip(self.input(x).unbind(1), mask.unbind(1), strict=True):
            i, f, g, o = (x_t + self.recurrent(h)).chunk(4, dim=-1)
            w_ci, w_cf, w_co = self.peephole
            new = torch.sigmoid(f + w_cf * c) * c + torch.sigmoid(i + w_ci * c) * torch.tanh(g)
            out = torch.sigmoid(o + w_co * new) * torch.tanh(new)
            c, h = (torch.where(valid[:, None], a, b) for a, b in ((new, c), (out, h)))
            states.append(h)
        return torch.stack(states, dim=1)


class BiPeepholeLSTM(nn.Module):
    """Two `PeepholeLSTM`, the second from the end to the start; masked."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forth, self.back = PeepholeLSTM(inputs, hidden), PeepholeLSTM(inputs, hidden)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, segments, inputs)``, ``(batch,)`` to ``(batch, segments, 2 * hidden)``."""
        mask = mask_of(lengths, x.shape[1])
        back = self.back(x.flip(1), mask.flip(1)).flip(1)
        return torch.cat([self.forth(x, mask), back], dim=-1) * mask[..., None]


class AttentionPooling(nn.Module):
    """Equation 8: mu_t = softmax over the clip of W h_t."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        """``(batch, segments, dim)`` and their mask to weights ``(batch, segments)``."""
        return self.score(h).squeeze(-1).masked_fill(~mask, -torch.inf).softmax(-1)


class MeanPooling(nn.Module):
    """The same weight for every segment: the system without attention."""

    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        """``(batch, segments, dim)`` and their mask to weights ``(batch, segments)``."""
        return mask / mask.sum(-1, keepdim=True)


CELLS = {"lstm": BiLSTM, "peephole": BiPeepholeLSTM}


class SequenceModel(nn.Module):
    """Bi-LSTM, weighted sum of its hidden vectors (equation 9), linear classifier."""

    def __init__(
        self, inputs: int, classes: int, *, cell: str, hidden: int, pooling: str, dropout: float
    ) -> None:
        super().__init__()
        self.rnn = CELLS[cell](inputs, hidden)
        self.pooling = AttentionPooling(2 * hidden) if pooling == "attention" else MeanPooling()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * hidden, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Output:
        """Segment vectors ``(batch, segments, inputs)`` padded after ``lengths`` ``(batch,)``."""
        h = self.rnn(self.dropout(x), lengths)
        attention = self.pooling(h, mask_of(lengths, h.shape[1]))
        pooled = (attention[..., None] * h).sum(1)
        return Output(self.classifier(self.dropout(pooled)), self.classifier(h), attention)


def mask_of(lengths: Tensor, segments: int) -> Tensor:
    """Bool ``(batch, segments)``, true within each clip."""
    return torch.arange(segments, device=lengths.device) < lengths[:, None]
