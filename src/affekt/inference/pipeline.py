"""The one way of a recording through the package: from a source to its predictions.

A recording of up to `LONG` seconds is recognised as a whole, a longer one, or one whose channels
are split, utterance by utterance while it is decoded. The commands, the server's requests and jobs,
batch inference and `Recognizer` all come here, so that a file has the same result everywhere.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch

from ..audio.decoding import Decoder, Source, split_channels
from ..audio.prefetch import prefetch
from ..audio.recording import Recording, make_recording
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from ..audio.vad import LONGEST_SECONDS, Utterance, UtteranceSplitter, detector
from ..errors import AudioError
from ..nn.speech_gate import UNCERTAIN
from ..types import Prediction
from .normalisation import NormalisationStatistics

if TYPE_CHECKING:
    from .recognizer import Recognizer

LONG = 30.0  # s; a longer recording is recognised utterance by utterance
PREFETCHED = 16  # utterances or recordings decoded while others are encoded
TOGETHER = 48.0  # s of short recordings encoded together
NOBODY = "nobody speaks"
T = TypeVar("T")


class Decoded(NamedTuple):
    """A decoded block, as an observer gets it.

    Attributes:
        recording: Position of its recording among those that are recognised together.
        wave: ``(samples,)``, 16 kHz.
        channel: From 0 on; 0 for the mean of all channels.
        end: Seconds decoded so far, this block included.
        duration: Seconds of the recording, if known, or as its header states; else 0.
    """

    recording: int
    wave: Wave
    channel: int
    end: float
    duration: float


Observer = Callable[[Decoded], None]
Sources = Iterable[tuple[str, Callable[[], Source | Recording]]]  # name, or "", and its opener
Batch = list[tuple[int, Recording]] | tuple[int, list[Decoder] | AudioError]
Opened = Recording | list[Decoder] | AudioError  # short; long, a decoder for each channel; neither


class Options(NamedTuple):
    """How recordings are recognised.

    Attributes:
        split: Recognise each channel separately, utterance by utterance.
        statistics: Normalisation statistics of the speaker or domain.
        learn: Update the statistics with each utterance before it is classified.
        whole_seconds: A longer recording is recognised utterance by utterance.
        observe: Called with every decoded block before it is encoded, in the thread that asks for
            predictions; an exception that it raises ends the recognition.
    """

    split: bool = False
    statistics: NormalisationStatistics | None = None
    learn: bool = False
    whole_seconds: float = LONG
    observe: Observer | None = None


def recognise_file(
    recognizer: "Recognizer", source: Source, options: Options = Options(), *, name: str = ""
) -> Iterator[Prediction]:
    """Recognise one recording of any length, in bounded memory.

    Args:
        recognizer: The model.
        source: Path, bytes of a file, or open binary file.
        options: How it is recognised.
        name: What results call it; by default the path, ``<bytes>`` or ``<stream>``.

    Yields:
        One prediction of a recording of up to 30 s. Of a longer one, or of split channels, one for
        each utterance in the order of their starts, soon after the utterance has ended; the last of
        a channel has `file_duration` and the warnings of the file. A channel without speech has one
        prediction that says so.

    Raises:
        AudioError: It cannot be read as a recording.
        AffektError: The statistics are of another encoder.
    """
    if options.split:
        decoders = split_channels(source, name)
        channels = (_utterances(recognizer, (0, d), options) for d in decoders)
        yield from merge(*channels, key=lambda prediction: prediction.start)
        return
    decoder = Decoder(source, name=name)
    if recording := decoder.whole(options.whole_seconds):
        _show(options, [(0, recording)])
        [encoded] = recognizer.encode([recording])
        yield recognizer.classify(encoded, options.statistics)
    else:
        yield from _utterances(recognizer, (0, decoder), options)


def recognise_files(
    recognizer: "Recognizer",
    sources: Sources,
    options: Options = Options(),
) -> Iterator[tuple[int, Prediction | AudioError]]:
    """Recognise many recordings; short ones are encoded together while others are decoded.

    Args:
        recognizer: The model.
        sources: Name of each recording, and a function that opens it.
        options: How they are recognised.

    Yields:
        The index of a recording with a prediction of it, or with the error that ended it. All of
        one recording come together, recordings in their order.

    Raises:
        AffektError: The statistics are of another encoder.
    """
    opened = (_open(name, source, options) for name, source in sources)
    recognise = partial(recognizer.recognise, source=options.statistics)
    items = enumerate(prefetch(opened, PREFETCHED))
    for batch, predictions in _parallel(recognise, items, options):
        if isinstance(batch, list):
            for (index, _), prediction in zip(batch, predictions, strict=True):
                yield index, prediction
            continue
        index, item = batch
        if isinstance(item, AudioError):
            yield index, item
            continue
        try:
            channels = (_utterances(recognizer, (index, decoder), options) for decoder in item)
            for prediction in merge(*channels, key=lambda prediction: prediction.start):
                yield index, prediction
        except AudioError as error:
            yield index, error


def short_statistics(recognizer: "Recognizer", sources: Sources) -> NormalisationStatistics:
    """Normalisation statistics of the short recordings among `sources`, which share a speaker.

    Recordings that cannot be read are left out; long ones add theirs while they are recognised, see
    `Options.learn`.
    """
    statistics = recognizer.statistics_of([])
    opened = (_open(name, source, Options()) for name, source in sources)
    opened_short = enumerate(prefetch(opened, PREFETCHED))
    for _, encoded in _parallel(recognizer.encode, opened_short, Options()):
        statistics = recognizer.statistics_of(encoded, statistics)
    return statistics


def combine(predictions: list[Prediction]) -> Prediction:
    """One prediction of a whole recording from those of its utterances.

    Probabilities are the mean over the utterances that are not uncertain, weighted by duration;
    the recording is uncertain only if all are. The attention of an utterance's segments is weighted
    by its share of the speech, so that it sums to 1 over the recording.
    """
    if len(predictions) == 1 and not predictions[0].vad:
        return predictions[0]
    first, last = predictions[0], max(predictions, key=lambda p: p.file_duration or 0.0)
    counted = [p for p in predictions if not p.is_uncertain] or predictions
    mean = np.average(
        [list(p.probabilities.values()) for p in counted],
        axis=0,
        weights=[p.duration for p in counted],
    )
    labels = list(first.probabilities)
    speech = sum(p.duration for p in predictions)
    duration = last.file_duration or last.start + last.duration
    uncertain = counted[0].is_uncertain
    return replace(
        first,
        start=0.0,
        duration=duration,
        file_duration=last.file_duration,
        label=UNCERTAIN if uncertain else labels[int(mean.argmax())],
        confidence=float(mean.max()),
        probabilities=dict(zip(labels, mean.tolist(), strict=True)),
        rejection_reason=counted[0].rejection_reason,
        segments=[
            replace(s, attention=s.attention * p.duration / speech)
            for p in predictions
            for s in p.segments
        ],
        warnings=list(dict.fromkeys(w for p in predictions for w in p.warnings if w.of_file)),
        normalisation_segments=last.normalisation_segments,
        utterances=list(predictions),
    )


def _open(name: str, source: Callable[[], Source | Recording], options: Options) -> Opened:
    """Decode a short recording, open a long one, or say why neither is possible."""
    try:
        item = source()
        if isinstance(item, Recording):
            return item
        if options.split:
            return split_channels(item, name)
        decoder = Decoder(item, name=name)
        return decoder.whole(options.whole_seconds) or [decoder]
    except AudioError as error:
        return error
    except OSError as error:  # of what opens it: an archive, a URL
        return AudioError(str(error) or type(error).__name__)


def _parallel(
    work: Callable[[list[Recording]], list[T]],
    opened: Iterable[tuple[int, Opened]],
    options: Options,
) -> Iterator[tuple[Batch, list[T]]]:
    """Batches in their order, with the results of those that hold short recordings.

    Every core works on a batch of its own on one thread. That is faster than one batch on all
    threads, and several times as fast where another process keeps a core busy.

    Args:
        work: Results of the recordings of one batch; called in another thread.
        opened: Index of each recording, and the recording.
        options: Its observer is called in this thread.
    """
    threads = torch.get_num_threads()
    pending: deque[tuple[Batch, Future[list[T]] | None]] = deque()
    with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
        for batch in _together(opened):
            future = None
            if isinstance(batch, list):
                _show(options, batch)
                future = pool.submit(work, [recording for _, recording in batch])
            pending.append((batch, future))
            if len(pending) > threads:
                first, done = pending.popleft()
                yield first, done.result() if done else []
        for first, done in pending:
            yield first, done.result() if done else []


def _together(opened: Iterable[tuple[int, Opened]]) -> Iterator[Batch]:
    """Short recordings in batches of `TOGETHER` seconds; anything else ends a batch."""
    batch: list[tuple[int, Recording]] = []
    for index, item in opened:
        if isinstance(item, Recording):
            batch.append((index, item))
            if sum(recording.seconds for _, recording in batch) > TOGETHER:
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


class _Cut(NamedTuple):
    """Blocks decoded since the last one, and the utterances that end in them."""

    blocks: list[Wave]
    utterances: list[Utterance]


def _utterances(
    recognizer: "Recognizer", indexed: tuple[int, Decoder], options: Options
) -> Iterator[Prediction]:
    """Predictions of the utterances of one channel; each waits until it is known not to be last."""
    _, decoder = indexed
    channel = 0 if decoder.channel is None else decoder.channel + 1
    vad, is_speech = detector()
    statistics, last = options.statistics, None
    try:
        for utterances in _batches(indexed, UtteranceSplitter(is_speech), options):
            encoded = recognizer.encode([make_recording(decoder.name, u.wave) for u in utterances])
            for utterance, one in zip(utterances, encoded, strict=True):
                if options.learn:
                    statistics = recognizer.statistics_of([one], statistics)
                if last:
                    yield last
                prediction = recognizer.classify(one, statistics).moved(utterance.start)
                last = replace(prediction, channel=channel, vad=vad)
    except AudioError:
        if last:
            yield last
        raise
    last = last or replace(_nobody(recognizer, decoder), channel=channel, vad=vad)
    warnings = [*last.warnings, *decoder.warnings]
    yield replace(last, file_duration=decoder.seconds, warnings=warnings)


def _batches(
    indexed: tuple[int, Decoder], splitter: UtteranceSplitter, options: Options
) -> Iterator[list[Utterance]]:
    """Utterances of half a minute together: they are encoded faster than one by one.

    Decoding and splitting go on in another thread; observers are called in this one.
    """
    index, decoder = indexed
    batch: list[Utterance] = []
    samples = 0
    for cut in prefetch(_cuts(decoder, splitter), PREFETCHED):
        for block in cut.blocks:
            samples += len(block)
            if options.observe:
                end, channel = samples / SAMPLE_RATE, decoder.channel or 0
                options.observe(Decoded(index, block, channel, end, decoder.promised))
        batch += cut.utterances
        if sum(len(u.wave) for u in batch) > LONG * SAMPLE_RATE:
            yield batch
            batch = []
    if batch:
        yield batch


def _cuts(decoder: Decoder, splitter: UtteranceSplitter) -> Iterator[_Cut]:
    blocks: list[Wave] = []
    for block in decoder:
        blocks.append(block)
        ended = splitter.push(block)
        if ended or sum(map(len, blocks)) > LONGEST_SECONDS * SAMPLE_RATE:
            yield _Cut(blocks, ended)
            blocks = []
    yield _Cut(blocks, splitter.close())


def _nobody(recognizer: "Recognizer", decoder: Decoder) -> Prediction:
    """A recording without utterances, where all classes are equally probable."""
    share = 1 / len(recognizer.labels)
    return Prediction(
        file=decoder.name,
        duration=decoder.seconds,
        label=UNCERTAIN,
        confidence=share,
        probabilities=dict.fromkeys(recognizer.labels, share),
        segments=[],
        model=recognizer.name,
        license=recognizer.license,
        rejection_reason=NOBODY,
        arithmetic=recognizer.arithmetic,
    )
