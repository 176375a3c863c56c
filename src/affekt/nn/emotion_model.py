"""The whole system: segment encoder, projection, sequence model."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..audio.recording import Recording, Wave, level
from ..audio.segmentation import Spans, uniform
from ..config import Config
from .encoders.protocol import SegmentEncoder
from .encoders.vggish import VGGish
from .encoders.weights import build_encoder
from .sequence_model import Output, SequenceModel
from .speech_gate import SpeechGate

EMBEDDING_DIM = 128  # the paper's length of a segment's embedding


class Statistics(NamedTuple):
    """How the segment vectors of one source lie.

    Attributes:
        mean: ``(dim,)``.
        sd: ``(dim,)``.
    """

    mean: Tensor
    sd: Tensor


class Projection(nn.Module):
    """Standardise an encoder's vectors by their source, then reduce them to 128-D.

    VGGish ends in such a layer of its own; pooled Whisper frames need one, and their
    dimensions differ in spread by orders of magnitude. Layers that stand side by side in a
    vector are mixed with learned weights that sum to 1.

    Attributes:
        mean: What a source that nothing is known of is taken to have ``(dim,)``: the mean of the
            training corpora.
        sd: Likewise ``(dim,)``.
        sources: The training corpora, by name, while the model is in training.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, dim: int, stacked: int = 1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("sd", torch.ones(dim))
        self.sources: dict[str, Statistics] = {}
        self.mix = nn.Parameter(torch.zeros(stacked)) if stacked > 1 else None
        self.norm = nn.LayerNorm(dim // stacked)
        self.linear = nn.Linear(dim // stacked, EMBEDDING_DIM)

    def measure(self, corpora: Mapping[str, Tensor]) -> None:
        """Take the statistics from the training vectors ``(segments, dim)`` of each corpus."""
        self.sources = {
            name: Statistics(embeddings.mean(0), embeddings.std(0).clamp_min(1e-5))
            for name, embeddings in corpora.items()
        }
        self.mean.copy_(torch.stack([s.mean for s in self.sources.values()]).mean(0))
        self.sd.copy_(torch.stack([s.sd for s in self.sources.values()]).mean(0))

    def forward(self, x: Tensor) -> Tensor:
        """Standardised vectors ``(..., dim)`` to ``(..., 128)``."""
        if self.mix is not None:
            x = (x.unflatten(-1, (len(self.mix), -1)) * self.mix.softmax(0)[:, None]).sum(-2)
        return self.linear(self.norm(x))


def prepare(recordings: Sequence[Recording], config: Config) -> tuple[list[Wave], list[Spans]]:
    """Level and cut recordings: the same in training, validation and test. No label."""
    return levelled(recordings, config), [
        uniform(r.seconds, config.segments.hop) for r in recordings
    ]


def levelled(recordings: Sequence[Recording], config: Config) -> list[Wave]:
    """The waves of recordings as the encoder hears them, in training and in use."""
    waves = [r.wave for r in recordings]
    return [level(wave) for wave in waves] if config.audio.normalisation == "rms" else waves


class EmotionModel(nn.Module):
    """The encoder, and what stands on it: from segment vectors to the emotion of each clip.

    Attributes:
        temperatures: What logits are divided by before they are probabilities ``(2,)``: where
            the source is unknown, and where it is known.
        gate: Tells what is no speech.
    """

    temperatures: Tensor

    def __init__(self, config: Config, classes: int, encoder: SegmentEncoder | None = None) -> None:
        super().__init__()
        self.encoder = encoder if encoder is not None else build_encoder(config.encoder)
        tuned_vggish = isinstance(self.encoder, VGGish) and not config.stage1.freeze
        self.projection = (
            nn.Identity() if tuned_vggish else Projection(self.encoder.dim, self.encoder.stacked)
        )
        self.gate = SpeechGate(self.encoder.dim)
        self.register_buffer("temperatures", torch.ones(2))
        settings = config.stage2
        self.sequence = SequenceModel(
            EMBEDDING_DIM,
            classes,
            cell=settings.cell,
            hidden=settings.hidden,
            pooling=settings.pooling,
            order=settings.order,
            dropout=settings.dropout,
        )

    @property
    def prior(self) -> Statistics | None:
        """Of a source that nothing is known of; None where vectors are not standardised."""
        if not isinstance(self.projection, Projection):
            return None
        return Statistics(self.projection.mean, self.projection.sd)

    def standardise(self, embeddings: Tensor, source: Statistics | str | None = None) -> Tensor:
        """The encoder's vectors ``(segments, dim)`` as `classify` takes them.

        Args:
            embeddings: Of one source.
            source: Its statistics, or the name of a training corpus; those of the training
                corpora in the mean where neither is known.
        """
        if not isinstance(self.projection, Projection):
            return embeddings
        if isinstance(source, str):
            source = self.projection.sources.get(source)
        mean, sd = source or (self.projection.mean, self.projection.sd)
        return (embeddings - mean) / sd

    def classify(self, embeddings: Sequence[Tensor]) -> Output:
        """The standardised vectors ``(segments, dim)`` of each clip to its emotion."""
        lengths = torch.tensor([len(v) for v in embeddings])
        projected = self.projection(torch.cat(list(embeddings))).split(lengths.tolist())
        return self.sequence(pad_sequence(list(projected), batch_first=True), lengths)
