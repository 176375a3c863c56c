"""The one way of a recording through the package: from a source to its predictions.

Every recording is recognised utterance by utterance, so that its pauses have no emotion. The
commands, the server's requests and jobs, batch inference and `Recognizer` all come here, so that a
file has the same result everywhere. Of several recordings, those of up to `LONG` seconds are
decoded first and encoded together.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from heapq import merge
from typing import TypeVar

import numpy as np
import torch

from ..audio.decoding import Decoder, split_channels
from ..audio.level import Level
from ..audio.prefetch import prefetch
from ..audio.recording import Recording, RecordingBlocks
from ..audio.source import Source
from ..errors import AudioError
from ..nn.speech_gate import UNCERTAIN
from ..types import Notice, Prediction
from .classifier import LONG, Classifier
from .normalisation import NormalisationStatistics
from .utterances import (
    PREFETCHED,
    Blocks,
    Decoded,
    Options,
    encode_blocks,
    encode_utterances,
    recognise_recordings,
    recognise_utterances,
)

TOGETHER = 3  # batches' worth of short recordings is divided into batches of similar length

Sources = Iterable[tuple[str, Callable[[], Source | Recording]]]  # name, or "", and its opener
Opened = Recording | Sequence[Blocks] | AudioError  # short; long, by channel; not readable
Batch = list[tuple[int, Recording]] | tuple[int, Sequence[Blocks] | AudioError]
T = TypeVar("T")


def recognise_file(
    classifier: Classifier,
    source: Source | Recording,
    options: Options = Options(),
    *,
    name: str = "",
) -> Iterator[Prediction]:
    """Recognise one recording of any length, in bounded memory.

    Args:
        classifier: The model.
        source: Path, bytes of a file, open binary file, or a decoded recording.
        options: How it is recognised.
        name: What results call a file; by default the path, ``<bytes>`` or ``<stream>``.

    Yields:
        One prediction for each utterance in the order of their starts, soon after the utterance has
        ended; the last of a channel has `file_duration` and the warnings of the file. A channel
        without speech has one prediction that says so.

    Raises:
        AudioError: It cannot be read as a recording.
        AffektError: The statistics are of another encoder.
    """
    if isinstance(source, Recording) and source.seconds <= LONG:
        _show(options, [(0, source)])
        [predictions] = recognise_recordings(classifier, options, [source])
        yield from predictions
        return
    if isinstance(source, Recording):
        channels: Sequence[Blocks] = [RecordingBlocks(source)]
    elif options.split:
        channels = split_channels(source, name, options.track)
    else:
        channels = [Decoder(source, name=name, track=options.track)]
    yield from _recognise_channels(classifier, 0, channels, options)


def recognise_files(
    classifier: Classifier, sources: Sources, options: Options = Options()
) -> Iterator[tuple[int, Prediction | AudioError]]:
    """Recognise many recordings; short ones are encoded together while others are decoded.

    Args:
        classifier: The model.
        sources: Name of each recording, and a function that opens it.
        options: How they are recognised.

    Yields:
        The index of a recording with a prediction of it, or with the error that ended it. All of
        one recording come together, recordings in their order.

    Raises:
        AffektError: The statistics are of another encoder.
    """
    recognise = partial(recognise_recordings, classifier, options)
    seconds = TOGETHER * classifier.batch_seconds
    for batch, results in _parallel(recognise, _opened(sources, options), options, seconds):
        if isinstance(batch, list):
            for (index, _), predictions in zip(batch, results, strict=True):
                for prediction in predictions:
                    yield index, prediction
            continue
        index, item = batch
        if isinstance(item, AudioError):
            yield index, item
            continue
        try:
            for prediction in _recognise_channels(classifier, index, item, options):
                yield index, prediction
        except AudioError as error:
            yield index, error


def statistics_of_files(
    classifier: Classifier, sources: Sources, *, track: int | None = None
) -> Iterator[tuple[int, NormalisationStatistics | AudioError]]:
    """Normalisation statistics of the utterances of recordings, which share a speaker or domain.

    Args:
        classifier: The model.
        sources: Name of each recording, and a function that opens it.
        track: The audio track of files, as of `Decoder`.

    Yields:
        The index of a recording with the statistics of all recordings up to it, or with the error
        because of which it does not count.
    """
    statistics, options = classifier.statistics_of([]), Options(track=track)
    encode = partial(encode_utterances, classifier)
    seconds = TOGETHER * classifier.batch_seconds
    for batch, encoded in _parallel(encode, _opened(sources, options), options, seconds):
        if isinstance(batch, list):
            for (index, _), utterances in zip(batch, encoded, strict=True):
                own = [one.encoded for one in utterances]
                statistics = classifier.statistics_of(own, statistics)
                yield index, statistics
            continue
        index, item = batch
        if isinstance(item, AudioError):
            yield index, item
            continue
        try:
            for blocks in item:
                found = encode_blocks(classifier, blocks, options, Level())
                statistics = classifier.statistics_of((u.encoded for u in found), statistics)
            yield index, statistics
        except AudioError as error:
            yield index, error


def shared_statistics(
    classifier: Classifier, sources: Sources, *, track: int | None = None
) -> NormalisationStatistics:
    """Normalisation statistics of all recordings that can be read.

    Args:
        classifier: The model.
        sources: As of `statistics_of_files`; they are opened again when they are recognised.
        track: As of `statistics_of_files`.
    """
    statistics = classifier.statistics_of([])
    for _, found in statistics_of_files(classifier, sources, track=track):
        statistics = statistics if isinstance(found, AudioError) else found
    return statistics


def combine(predictions: list[Prediction]) -> Prediction:
    """One prediction of a whole recording from those of its utterances.

    Probabilities or dimensions are the mean over the utterances that are not uncertain, weighted by
    duration;
    the recording is uncertain only if all are. The attention of an utterance's segments is weighted
    by its share of the speech, so that it sums to 1 over the recording.
    """
    first, last = predictions[0], max(predictions, key=lambda p: p.file_duration or 0.0)
    counted = [p for p in predictions if not p.is_uncertain] or predictions
    weights = [p.duration for p in counted]
    probabilities = _mean([p.probabilities for p in counted], weights)
    speech = sum(p.duration for p in predictions)
    duration = last.file_duration or last.start + last.duration
    uncertain = counted[0].is_uncertain
    return replace(
        first,
        start=0.0,
        duration=duration,
        file_duration=last.file_duration,
        label=UNCERTAIN if uncertain else _most_probable(probabilities),
        confidence=max(probabilities.values(), default=0.0),
        probabilities=probabilities,
        dimensions=_mean([p.dimensions for p in counted], weights),
        rejection_reason=counted[0].rejection_reason,
        segments=[
            replace(s, attention=s.attention * p.duration / speech)
            for p in predictions
            for s in p.segments
        ],
        warnings=_of_recording(predictions),
        normalisation_segments=last.normalisation_segments,
        speaker=first.speaker if len({p.speaker for p in predictions}) == 1 else "",
        utterances=list(predictions),
    )


def _most_probable(probabilities: dict[str, float]) -> str:
    """The class; "" where there are none, of a model of dimensions."""
    return max(probabilities, key=lambda label: probabilities[label], default="")


def _mean(values: Sequence[dict[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """Weighted mean of each value; all have the same names."""
    mean = np.average([list(each.values()) for each in values], axis=0, weights=weights)
    return dict(zip(values[0], mean.tolist(), strict=True))


def _of_recording(predictions: Sequence[Prediction]) -> list[Notice]:
    """Warnings of a recording: those of its file, and how many utterances have each other."""
    warnings = list(dict.fromkeys(w for p in predictions for w in p.warnings))
    if len(predictions) == 1:
        return warnings
    counts = Counter(w.code for p in predictions for w in p.warnings if not w.of_file)
    return [w for w in warnings if w.of_file] + [
        Notice(code, f"{code}: {count} of {len(predictions)} utterances")
        for code, count in counts.items()
    ]


def _open(name: str, source: Source | Recording, options: Options) -> Recording | Sequence[Blocks]:
    """Decode a short recording, or open the channels of a long one."""
    if isinstance(source, Recording):
        return source if source.seconds <= LONG else [RecordingBlocks(source)]
    if options.split:
        return split_channels(source, name, options.track)
    decoder = Decoder(source, name=name, track=options.track)
    return decoder.read(LONG) or [decoder]


def _opened(sources: Sources, options: Options) -> Iterator[tuple[int, Opened]]:
    """Recordings with their index, opened ahead in another thread."""

    def opened() -> Iterator[Opened]:
        for name, opener in sources:
            try:
                yield _open(name, opener(), options)
            except AudioError as error:
                yield error
            except OSError as error:  # of what opens it: an archive, a URL
                yield AudioError(str(error) or type(error).__name__)

    return enumerate(prefetch(opened(), PREFETCHED))


def _recognise_channels(
    classifier: Classifier, index: int, channels: Sequence[Blocks], options: Options
) -> Iterator[Prediction]:
    """Predictions of the utterances of all channels, in the order of their starts.

    Args:
        classifier: The model.
        index: Position of the recording among those that are recognised together.
        channels: Channels of one recording.
        options: How it is recognised.
    """
    each = (recognise_utterances(classifier, index, blocks, options) for blocks in channels)
    return merge(*each, key=lambda prediction: prediction.start)


def _parallel(
    work: Callable[[list[Recording]], list[T]],
    opened: Iterable[tuple[int, Opened]],
    options: Options,
    seconds: float,
) -> Iterator[tuple[Batch, list[T]]]:
    """Batches in their order, with the results of those that hold short recordings.

    Every core works on a batch of its own on one thread. That is faster than one batch on all
    threads, and several times as fast where another process keeps a core busy.

    Args:
        work: Results of the recordings of one batch; called in another thread.
        opened: Index of each recording, and the recording.
        options: Its observer is called in this thread.
        seconds: As of `_together`.
    """
    threads = torch.get_num_threads()
    pending: deque[tuple[Batch, Future[list[T]] | None]] = deque()
    with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
        for batch in _together(opened, seconds):
            future = None
            if isinstance(batch, list):
                _show(options, batch)
                recordings = [recording for _, recording in batch]
                future = pool.submit(work, recordings)
            pending.append((batch, future))
            if len(pending) > threads:
                first, done = pending.popleft()
                yield first, done.result() if done else []
        for first, done in pending:
            yield first, done.result() if done else []


def _together(opened: Iterable[tuple[int, Opened]], seconds: float) -> Iterator[Batch]:
    """Short recordings in batches of some seconds; anything else ends a batch."""
    batch: list[tuple[int, Recording]] = []
    for index, item in opened:
        if isinstance(item, Recording):
            batch.append((index, item))
            if sum(recording.seconds for _, recording in batch) > seconds:
                yield batch
                batch = []
            continue
        if batch:
            yield batch
            batch = []
        yield index, item
    if batch:
        yield batch


def _show(options: Options, batch: list[tuple[int, Recording]]) -> None:
    """Let the observer see short recordings."""
    if options.observe:
        for index, recording in batch:
            seconds = recording.seconds
            options.observe(Decoded(index, recording.wave, 0, seconds, seconds))
