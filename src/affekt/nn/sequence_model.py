"""From a clip's segment vectors to its emotion: Bi-LSTM, pooling, softmax (section 1.3).

A clip's output never depends on its neighbours in the batch: recurrences run over each
clip's own length and pooling is masked.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .pooling import make_pooling


class Output(NamedTuple):
    """What the sequence model says of a batch.

    Attributes:
        logits: ``(batch, classes)``.
        hidden: The Bi-LSTM's ``(batch, segments, 2 * hidden)``.
        attention: ``(batch, segments)``, sums to 1 over each clip, 0 where it is padded.
        pooled: What the classifier sees ``(batch, dim)``.
    """

    logits: Tensor
    hidden: Tensor
    attention: Tensor
    pooled: Tensor


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


class NoRecurrence(nn.Module):
    """In place of a recurrent cell: every segment by itself."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * hidden)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, segments, inputs)`` to ``(batch, segments, 2 * hidden)``."""
        return nn.functional.gelu(self.linear(x))


CELLS = {"lstm": BiLSTM, "peephole": BiPeepholeLSTM, "none": NoRecurrence}


class SequenceModel(nn.Module):
    """Bi-LSTM, pooling of its hidden vectors (equation 9), linear classifier."""

    def __init__(
        self,
        inputs: int,
        classes: int,
        *,
        cell: str,
        hidden: int,
        pooling: str,
        order: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.rnn = CELLS[cell](inputs, hidden)
        self.pooling = make_pooling(pooling, 2 * hidden, order)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.pooling.dim, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Output:
        """Segment vectors ``(batch, segments, inputs)`` padded after ``lengths`` ``(batch,)``."""
        h = self.rnn(self.dropout(x), lengths)
        pooled, attention = self.pooling(h, mask_of(lengths, h.shape[1]))
        logits = self.classifier(self.dropout(pooled))
        return Output(logits, h, attention, pooled)

    def timeline(self, h: Tensor) -> Tensor:
        """Logits ``(batch, segments, classes)`` of each hidden vector as if it were the clip's.

        With the paper's attention (or the mean) the clip's logits are their mean weighted by
        `Output.attention`: the timeline explains the label exactly.
        """
        each = h.flatten(0, 1)[:, None]
        pooled, _ = self.pooling(each, torch.ones_like(each[..., 0], dtype=torch.bool))
        return self.classifier(pooled).unflatten(0, h.shape[:2])


def mask_of(lengths: Tensor, segments: int) -> Tensor:
    """Bool ``(batch, segments)``, true within each clip."""
    return torch.arange(segments, device=lengths.device) < lengths[:, None]
