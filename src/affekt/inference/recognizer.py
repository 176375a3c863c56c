"""The recognizer of the Python API: anything that is a recording in, predictions out."""

import warnings as python_warnings
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
from numpy.typing import NDArray

from ..audio.source import Source
from ..errors import AudioError, RenamedWarning
from ..nn.bundled import model_folder
from ..nn.checkpoint import load_checkpoint, require_classes
from ..types import Prediction
from .classifier import Classifier
from .embedding import Level, embedding
from .inputs import Errors, OneRecording, file_or_recording, is_batch, read_input
from .normalisation import NormalisationStatistics
from .pipeline import Sources, combine, recognise_file, recognise_files, shared_statistics
from .speaker_statistics import LOOKAHEAD, Normalisation
from .speakers import SpeakerCount
from .utterances import Options

SeveralNormalisation = Normalisation | Literal["shared"]

HOP = 0.24  # s between the points of a timeline


class Recognizer(Classifier):
    """A loaded model that recognises files, arrays and tensors, one or several.

    See `Classifier` for its attributes.
    """

    @overload
    def __call__(  # type: ignore[overload-overlap]  # str and bytes are iterable too
        self,
        source: OneRecording,
        sampling_rate: float | None = None,
        *,
        normalisation: SeveralNormalisation = "speaker",
        speakers: SpeakerCount = 1,
        rate: float | None = None,
        track: int | None = None,
    ) -> Prediction: ...

    @overload
    def __call__(
        self,
        source: Iterable[Any],
        sampling_rate: float | None = None,
        *,
        errors: Literal["raise"] = "raise",
        normalisation: SeveralNormalisation = "speaker",
        speakers: SpeakerCount = 1,
        track: int | None = None,
    ) -> list[Prediction]: ...

    @overload
    def __call__(
        self,
        source: Iterable[Any],
        sampling_rate: float | None = None,
        *,
        errors: Literal["return"],
        normalisation: SeveralNormalisation = "speaker",
        speakers: SpeakerCount = 1,
        track: int | None = None,
    ) -> list[Prediction | AudioError]: ...

    def __call__(
        self,
        source: Any,
        sampling_rate: float | None = None,
        *,
        errors: Errors = "raise",
        normalisation: SeveralNormalisation = "speaker",
        speakers: SpeakerCount = 1,
        rate: float | None = None,
        track: int | None = None,
    ) -> Any:
        """Recognise one recording, or several in batches.

        It is recognised utterance by utterance, as by the commands; the prediction of the whole
        recording has them as `Prediction.utterances`.

        Args:
            source: A path, the bytes of a file, an open binary file; an array ``(samples,)`` or
                ``(samples, channels)``; a tensor ``(samples,)`` or ``(channels, samples)``; a dict
                with ``array`` and ``sampling_rate``; or a list or iterator of these.
            sampling_rate: Sampling rate in Hz of arrays and tensors.
            errors: Of a list: "raise" the first `AudioError`, or "return" it in the place of the
                prediction.
            normalisation: What standardises the embeddings: "speaker" for the statistics of the
                recording, which count more the longer it is; "shared" for those of all recordings,
                which must be of one speaker or domain; "none" for those of the training corpora; or
                statistics from `statistics_of` or `affekt.inference.normalisation.load_statistics`.
            speakers: Number of speakers on each channel, or "auto" to estimate it; unless it is 1,
                each utterance names its speaker (diarisation).
            rate: Old name of `sampling_rate`.
            track: The audio track of files that have several, from 1 on; by default the file's own
                default track, else the first.

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
            return self._several(source, sampling_rate, errors, normalisation, speakers, track)
        if normalisation == "shared":
            normalisation = "speaker"  # of a single recording both are the same
        options = Options(normalisation=normalisation, speakers=speakers, track=track)
        item = file_or_recording(source, sampling_rate)
        return combine(list(recognise_file(self, item, options)))

    def _several(
        self,
        sources: Iterable[Any],
        sampling_rate: float | None,
        errors: Errors,
        normalisation: SeveralNormalisation,
        speakers: SpeakerCount,
        track: int | None,
    ) -> list[Prediction | AudioError]:
        """Recognise several recordings.

        Args:
            sources: As of a call.
            sampling_rate: As of a call.
            errors: As of a call.
            normalisation: As of a call.
            speakers: As of a call.
            track: As of a call.
        """
        if errors not in ("raise", "return"):
            raise ValueError(f"errors = {errors!r}; choose 'raise' or 'return'")
        parts: dict[int, list[Prediction] | AudioError] = {}
        openers: Sources = (
            ("", partial(file_or_recording, item, sampling_rate)) for item in sources
        )
        if normalisation == "shared":
            openers = list(openers)
            normalisation = shared_statistics(self, openers, track=track)
        options = Options(normalisation=normalisation, speakers=speakers, track=track)
        for index, result in recognise_files(self, openers, options):
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
            AffektError: The model has dimensions in place of classes.

        Examples:
            >>> affekt.load().predict_proba(["demo/flat.flac", "demo/lively.flac"]).shape
            (2, 7)
        """
        require_classes(self.name, self.dimensions, "predict_proba")
        predictions = self(sources if is_batch(sources) else [sources], sampling_rate)
        rows = [list(p.probabilities.values()) for p in predictions]
        return np.array(rows).reshape(len(rows), len(self.labels))

    def embed(
        self,
        source: Any,
        sampling_rate: float | None = None,
        *,
        level: Level = "segment",
        track: int | None = None,
    ) -> Any:
        """Embeddings of the encoder, before any standardisation, as float32 arrays.

        Args:
            source: One recording or several, as of a call.
            sampling_rate: Sampling rate in Hz of arrays and tensors.
            level: "segment" for each 0.96 s segment at the model's hop, "clip" for the mean of a
                recording's segments.
            track: The audio track of files, as of a call.

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
            return embedding(self.encode([read_input(source, sampling_rate, track)])[0], level)
        recordings = (read_input(item, sampling_rate, track) for item in source)
        vectors = [embedding(self.encode([r])[0], level) for r in recordings]
        if level == "segment":
            return vectors
        return np.stack(vectors) if vectors else np.empty((0, self._encoder.dim), np.float32)

    def utterances(
        self,
        source: Source,
        statistics: NormalisationStatistics | None = None,
        *,
        normalisation: Normalisation = "speaker",
        speakers: SpeakerCount = 1,
        lookahead: float = LOOKAHEAD,
        learn: bool | None = None,
        track: int | None = None,
    ) -> Iterator[Prediction]:
        """Recognise a recording of any length, in bounded memory; see `pipeline.recognise_file`.

        Args:
            source: Path, bytes of a file, or open binary file.
            statistics: Old name of `normalisation`.
            normalisation: As of a call, for one recording.
            speakers: As of a call.
            lookahead: Seconds of speech that are heard before the first utterance is classified, so
                that it is standardised as well as later ones; 0 classifies each utterance soon
                after its end, as live speech.
            learn: Old way to say ``lookahead=0``.
            track: The audio track, as of a call.

        Yields:
            A prediction of each utterance.

        Raises:
            AudioError: It cannot be read as a recording.
            AffektError: The statistics are of another encoder.
        """
        if statistics is not None or learn is not None:
            text = "statistics is now normalisation, learn=True lookahead=0"
            python_warnings.warn(text, RenamedWarning, stacklevel=2)
            lookahead = 0.0 if learn else lookahead
            normalisation = statistics or ("speaker" if learn else "none")
        options = Options(
            normalisation=normalisation, speakers=speakers, lookahead=lookahead, track=track
        )
        yield from recognise_file(self, source, options)


def load(
    model: str | Path = "default",
    hop: float = HOP,
    *,
    device: str = "cpu",
    trust_own_parts: bool = False,
) -> Recognizer:
    """Load a bundled model by name, or a model folder.

    Args:
        model: Name or folder.
        hop: Largest distance between two points of the timeline in seconds. The model's own hop is
            kept; further sequences of segments, each shifted in time, give the points between. The
            label and the probabilities of a recording do not depend on it.
        device: Where the encoder runs: "cpu", "auto" (a CUDA GPU if there is one), or as torch
            names it, such as "cuda:1" or "mps".
        trust_own_parts: Import the encoder or pooling outside the package that the model names; a
            module that is imported already needs no trust.

    Raises:
        CheckpointError: No such model, a damaged one, or one that needs code which is not there or
            not trusted.
        AffektError: This machine has no such device.
        ValueError: `hop` is below 0.01 s.
    """
    checkpoint = load_checkpoint(model_folder(model), trust_own_parts=trust_own_parts)
    return Recognizer(checkpoint, hop, device)
