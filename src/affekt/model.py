"""The whole system: segment encoder, projection, sequence model."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from .config import Config
from .encoders.protocol import SegmentEncoder
from .encoders.weights import build_encoder
from .sequence import Output, SequenceModel

VECTOR = 128  # the paper's length of a segment's vector


class Projection(nn.Module):
    """Standardise an encoder's vectors by the training segments, then reduce them to 128-D.

    VGGish ends in such a layer of its own; pooled Whisper frames need one, and their
    dimensions differ in spread by orders of magnitude.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("sd", torch.ones(dim))
        self.norm = nn.LayerNorm(dim)
        self.linear = nn.Linear(dim, VECTOR)

    def measure(self, vectors: Tensor) -> None:
        """Take the statistics from training vectors ``(segments, dim)``."""
        self.mean.copy_(vectors.mean(0))
        self.sd.copy_(vectors.std(0).clamp_min(1e-5))

    def forward(self, vectors: Tensor) -> Tensor:
        """``(..., dim)`` to ``(..., 128)``."""
        return self.linear(self.norm((vectors - self.mean) / self.sd))


class EmotionModel(nn.Module):
    """Waves and spans in, the emotion of each clip and segment out."""

    def __init__(self, config: Config, classes: int, encoder: SegmentEncoder | None = None) -> None:
        super().__init__()
        self.encoder = encoder if encoder is not None else build_encoder(config.encoder)
        dim = self.encoder.dim
        plain = dim == VECTOR and not config.stage1.freeze
        self.projection = nn.Identity() if plain else Projection(dim)
        settings = config.stage2
        self.sequence = SequenceModel(
            VECTOR,
            classes,
            cell=settings.cell,
            hidden=settings.hidden,
            pooling=settings.pooling,
            dropout=settings.dropout,
        )

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Output:
        """One ``(samples,)`` and one ``(segments, 2)`` a clip; see `SegmentEncoder`."""
        vectors = self.encoder(waves, spans)
        return self.classify(vectors.split([len(s) for s in spans]))

    def classify(self, vectors: Sequence[Tensor]) -> Output:
        """The encoder's vectors ``(segments, dim)`` of each clip to its emotion."""
        lengths = torch.tensor([len(v) for v in vectors])
        projected = self.projection(torch.cat(list(vectors))).split(lengths.tolist())
        return self.sequence(pad_sequence(list(projected), batch_first=True), lengths)
