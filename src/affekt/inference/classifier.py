"""A loaded model: decoded recordings in, predictions out. It takes no label, by type."""

import os
from collections.abc import Iterable, Sequence
from copy import copy
from functools import cached_property, partial
from math import ceil
from typing import NamedTuple, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..audio.recording import Recording
from ..audio.segmentation import Spans, interleaved, to_seconds
from ..errors import AffektError
from ..nn.checkpoint import Checkpoint
from ..nn.emotion_model import Statistics, rms_normalised
from ..nn.encoders.batching import batch_seconds, encode
from ..nn.encoders.fast import arithmetic, for_inference
from ..nn.encoders.hashing import encoder_id
from ..nn.sequence_model import Output
from ..nn.speech_gate import SHORTEST, UNCERTAIN, too_short
from ..types import Notice, Prediction, Segment
from .normalisation import NormalisationStatistics

LONG = 30.0  # s; a longer recording is recognised utterance by utterance
UNCALIBRATED = "uncalibrated: confidence that was fitted to no held-out recordings; often too high"
TRAINING_ONLY = (
    "uncalibrated: with normalisation statistics, confidence that was fitted to speakers of the "
    "training corpora only; often too high for others"
)

if hasattr(os, "register_at_fork"):  # torch's other threads do not exist in a forked process
    os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


class EncodedRecording(NamedTuple):
    """An encoded recording, without its audio.

    Attributes:
        file: Its name.
        seconds: Duration.
        warnings: Warnings about its sound and its file.
        spans: ``(segments, 2)`` in frames of 10 ms.
        embeddings: ``(segments, dim)``.
        sequences: Indices of the segments that the model reads together; the first sequence is at
            its own hop and gives the label, further ones lie between.
    """

    file: str
    seconds: float
    warnings: Sequence[Notice]
    spans: Spans
    embeddings: Tensor
    sequences: Sequence[NDArray[np.intp]]

    @property
    def own(self) -> Tensor:
        """The embeddings ``(segments, dim)`` at the model's own hop."""
        return self.embeddings[self.sequences[0]]


