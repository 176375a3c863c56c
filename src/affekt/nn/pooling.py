"""Pooling: from the hidden vectors of a clip's segments to one vector, with attention weights.

Attention is the paper's (equations 8 and 9). The others are second-order and higher-order
attention, which the paper announces as future work, and common alternatives. All are masked and
defined for a clip of a single segment.
"""

import torch
from torch import Tensor, nn

from ..own_parts import is_dotted_path
from .own_pooling import own_pooling

REDUCED = 32  # dimensions that hidden vectors are reduced to
RIDGE = 1e-3  # added to the covariance's diagonal, since the covariance of one segment is zero
NEWTON_STEPS = 5
HEADS = 4
SMALL = 1e-6


class Pooling(nn.Module):
    """Base class of every pooling.

    A class of your own is called with ``hidden``, the length of a hidden vector. A clip's vector
    must be the same alone and in any batch.

    Attributes:
        dim: Length of the pooled vector.
    """

    dim: int

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pool each clip.

        Args:
            h: ``(batch, segments, hidden)``, zero where padded.
            mask: ``(batch, segments)``, true within each clip.

        Returns:
            The clip's vector ``(batch, dim)``, and the share of each segment in it
            ``(batch, segments)``, which sums to 1.
        """
        raise NotImplementedError


class Attention(Pooling):
    """Weights mu_t = softmax of W h_t over the clip (equation 8); weighted mean (equation 9)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = hidden
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        weights = _softmax(self.score(h), mask)[..., 0]
        return _weighted(h, weights), weights


class Mean(Pooling):
    """Mean of all segments: no attention."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = hidden

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        weights = _uniform(h, mask)
        return _weighted(h, weights), weights


class MultiHead(Pooling):
    """Four attention heads, concatenated (Lin et al., 2017)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = HEADS * hidden
        self.score = nn.Linear(hidden, HEADS, bias=False)

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        weights = _softmax(self.score(h), mask)
        return torch.einsum("bth,btd->bhd", weights, h).flatten(1), weights.mean(-1)


class Statistics(Pooling):
    """Mean and standard deviation, weighted by attention (Okabe et al., 2018)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = 2 * hidden
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        weights = _softmax(self.score(h), mask)[..., 0]
        mean = _weighted(h, weights)
        variance = _weighted((h - mean[:, None]).square(), weights)
        return torch.cat([mean, (variance + SMALL).sqrt()], dim=-1), weights


class Bilinear(Pooling):
    """Second order, rank one: mean over segments of (a . h_t) h_t (Girdhar & Ramanan, 2017).

    After the linear classifier, the logit of class c is the mean of (a . h_t)(b_c . h_t).
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = hidden
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        scores = self.score(h)[..., 0] * mask
        pooled = _weighted(h, scores * _uniform(h, mask))
        return pooled, _shares(scores.abs(), mask)


class Covariance(Pooling):
    """Second order: square root of the segments' covariance in 32 dimensions.

    Newton-Schulz iterations (Li et al., 2018) compute the root without eigenvalues; its upper
    triangle is the clip's vector.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(hidden, REDUCED, bias=False)
        rows, columns = torch.triu_indices(REDUCED, REDUCED)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        self.dim = len(rows)

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        weights = _uniform(h, mask)
        x = self.reduce(h)
        centred = (x - _weighted(x, weights)[:, None]) * weights[..., None].sqrt()
        ridge = RIDGE * torch.eye(REDUCED, dtype=h.dtype, device=h.device)
        root = square_root(centred.mT @ centred + ridge)
        return root[:, self.rows, self.columns], weights


class HigherOrder(Pooling):
    """Gates from products of up to R projections of each segment, then the mean.

    h_t * (1/R) sum_r sigmoid(W_r relu(prod_{s <= r} U_rs h_t)), after Chen et al. (2019).
    """

    def __init__(self, hidden: int, order: int) -> None:
        super().__init__()
        self.dim = hidden
        self.order = order
        self.project = nn.ModuleList(
            nn.Linear(hidden, REDUCED * (r + 1), bias=False) for r in range(order)
        )
        self.gate = nn.ModuleList(nn.Linear(REDUCED, hidden, bias=False) for _ in range(order))

    def forward(self, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pooling`."""
        gates = torch.zeros_like(h)
        for project, gate in zip(self.project, self.gate, strict=True):
            product = project(h).unflatten(-1, (-1, REDUCED)).prod(-2)
            gates = gates + torch.sigmoid(gate(torch.relu(product)))
        gates = gates / self.order
        return _weighted(gates * h, _uniform(h, mask)), _shares(gates.mean(-1), mask)


def make_pooling(name: str, hidden: int, order: int) -> Pooling:
    """Build the pooling that a config names.

    Args:
        name: Name of a pooling, or a dotted path.
        hidden: Length of a hidden vector.
        order: Highest order of `HigherOrder`.

    Raises:
        AffektError: A dotted path that names no pooling.
    """
    if is_dotted_path(name):
        return own_pooling(name, hidden, Pooling)
    if name == "higher-order":
        return HigherOrder(hidden, order)
    plain: dict[str, type[Attention | Mean | MultiHead | Statistics | Bilinear | Covariance]] = {
        "attention": Attention,
        "mean": Mean,
        "multi-head": MultiHead,
        "statistics": Statistics,
        "bilinear": Bilinear,
        "covariance": Covariance,
    }
    return plain[name](hidden)


def square_root(matrices: Tensor) -> Tensor:
    """Square root of positive definite ``(batch, n, n)``, by coupled Newton-Schulz iterations."""
    trace = matrices.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]
    eye = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    y, z = matrices / trace, eye.expand_as(matrices)
    for _ in range(NEWTON_STEPS):
        step = 1.5 * eye - 0.5 * z @ y
        y, z = y @ step, step @ z
    return y * trace.sqrt()


def _softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax of ``(batch, segments, heads)`` over the segments of each clip."""
    return scores.masked_fill(~mask[..., None], -torch.inf).softmax(1)


def _uniform(h: Tensor, mask: Tensor) -> Tensor:
    return mask.to(h.dtype) / mask.sum(-1, keepdim=True)


def _shares(scores: Tensor, mask: Tensor) -> Tensor:
    """Non-negative scores, scaled to sum to 1 over each clip; equal if all are zero."""
    scores = scores * mask + SMALL * mask
    return scores / scores.sum(-1, keepdim=True)


def _weighted(x: Tensor, weights: Tensor) -> Tensor:
    return (weights[..., None] * x).sum(1)
