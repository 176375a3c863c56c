"""Sequence model: Bi-LSTM, pooling and classifier (section 1.3).

The output of a clip does not depend on other clips in the batch: recurrences run over each clip's
own length, and pooling is masked.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .pooling import make_pooling


class Output(NamedTuple):
    """Output of the sequence model for a batch.

    Attributes:
        logits: ``(batch, classes)``.
        hidden: Hidden vectors of the Bi-LSTM ``(batch, segments, 2 * hidden)``.
        attention: ``(batch, segments)``, sums to 1 over each clip, 0 for padding.
        pooled: Input of the classifier ``(batch, dim)``.
    """

    logits: Tensor
    hidden: Tensor
    attention: Tensor
    pooled: Tensor


class BiLSTM(nn.Module):
    """Bidirectional LSTM without peepholes, on packed sequences."""

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
    """One direction of equations 3-7: an LSTM with peepholes (Gers & Schmidhuber, 2000).

    As printed, equation 4 lacks x_t, equation 6 has sigma_t in place of o_t, and its output gate
    depends on c_{t-1}. Here every gate has both inputs, peepholes are diagonal, and the output gate
    depends on c_t as in Graves (2013), from whom the equations are taken.
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

        Where the mask is false the state does not change.
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
    """Two `PeepholeLSTM`, the second from the last segment to the first; masked."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forth, self.back = PeepholeLSTM(inputs, hidden), PeepholeLSTM(inputs, hidden)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, segments, inputs)``, ``(batch,)`` to ``(batch, segments, 2 * hidden)``."""
        mask = mask_of(lengths.to(x.device), x.shape[1])
        back = self.back(x.flip(1), mask.flip(1)).flip(1)
        return torch.cat([self.forth(x, mask), back], dim=-1) * mask[..., None]


class NoRecurrence(nn.Module):
    """A linear layer on each segment, in place of a recurrent cell."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * hidden)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, segments, inputs)`` to ``(batch, segments, 2 * hidden)``."""
        return nn.functional.gelu(self.linear(x))


CELLS = {"lstm": BiLSTM, "peephole": BiPeepholeLSTM, "none": NoRecurrence}


class SequenceModel(nn.Module):
    """Bi-LSTM, pooling of its hidden vectors (equation 9), linear classifier.

    Args:
        inputs: Length of a projected embedding.
        classes: Number of classes.
        cell: "lstm", "peephole" or "none".
        hidden: Hidden units per direction.
        pooling: Name of the pooling; see `make_pooling`.
        order: Highest order of higher-order pooling.
        dropout: Dropout rate of the inputs and of the pooled vector.
    """

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
        """Classify ``(batch, segments, inputs)``; ``lengths`` ``(batch,)`` without padding."""
        h = self.rnn(self.dropout(x), lengths)
        pooled, attention = self.pooling(h, mask_of(lengths.to(h.device), h.shape[1]))
        logits = self.classifier(self.dropout(pooled))
        return Output(logits, h, attention, pooled)

    def timeline(self, h: Tensor) -> Tensor:
        """Logits ``(batch, segments, classes)`` of each hidden vector, pooled as a clip of its own.

        With the paper's attention or the mean, their mean weighted by `Output.attention` equals the
        logits of the clip.
        """
        each = h.flatten(0, 1)[:, None]
        pooled, _ = self.pooling(each, torch.ones_like(each[..., 0], dtype=torch.bool))
        return self.classifier(pooled).unflatten(0, h.shape[:2])


def mask_of(lengths: Tensor, segments: int) -> Tensor:
    """Bool ``(batch, segments)``, true within each clip."""
    return torch.arange(segments, device=lengths.device) < lengths[:, None]