class Classifier:
    """A loaded model that encodes and classifies decoded recordings.

    Attributes:
        name: What results call the model.
        arithmetic: Of the encoder's matrices: "bfloat16" or "float32".
        batch_seconds: Seconds of audio that its encoder should take at a time.
        labels: Its classes; none of a model of dimensions.
        dimensions: Its dimensions; none of a model of classes.
        intended_use: What it is good for and what not.
        license: What it may be used for.

    Args:
        checkpoint: The model.
        hop: Largest distance between two points of a timeline in seconds; that of the model unless
            given.
        device: Where the encoder runs; see `affekt.nn.devices.device_named`. Everything else stays
            on the CPU.

    Raises:
        AffektError: This machine has no such device.
        ValueError: `hop` is below 0.01 s.
    """

    def __init__(
        self, checkpoint: Checkpoint, hop: float | None = None, device: str = "cpu"
    ) -> None:
        self._model = checkpoint.model.eval()
        self._training = checkpoint.training
        self._encoder = for_inference(self._model.encoder, device)
        self._config = checkpoint.config
        own = self._config.segments.hop
        self._ways = 1 if hop is None else _ways(own, hop)
        self.arithmetic = arithmetic(self._encoder)
        self.batch_seconds = batch_seconds(self._encoder)
        self.name = checkpoint.name
        self.labels = checkpoint.labels
        self.dimensions = checkpoint.dimensions
        self.intended_use = checkpoint.intended_use
        self.license = checkpoint.license

    def __repr__(self) -> str:
        """Name, outputs and license."""
        outputs = ", ".join(self.labels or self.dimensions)
        return f"<{type(self).__name__} {self.name}: {outputs}; {self.license}>"

    def at_hop(self, hop: float) -> Self:
        """The same model with another distance between two points of a timeline.

        Args:
            hop: Largest distance in seconds.

        Raises:
            ValueError: `hop` is below 0.01 s.
        """
        other = copy(self)
        other._ways = _ways(self._config.segments.hop, hop)
        return other

    def recognise(
        self, recordings: Sequence[Recording], statistics: NormalisationStatistics | None = None
    ) -> list[Prediction]:
        """Recognise decoded recordings, each as a whole, in their order.

        Args:
            recordings: Any number.
            statistics: Normalisation statistics of their speaker or domain, from `statistics_of`.

        Raises:
            AffektError: The statistics are of another encoder.
        """
        return [self.classify(encoded, statistics) for encoded in self.encode(recordings)]

    def encode(self, recordings: Sequence[Recording]) -> list[EncodedRecording]:
        """Encode decoded recordings, in their order; this takes nearly all of the time."""
        hop = self._config.segments.hop
        cut = [interleaved(r.seconds, hop, self._ways) for r in recordings]
        waves = rms_normalised(recordings, self._config)
        embeddings = dict(
            encode(self._encoder, waves, [spans for spans, _ in cut], self.batch_seconds)
        )
        return [
            EncodedRecording(r.name, r.seconds, r.warnings, spans, embeddings[i], sequences)
            for i, (r, (spans, sequences)) in enumerate(zip(recordings, cut, strict=True))
        ]

    def statistics_of(
        self,
        encoded: Iterable[EncodedRecording],
        statistics: NormalisationStatistics | None = None,
    ) -> NormalisationStatistics:
        """Normalisation statistics of recordings; those that are no speech do not count.

        Args:
            encoded: Encoded recordings of one speaker or domain.
            statistics: Statistics to update; empty ones unless given.

        Raises:
            AffektError: The statistics are of another encoder.
        """
        if statistics is None:
            statistics = NormalisationStatistics.unknown(self._identity, self._model.encoder.dim)
        self._standardisation(statistics)
        speech = []  # without the segments: there may be hours of them
        for recording in encoded:
            if not self._rejection_reason(recording):
                statistics = statistics.updated(recording.own)
                speech.append((len(recording.own), recording.own.mean(0)))
        prior = cast(Statistics, self._model.prior)  # `_standardisation` refused None
        return statistics.with_classes(speech, prior, self._model.linear)

    @torch.inference_mode()
    def classify(
        self, encoded: EncodedRecording, statistics: NormalisationStatistics | None = None
    ) -> Prediction:
        """Classify an encoded recording, and each of its segments.

        Raises:
            AffektError: The statistics are of another encoder.
        """
        known = self._standardisation(statistics)
        classes = known.classes if known else None
        embeddings = self._model.standardise(encoded.embeddings, known)
        output = self._model.classify([embeddings[s] for s in encoded.sequences], classes)
        temperature = self._temperature(statistics)
        values = self._values(output.logits[0], temperature)
        timeline, attention = self._timeline(encoded, embeddings, output, classes, temperature)
        rejection_reason = self._rejection_reason(encoded)
        segments = [
            Segment(
                float(start),
                min(float(end), encoded.seconds),
                UNCERTAIN if rejection_reason else self._label(each),
                self._by_class(each),
                a,
                self._by_dimension(each),
            )
            for (start, end), each, a in zip(
                to_seconds(encoded.spans), timeline, attention, strict=True
            )
        ]
        warnings = list(encoded.warnings)
        if encoded.seconds > LONG:
            text = f"long: {encoded.seconds:.0f} s in one label; the segments tell more"
            warnings.append(Notice("long", text))
        if text := self._uncalibrated(statistics):
            warnings.append(Notice("uncalibrated", text))
        return Prediction(
            file=encoded.file,
            duration=encoded.seconds,
            label=UNCERTAIN if rejection_reason else self._label(values),
            confidence=0.0 if self.dimensions else float(values.max()),
            probabilities=self._by_class(values),
            dimensions=self._by_dimension(values),
            segments=segments,
            model=self.name,
            license=self.license,
            rejection_reason=rejection_reason,
            normalisation_segments=statistics.segments if statistics else 0,
            warnings=warnings,
            file_duration=encoded.seconds,
            arithmetic=self.arithmetic,
        )

    def _timeline(
        self,
        encoded: EncodedRecording,
        embeddings: Tensor,
        output: Output,
        classes: Tensor | None,
        temperature: Tensor,
    ) -> tuple[NDArray[np.float64], list[float]]:
        """Values ``(segments, outputs)`` and attention ``(segments,)``, which sums to 1.

        A segment that several sequences share has those of the sequence at the model's own hop.

        Args:
            encoded: The recording.
            embeddings: Its standardised embeddings ``(segments, dim)``.
            output: Of its sequences.
            classes: Means of the speaker's classes, if they are known.
            temperature: Of the softmax.
        """
        sequences = [embeddings[s] for s in encoded.sequences]
        by_sequence = self._model.timeline(output, sequences, classes)
        logits = by_sequence.new_empty(len(encoded.spans), by_sequence.shape[-1])
        weights = torch.empty(len(encoded.spans), dtype=torch.float64)
        for i, sequence in reversed(list(enumerate(encoded.sequences))):
            logits[sequence] = by_sequence[i, : len(sequence)]
            weights[sequence] = output.attention[i, : len(sequence)].double()
        return self._values(logits, temperature), (weights / weights.sum()).tolist()

    def _values(self, logits: Tensor, temperature: Tensor) -> NDArray[np.float64]:
        """Probabilities of classes, or values of dimensions."""
        return logits.double().numpy() if self.dimensions else _softmax(logits / temperature)

    def _rejection_reason(self, encoded: EncodedRecording) -> str:
        """Why a recording should not be given an emotion, or ""."""
        if any(w.code == "silent" for w in encoded.warnings):
            return "silent"
        if encoded.seconds < SHORTEST:
            return too_short(encoded.seconds)
        return self._model.gate.rejection_reason(encoded.own)

    def _uncalibrated(self, statistics: NormalisationStatistics | None) -> str:
        """Why the confidence is not calibrated with these statistics, or ""."""
        training = self._training
        if self.dimensions:  # they have no confidence
            return ""
        if training.adapted_from and not training.temperatures:  # by version 0.1
            return UNCALIBRATED
        if not statistics or not statistics.segments:
            return ""
        if statistics.neutral:
            return UNCALIBRATED
        # Statistics are of another speaker or domain than those of training. Of such recordings are
        # the labelled ones of an adapted model, and corpora that were left out with statistics.
        if training.adapted_from or any(run.known_source for run in training.left_out or ()):
            return ""
        return TRAINING_ONLY

    def _temperature(self, statistics: NormalisationStatistics | None) -> Tensor:
        """Temperature between those for unknown and for known statistics, by their size."""
        unknown, known = self._model.temperatures.log()
        share = statistics.share if statistics else 0.0
        return torch.exp(unknown + share * (known - unknown))

    def _standardisation(self, statistics: NormalisationStatistics | None) -> Statistics | None:
        """Mean and standard deviation from statistics, drawn to the prior of the model."""
        if statistics is None:
            return None
        if (prior := self._model.prior) is None:
            raise AffektError(
                f"{self.name}: its encoder was fine-tuned; it takes no normalisation statistics"
            )
        if statistics.encoder != self._identity:
            raise AffektError(f"{self.name}: the normalisation statistics are of another encoder")
        classes = len(self._model.linear.means)
        if statistics.shares is not None and len(statistics.shares) != classes:
            raise AffektError(
                f"{self.name}: the normalisation statistics are of a model with "
                f"{len(statistics.shares)} classes, this one has {classes}; compute them with it"
            )
        return statistics.statistics(prior, self._model.linear)

    @cached_property
    def normalises_speakers(self) -> bool:
        """See `EmotionModel`."""
        return self._model.normalises_speakers

    @cached_property
    def _identity(self) -> str:
        return encoder_id(self._model.encoder)

    def _label(self, values: NDArray[np.float64]) -> str:
        return self.labels[int(values.argmax())] if self.labels else ""

    def _by_class(self, values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.labels, values.tolist(), strict=True)) if self.labels else {}

    def _by_dimension(self, values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.dimensions, values.tolist(), strict=True)) if self.dimensions else {}


def _ways(own: float, hop: float) -> int:
    """Number of shifted sequences that give a timeline of a hop.

    Args:
        own: The model's hop in seconds.
        hop: Largest distance between two points of the timeline, in seconds.

    Raises:
        ValueError: `hop` is below 0.01 s.
    """
    if not hop >= 0.01:
        raise ValueError(f"hop is {hop} s; the least between two points of a timeline is 0.01")
    return max(1, ceil(own / hop - 1e-6))


def _softmax(logits: Tensor) -> NDArray[np.float64]:
    """In double precision, so that the probabilities sum to 1 for whoever checks."""
    return logits.double().softmax(-1).numpy()
