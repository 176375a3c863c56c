"""A loaded model: recordings in, predictions out. It takes no label, by type."""

import warnings as python_warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from math import ceil
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..audio.decoding import Source
from ..audio.recording import Recording
from ..audio.segmentation import Spans, interleaved, to_seconds
from ..errors import AffektError, AudioError, RenamedWarning
from ..nn.bundled import model_folder
from ..nn.checkpoint import Checkpoint, load_checkpoint
from ..nn.emotion_model import Statistics, rms_normalised
from ..nn.encoders.batching import encode
from ..nn.encoders.fast import arithmetic, for_inference
from ..nn.encoders.hashing import encoder_id
from ..nn.speech_gate import SHORTEST, UNCERTAIN
from ..types import Notice, Prediction, Segment
from .embedding import Level, embedding
from .inputs import Errors, OneRecording, file_or_recording, is_batch, read_input
from .normalisation import PRIOR, NormalisationStatistics
from .pipeline import LONG, Options, combine, recognise_file, recognise_files

HOP = 0.24  # s between the points of a timeline


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


class Recognizer:
    """A loaded model that recognises recordings.

    Attributes:
        name: What results call the model.
        arithmetic: Of the encoder's matrices: "bfloat16" or "float32".
        labels: Its classes.
        intended_use: What it is good for and what not.
        license: What it may be used for.
    """

    def __init__(self, checkpoint: Checkpoint, hop: float | None = None) -> None:
        self._model = checkpoint.model.eval()
        self._encoder = for_inference(self._model.encoder)
        self._config = checkpoint.config
        own = self._config.segments.hop
        if hop is not None and not hop >= 0.01:
            raise ValueError(f"hop is {hop} s; the least between two points of a timeline is 0.01")
        self._ways = 1 if hop is None else max(1, ceil(own / hop - 1e-6))
        self.arithmetic = arithmetic(self._encoder)
        self.name = checkpoint.name
        self.labels = checkpoint.labels
        self.intended_use = checkpoint.intended_use
        self.license = checkpoint.license

    @overload
    def __call__(  # type: ignore[overload-overlap]  # str and bytes are iterable too
        self, source: OneRecording, sampling_rate: float | None = None, *, rate: float | None = None
    ) -> Prediction: ...

    @overload
    def __call__(
        self,
        source: Iterable[Any],
        sampling_rate: float | None = None,
        *,
        errors: Literal["raise"] = "raise",
    ) -> list[Prediction]: ...

    @overload
    def __call__(
        self,
        source: Iterable[Any],
        sampling_rate: float | None = None,
        *,
        errors: Literal["return"],
    ) -> list[Prediction | AudioError]: ...

    def __call__(
        self,
        source: Any,
        sampling_rate: float | None = None,
        *,
        errors: Errors = "raise",
        rate: float | None = None,
    ) -> Any:
        """Recognise one recording, or several in batches.

        A recording of more than 30 s is recognised by utterance, as the commands do; its
        prediction has their `Prediction.utterances`.

        Args:
            source: A path, the bytes of a file, an open binary file; an array ``(samples,)`` or
                ``(samples, channels)``; a tensor ``(samples,)`` or ``(channels, samples)``; a dict
                with ``array`` and ``sampling_rate``; or a list or iterator of these.
            sampling_rate: Sampling rate in Hz of arrays and tensors.
            errors: Of a list: "raise" the first `AudioError`, or "return" it in the place of the
                prediction.
            rate: Old name of `sampling_rate`.

        Returns:
            A `Prediction`; of a list, a list in the same order.

        Raises:
            AudioError: A recording cannot be read.
            ValueError: An array without sampling rate, or of a wrong shape or type.

        Examples:
            >>> recognizer = affekt.load()
            >>> recognizer("demo/flat.flac").label
            'neutral'
            >>> results = recognizer(["demo/flat.flac", "missing.wav"], errors="return")
            >>> [type(result).__name__ for result in results]
            ['Prediction', 'AudioError']
        """
        if rate is not None:
            python_warnings.warn("rate is now sampling_rate", RenamedWarning, stacklevel=2)
            sampling_rate = rate
        if is_batch(source):
            return self._several(source, sampling_rate, errors)
        item = file_or_recording(source, sampling_rate)
        if isinstance(item, Recording):
            return self.recognise([item])[0]
        return combine(list(recognise_file(self, item)))

    def _several(
        self, sources: Iterable[Any], sampling_rate: float | None, errors: Errors
    ) -> list[Prediction | AudioError]:
        if errors not in ("raise", "return"):
            raise ValueError(f"errors = {errors!r}; choose 'raise' or 'return'")
        parts: dict[int, list[Prediction] | AudioError] = {}
        openers = (("", partial(file_or_recording, item, sampling_rate)) for item in sources)
        for index, result in recognise_files(self, openers):
            if isinstance(result, AudioError) and errors == "raise":
                raise result
            if isinstance(result, AudioError):
                parts[index] = result
            else:
                cast(list[Prediction], parts.setdefault(index, [])).append(result)
        results = (parts[index] for index in sorted(parts))
        return [r if isinstance(r, AudioError) else combine(r) for r in results]

    def many(self, sources: Iterable[Source]) -> list[Prediction]:
        """Recognise several recordings: the same as a call with a list."""
        return self(list(sources))

    def predict_proba(
        self, sources: Any, sampling_rate: float | None = None
    ) -> NDArray[np.float64]:
        """Probabilities of recordings, as scikit-learn's classifiers give them.

        Args:
            sources: One recording or several, as of a call.
            sampling_rate: Sampling rate in Hz of arrays and tensors.

        Returns:
            ``(recordings, classes)``; the columns are in the order of `labels`.

        Raises:
            AudioError: A recording cannot be read.

        Examples:
            >>> affekt.load().predict_proba(["demo/flat.flac", "demo/lively.flac"]).shape
            (2, 7)
        """
        predictions = self(sources if is_batch(sources) else [sources], sampling_rate)
        rows = [list(p.probabilities.values()) for p in predictions]
        return np.array(rows).reshape(len(rows), len(self.labels))

    def embed(
        self, source: Any, sampling_rate: float | None = None, *, level: Level = "segment"
    ) -> Any:
        """Embeddings of the encoder, before any standardisation, as float32 arrays.

        Args:
            source: One recording or several, as of a call.
            sampling_rate: Sampling rate in Hz of arrays and tensors.
            level: "segment" for each 0.96 s segment at the model's hop, "clip" for the mean of a
                recording's segments.

        Returns:
            Of one recording ``(segments, dim)`` or, for "clip", ``(dim,)``. Of several a list of
            ``(segments, dim)`` or, for "clip", one array ``(recordings, dim)``.

        Raises:
            AudioError: A recording cannot be read.
            ValueError: An unknown level.

        Examples:
            >>> recognizer = affekt.load()
            >>> recognizer.embed("demo/flat.flac").shape
            (8, 1024)
            >>> recognizer.embed(["demo/flat.flac", "demo/lively.flac"], level="clip").shape
            (2, 1024)
        """
        if not is_batch(source):
            return embedding(self.encode([read_input(source, sampling_rate)])[0], level)
        recordings = (read_input(item, sampling_rate) for item in source)
        vectors = [embedding(self.encode([r])[0], level) for r in recordings]
        if level == "segment":
            return vectors
        return np.stack(vectors) if vectors else np.empty((0, self._encoder.dim), np.float32)

    def recognise(
        self, recordings: Sequence[Recording], source: NormalisationStatistics | None = None
    ) -> list[Prediction]:
        """Recognise decoded recordings, in their order.

        Args:
            recordings: Any number.
            source: What is known of where they come from; of `statistics_of`.

        Raises:
            AffektError: The statistics are of another encoder.
        """
        return [self.classify(encoded, source) for encoded in self.encode(recordings)]

    def utterances(
        self,
        source: Source,
        statistics: NormalisationStatistics | None = None,
        *,
        learn: bool = False,
    ) -> Iterator[Prediction]:
        """Recognise a recording of any length, in bounded memory; see `pipeline.recognise_file`.

        Args:
            source: Path, bytes of a file, or open binary file.
            statistics: Normalisation statistics of the speaker or domain, from `statistics_of`.
            learn: Update the statistics with each utterance before it is classified.

        Yields:
            A prediction of each utterance, also of a short recording, soon after it has ended.

        Raises:
            AudioError: It cannot be read as a recording.
            AffektError: The statistics are of another encoder.
        """
        options = Options(statistics=statistics, learn=learn, whole_seconds=0)
        yield from recognise_file(self, source, options)

    def encode(self, recordings: Sequence[Recording]) -> list[EncodedRecording]:
        """Encode decoded recordings, in their order: all that takes time."""
        hop = self._config.segments.hop
        cut = [interleaved(r.seconds, hop, self._ways) for r in recordings]
        waves = rms_normalised(recordings, self._config)
        embeddings = dict(encode(self._encoder, waves, [spans for spans, _ in cut]))
        return [
            EncodedRecording(r.name, r.seconds, r.warnings, spans, embeddings[i], sequences)
            for i, (r, (spans, sequences)) in enumerate(zip(recordings, cut, strict=True))
        ]

    def statistics_of(
        self, encoded: Iterable[EncodedRecording], source: NormalisationStatistics | None = None
    ) -> NormalisationStatistics:
        """Statistics of where recordings come from; those that are no speech do not count.

        Args:
            encoded: Recordings of one source, encoded.
            source: Statistics to go on from.

        Raises:
            AffektError: The statistics are of another encoder.
        """
        if source is None:
            source = NormalisationStatistics.unknown(self._identity, self._model.encoder.dim)
        self._statistics(source)
        for clip in encoded:
            if not self._rejection_reason(clip):
                source = source.updated(clip.own)
        return source

    @torch.inference_mode()
    def classify(
        self, encoded: EncodedRecording, source: NormalisationStatistics | None = None
    ) -> Prediction:
        """The emotion of an encoded recording.

        Raises:
            AffektError: The statistics are of another encoder.
        """
        embeddings = self._model.standardise(encoded.embeddings, self._statistics(source))
        output = self._model.classify([embeddings[s] for s in encoded.sequences])
        temperature = self._temperature(source)
        clip = _softmax(output.logits[0] / temperature)
        each = self._model.sequence.timeline(output.hidden)
        logits = each.new_empty(len(embeddings), each.shape[-1])
        weights = torch.empty(len(embeddings), dtype=torch.float64)
        for i, sequence in reversed(
            list(enumerate(encoded.sequences))
        ):  # its own has the last word
            logits[sequence] = each[i, : len(sequence)]
            weights[sequence] = output.attention[i, : len(sequence)].double()
        timeline = _softmax(logits / temperature)
        attention: list[float] = (weights / weights.sum()).tolist()
        rejection_reason = self._rejection_reason(encoded)
        segments = [
            Segment(
                float(start),
                min(float(end), encoded.seconds),
                UNCERTAIN if rejection_reason else self._label(p),
                self._by_class(p),
                a,
            )
            for (start, end), p, a in zip(
                to_seconds(encoded.spans), timeline, attention, strict=True
            )
        ]
        warnings = list(encoded.warnings)
        if encoded.seconds > LONG:
            text = f"long: {encoded.seconds:.0f} s in one label; the segments tell more"
            warnings.append(Notice("long", text))
        return Prediction(
            file=encoded.file,
            duration=encoded.seconds,
            label=UNCERTAIN if rejection_reason else self._label(clip),
            confidence=float(clip.max()),
            probabilities=self._by_class(clip),
            segments=segments,
            model=self.name,
            license=self.license,
            rejection_reason=rejection_reason,
            normalisation_segments=source.segments if source else 0,
            warnings=warnings,
            file_duration=encoded.seconds,
            arithmetic=self.arithmetic,
        )

    def _rejection_reason(self, encoded: EncodedRecording) -> str:
        """Why a recording should not be given an emotion, or ""."""
        if any(w.code == "silent" for w in encoded.warnings):
            return "silent"
        if encoded.seconds < SHORTEST:
            return f"too short: {encoded.seconds:.2f} s, less than a syllable of {SHORTEST} s"
        return self._model.gate.rejection_reason(encoded.own)

    def _temperature(self, source: NormalisationStatistics | None) -> Tensor:
        """Between that of an unknown and that of a known source, by how well it is known."""
        unknown, known = self._model.temperatures.log()
        share = source.segments / (source.segments + PRIOR) if source else 0.0
        return torch.exp(unknown + share * (known - unknown))

    def _statistics(self, source: NormalisationStatistics | None) -> Statistics | None:
        if source is None:
            return None
        if (prior := self._model.prior) is None:
            raise AffektError(f"{self.name}: its encoder was tuned; it takes no source statistics")
        if source.encoder != self._identity:
            raise AffektError(f"{self.name}: the source statistics are of another encoder")
        return source.statistics(prior)

    @cached_property
    def _identity(self) -> str:
        return encoder_id(self._model.encoder)

    def _label(self, probabilities: NDArray[np.float64]) -> str:
        return self.labels[int(probabilities.argmax())]

    def _by_class(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.labels, probabilities.tolist(), strict=True))


def load(
    model: str | Path = "default", hop: float = HOP, *, trust_own_parts: bool = False
) -> Recognizer:
    """Load a bundled model by name, or a model folder.

    Args:
        model: Name or folder.
        hop: Seconds between the points of a timeline, at most: as many sequences of segments at
            the model's own hop are read, one a little later than the other, as that takes. Label
            and probabilities of a recording do not depend on it.
        trust_own_parts: Import the encoder or pooling outside the package that the model names; a
            module that is imported already needs no trust.

    Raises:
        CheckpointError: No such model, a damaged one, or one that needs code which is not there or
            not trusted.
        ValueError: `hop` is below 0.01 s.
    """
    checkpoint = load_checkpoint(model_folder(model), trust_own_parts=trust_own_parts)
    return Recognizer(checkpoint, hop)


def _softmax(logits: Tensor) -> NDArray[np.float64]:
    """In double precision, so that the probabilities sum to 1 for whoever checks."""
    return logits.double().softmax(-1).numpy()
