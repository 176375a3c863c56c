"""Training and validation datasets, and the embeddings of their clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..audio.resampling import Wave
from ..audio.segmentation import FRAME, SAMPLE_RATE, Spans
from ..config import Config
from ..nn.emotion_model import EmotionModel
from ..nn.encoders.batching import encode, windows
from ..nn.encoders.vggish import SAMPLES
from .clips import Clip
from .embedding_cache import EmbeddingCache
from .targets import Targets, Task
from .trainer import autocast
from .waves import Waves, prepared

LEAST_CLASSES = 3  # of a speaker whose own statistics normalise its training clips

ClipEncoder = Callable[[Sequence[int]], list[Tensor]]  # from clips to embeddings (segments, dim)


@dataclass(frozen=True)
class ClipDataset:
    """Clips cut into segments, for both stages.

    Attributes:
        waves: ``(samples,)`` of each clip, RMS-normalised if the config says so.
        stage1_spans: Segments ``(segments, 2)`` of each clip in stage 1: by class in training,
            uniform in validation.
        stage2_spans: The same for stage 2: uniform, unless balance covers both stages.
        targets: Targets of each clip.
        corpora: Corpus of each clip.
        changes: What changed the sound of each clip: `Clip.change`.
        speakers: Domain of the speaker of each clip, from `speaker_domains`.
        domains: Corpus or speaker whose statistics standardise each clip's embeddings; None for the
            mean statistics of all corpora, as in inference on an unknown domain.
    """

    waves: Waves
    stage1_spans: Sequence[Spans]
    stage2_spans: Sequence[Spans]
    targets: Targets
    corpora: Sequence[str]
    changes: Sequence[str]
    speakers: Sequence[str]
    domains: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.waves)

    @property
    def corpus_domains(self) -> list[str]:
        """Domain of the corpus of each clip; changed copies are a corpus of their own."""
        pairs = list(zip(self.corpora, self.changes, strict=True))
        names = {pair: pair[0] + _suffix(pair[1]) for pair in set(pairs)}
        return [names[pair] for pair in pairs]

    @property
    def segment_targets(self) -> Targets:
        """Targets of the segments of stage 1: each has those of its clip."""
        return self.targets.repeat([len(spans) for spans in self.stage1_spans])

    def with_domains(self, domains: Sequence[str | None]) -> "ClipDataset":
        """The same clips, standardised by other statistics."""
        return replace(self, domains=domains)

    def standardise(
        self, model: EmotionModel, embeddings: Sequence[Tensor], clips: Sequence[int]
    ) -> list[Tensor]:
        """Standardise embeddings ``(segments, dim)`` of clips by the statistics of their domains.

        Args:
            model: The model with the statistics.
            embeddings: Of each of the clips.
            clips: Indices into the dataset.
        """
        return [
            model.standardise(e, self.domains[i]) for e, i in zip(embeddings, clips, strict=True)
        ]

    def standardise_rows(self, model: EmotionModel, x: Tensor, clips: Sequence[int]) -> Tensor:
        """Standardise segments ``(segments, dim)``, each by the statistics of its clip's domain.

        Args:
            model: The model with the statistics.
            x: The segments.
            clips: Index of the clip of each.
        """
        rows: dict[str | None, list[int]] = {}
        for row, clip in enumerate(clips):
            rows.setdefault(self.domains[clip], []).append(row)
        x = x.to(model.device)
        for domain, own in rows.items():
            x[own] = model.standardise(x[own], domain)
        return x


class Split(NamedTuple):
    """The datasets of a training; `validation` is None if all clips are used for training."""

    training: ClipDataset
    validation: ClipDataset | None


class Chunk(NamedTuple):
    """A part of a clip that is encoded at once.

    Attributes:
        wave: ``(samples,)``.
        spans: Segments ``(segments, 2)`` within it.
        clip: Index of the clip in its dataset.
    """

    wave: Tensor
    spans: Tensor
    clip: int


def uniform_dataset(clips: Sequence[Clip], task: Task, config: Config) -> ClipDataset:
    """Dataset with the uniform segments of inference; clips are standardised by their corpus."""
    waves, spans = prepared([c.recording for c in clips], config)
    corpora = [c.example.corpus for c in clips]
    return ClipDataset(
        waves=waves,
        stage1_spans=spans,
        stage2_spans=spans,
        targets=task.targets(clips),
        corpora=corpora,
        changes=[c.change for c in clips],
        speakers=speaker_domains(clips),
        domains=corpora,
    )


def speaker_domains(clips: Sequence[Clip]) -> list[str]:
    """The domain by which each clip is normalised by speaker.

    It is the speaker, or the corpus for a speaker with fewer than `LEAST_CLASSES` classes: the
    statistics of such a speaker are those of an emotion. Copies whose sound was changed alike are
    speakers and a corpus of their own: no recording has several channels or speeds.
    """
    voices = [(c.example.corpus, c.example.speaker, c.change) for c in clips]
    spoken: dict[tuple[str, str, str], set[str]] = {}
    for voice, clip in zip(voices, clips, strict=True):
        spoken.setdefault(voice, set()).add(clip.label)
    domains = {  # one string for all clips of a speaker
        (corpus, name, change): (f"{corpus}: {name}" if len(labels) >= LEAST_CLASSES else corpus)
        + _suffix(change)
        for (corpus, name, change), labels in spoken.items()
    }
    return [domains[voice] for voice in voices]


def random_domains(
    dataset: ClipDataset, rng: np.random.Generator, *, by_speaker: bool
) -> list[str | None]:
    """Draw the domain by whose statistics each clip is standardised in training.

    Args:
        dataset: The clips.
        rng: Random number generator.
        by_speaker: Whether clips are normalised by speaker too.

    Returns:
        By speaker: the speaker of a random half of the clips, and the corpus of the other half.
        Else, of a single corpus, its name; of several, the corpus of a random half of the clips,
        and None (unknown domain) for the other half.
    """
    corpora: Sequence[str] = dataset.corpora
    others: Sequence[str | None] = [None] * len(dataset)
    if by_speaker:
        corpora, others = dataset.corpus_domains, dataset.speakers
    elif len(set(corpora)) == 1:
        return list(corpora)
    known = rng.random(len(dataset)) < 0.5
    return [c if k else other for c, other, k in zip(corpora, others, known, strict=True)]


def _suffix(change: str) -> str:
    return f" ({change})" if change else ""


class SegmentChunks(Sequence[Chunk]):
    """Chunks of all clips, for stage 1; each is made when it is needed.

    Args:
        dataset: The clips.
        contextual: Whether the segments of a clip are encoded together; otherwise each segment is
            a chunk of its own, as in the paper.

    Attributes:
        sizes: Number of segments of each chunk.
    """

    def __init__(self, dataset: ClipDataset, *, contextual: bool) -> None:
        self._dataset, self._contextual = dataset, contextual
        self._places: list[tuple[int, int]] = []  # clip, and number of the chunk in it
        self.sizes: list[int] = []
        for clip in range(len(dataset)):
            silence = np.zeros(round(dataset.waves.seconds(clip) * SAMPLE_RATE), np.float32)
            for k, chunk in enumerate(self._of_clip(silence, clip)):
                self._places.append((clip, k))
                self.sizes.append(len(chunk.spans))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Chunk:  # type: ignore[override]  # no slices
        clip, k = self._places[index]
        return self._of_clip(self._dataset.waves[clip], clip)[k]

    def _of_clip(self, wave: Wave, clip: int) -> list[Chunk]:
        chunks = [Chunk(w, s, clip) for w, s in windows(wave, self._dataset.stage1_spans[clip])]
        if self._contextual:
            return chunks
        return [_segment(chunk, span) for chunk in chunks for span in chunk.spans]


def encode_chunks(model: EmotionModel, chunks: Sequence[Chunk], precision: str) -> list[Tensor]:
    """Embeddings ``(segments, dim)`` of each chunk, with gradients.

    Args:
        model: The model with the encoder.
        chunks: Chunks that are encoded together.
        precision: Arithmetic of the encoder, as in `Config`.
    """
    waves = [c.wave.to(model.device) for c in chunks]
    with autocast(precision, model.device):
        together = model.encoder(waves, [c.spans for c in chunks]).float()
    return list(together.split([len(c.spans) for c in chunks]))


def clip_encoder(
    model: EmotionModel, dataset: ClipDataset, config: Config, cache: EmbeddingCache
) -> ClipEncoder:
    """Function that encodes clips of a dataset in stage 2, given their indices.

    End to end, each call runs the encoder, with gradients in training. Otherwise all clips are
    encoded once, beforehand.

    Args:
        model: The model with the encoder.
        dataset: The clips.
        config: Settings.
        cache: Embedding cache of the encoder.
    """
    if not config.stage2.end_to_end:
        embeddings = cache.encode(dataset.waves, dataset.stage2_spans)
        return lambda clips: [embeddings[i] for i in clips]

    def encode_clips(clips: Sequence[int]) -> list[Tensor]:
        if not torch.is_grad_enabled():  # any number of clips in bounded memory
            waves = [dataset.waves[i] for i in clips]
            encoded = dict(encode(model.encoder, waves, [dataset.stage2_spans[i] for i in clips]))
            return [encoded[i] for i in range(len(clips))]
        chunks = [
            [Chunk(w, s, i) for w, s in windows(dataset.waves[i], dataset.stage2_spans[i])]
            for i in clips
        ]
        flat = encode_chunks(model, [c for of_clip in chunks for c in of_clip], config.precision)
        embeddings = iter(flat)
        return [torch.cat([next(embeddings) for _ in of_clip]) for of_clip in chunks]

    return encode_clips


def _segment(chunk: Chunk, span: Tensor) -> Chunk:
    """One segment of a chunk as a chunk of its own."""
    start = int(span[0]) * FRAME
    return Chunk(chunk.wave[start : start + SAMPLES], (span - span[0])[None], chunk.clip)
