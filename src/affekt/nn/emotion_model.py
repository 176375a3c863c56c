"""The complete network: segment encoder, projection, sequence model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..audio.level import rms_normalise
from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..config import Config
from .encoders.protocol import SegmentEncoder
from .encoders.vggish import VGGish
from .encoders.weights import build_encoder
from .linear_head import LinearHead
from .sequence_model import Output, SequenceModel
from .speech_gate import SpeechGate

EMBEDDING_DIM = 128  # length of a segment's embedding in the paper
CONSTANT = 1e-5  # standard deviation below which a dimension is constant, for example always 0


class Statistics(NamedTuple):
    """Mean and standard deviation of the segment embeddings of a speaker, corpus or domain.

    Attributes:
        mean: ``(dim,)``.
        sd: ``(dim,)``.
        classes: Means of the speaker's classes for the linear head ``(classes, directions)``; None
            for those of the training corpora.
    """

    mean: Tensor
    sd: Tensor
    classes: Tensor | None = None


class Projection(nn.Module):
    """Projection of standardised embeddings to 128 dimensions, with the statistics for them.

    VGGish ends in such a layer of its own; pooled Whisper frames need one, and the standard
    deviations of their dimensions differ by orders of magnitude. Layers that are concatenated in an
    embedding are mixed with learned weights that sum to 1.

    Args:
        dim: Length of an embedding.
        stacked: Number of layers concatenated in it.

    Attributes:
        mean: Mean of the training corpora ``(dim,)``, for recordings of an unknown domain.
        sd: Their mean standard deviation ``(dim,)``.
        domains: Statistics of each training corpus and speaker by name; empty in a loaded model.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, dim: int, stacked: int = 1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("sd", torch.ones(dim))
        self.domains: dict[str, Statistics] = {}
        self.mix = nn.Parameter(torch.zeros(stacked)) if stacked > 1 else None
        self.norm = nn.LayerNorm(dim // stacked)
        self.linear = nn.Linear(dim // stacked, EMBEDDING_DIM)

    def set_statistics(
        self, corpora: Mapping[str, Statistics], speakers: Mapping[str, Statistics] | None = None
    ) -> None:
        """Set the statistics of the training corpora, and of speakers; see `statistics_of`.

        Args:
            corpora: Of the training embeddings of each corpus.
            speakers: Of each speaker, or of what else is standardised together.
        """
        self.mean.copy_(torch.stack([s.mean for s in corpora.values()]).mean(0))
        self.sd.copy_(torch.stack([s.sd for s in corpora.values()]).mean(0))
        everywhere = {**(speakers or {}), **corpora}
        device = self.mean.device
        self.domains = {
            name: Statistics(s.mean.to(device), s.sd.to(device)) for name, s in everywhere.items()
        }

    def forward(self, x: Tensor) -> Tensor:
        """Standardised embeddings ``(..., dim)`` to ``(..., 128)``."""
        if self.mix is not None:
            x = (x.unflatten(-1, (len(self.mix), -1)) * self.mix.softmax(0)[:, None]).sum(-2)
        return self.linear(self.norm(x))


def statistics_of(blocks: Iterable[Tensor]) -> Statistics:
    """Statistics of embeddings; a constant dimension is not scaled.

    Args:
        blocks: All of them, block by block ``(segments, dim)``; one or more blocks. Moments of
            several are merged in float64 (Chan et al., 1979).
    """
    count, mean, squares = 0, torch.zeros(()), torch.zeros(())  # squared deviations from the mean
    for block in blocks:
        single = None if count else (block.mean(0), block.std(0))
        x = block.double()
        offset, before, count = x.mean(0) - mean, count, count + len(x)
        mean = mean + offset * len(x) / count
        squares = squares + x.var(0, correction=0) * len(x) + offset**2 * before * len(x) / count
    if single is None:
        mean, sd = mean.float(), (squares / (count - 1)).sqrt().float()
    else:  # as torch rounds them
        mean, sd = single
    return Statistics(mean, torch.where(sd < CONSTANT, 1, sd))


def rms_normalised(recordings: Sequence[Recording], config: Config) -> list[Wave]:
    """Waves ``(samples,)`` of recordings, RMS-normalised if the config says so."""
    waves = [r.wave for r in recordings]
    return [rms_normalise(wave) for wave in waves] if config.audio.normalisation == "rms" else waves


class EmotionModel(nn.Module):
    """Encoder, projection, sequence model and speech gate.

    Args:
        config: Settings.
        classes: Number of classes.
        encoder: The encoder; by default the one of the config, with its weights.
        gaussian_classes: Classes of the linear head; `classes` unless given.

    Attributes:
        linear: Linear head on the mean embedding of a clip.
        temperatures: Temperatures of the softmax ``(2,)``: without normalisation statistics of the
            speaker or domain, and with them.
        gate: Speech gate, which rejects recordings that are not speech.
    """

    temperatures: Tensor

    def __init__(
        self,
        config: Config,
        classes: int,
        encoder: SegmentEncoder | None = None,
        gaussian_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder if encoder is not None else build_encoder(config.encoder)
        tuned_vggish = isinstance(self.encoder, VGGish) and not config.stage1.freeze
        self.projection = (
            nn.Identity() if tuned_vggish else Projection(self.encoder.dim, self.encoder.stacked)
        )
        self.gate = SpeechGate((self.encoder.parts or (self.encoder.dim,))[0])
        self.linear = LinearHead(
            self.encoder.dim, classes if gaussian_classes is None else gaussian_classes, classes
        )
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
    def device(self) -> torch.device:
        """Where the model is; embeddings that it returns are there too."""
        return self.temperatures.device

    @property
    def prior(self) -> Statistics | None:
        """Statistics for an unknown domain; None if embeddings are not standardised."""
        if not isinstance(self.projection, Projection):
            return None
        return Statistics(self.projection.mean, self.projection.sd)

    @property
    def normalises_speakers(self) -> bool:
        """Whether clips can be standardised by their speaker without losing the emotion.

        It takes the classes of the linear head to tell what the speaker felt from how the speaker
        sounds; models of dimensions and of version 0.1 have none.
        """
        return self.prior is not None and bool(self.linear.weight.any())

    def standardise(self, embeddings: Tensor, statistics: Statistics | str | None = None) -> Tensor:
        """Standardise embeddings ``(segments, dim)`` for `classify`.

        Args:
            embeddings: Of one speaker or domain.
            statistics: Its statistics, or the name of its domain in training; by default those for
                an unknown domain.
        """
        embeddings = embeddings.to(self.device)
        if not isinstance(self.projection, Projection):
            return embeddings
        if isinstance(statistics, str):
            statistics = self.projection.domains.get(statistics)
        known = statistics or Statistics(self.projection.mean, self.projection.sd)
        return (embeddings - known.mean) / known.sd

    def classify(self, embeddings: Sequence[Tensor], classes: Tensor | None = None) -> Output:
        """Classify clips of one speaker, or of several whose classes are not known.

        Args:
            embeddings: Of each clip, standardised ``(segments, dim)``.
            classes: `Statistics.classes`.
        """
        lengths = torch.tensor([len(e) for e in embeddings])
        projected = self.projection(torch.cat(list(embeddings))).split(lengths.tolist())
        output = self.sequence(pad_sequence(list(projected), batch_first=True), lengths)
        linear = self.linear(torch.stack([e.mean(0) for e in embeddings]), classes)
        return output._replace(logits=output.logits + linear)

    def timeline(
        self, output: Output, embeddings: Sequence[Tensor], classes: Tensor | None = None
    ) -> Tensor:
        """Logits ``(batch, segments, classes)`` of each segment.

        Args:
            output: Of `classify`.
            embeddings: The embeddings that were classified.
            classes: `Statistics.classes`.
        """
        linear = self.linear(pad_sequence(list(embeddings), batch_first=True), classes)
        return self.sequence.timeline(output.hidden) + linear
