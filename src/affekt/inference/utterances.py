"""Recognising a long recording utterance by utterance, while it is decoded."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from ..audio.decoding import Decoder
from ..audio.prefetch import prefetch
from ..audio.recording import RecordingBlocks, make_recording
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from ..audio.vad import LONGEST_SECONDS, Utterance, UtteranceSplitter, detector
from ..errors import AudioError
from ..nn.speech_gate import UNCERTAIN
from ..types import Prediction
from .classifier import LONG, Classifier
from .normalisation import NormalisationStatistics

PREFETCHED = 16  # utterances or recordings decoded while others are encoded
NOBODY = "nobody speaks"
Blocks = Decoder | RecordingBlocks  # one channel of a recording, block by block


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


class Options(NamedTuple):
    """How recordings are recognised.

    Attributes:
        split: Recognise each channel separately, utterance by utterance.
        statistics: Normalisation statistics of the speaker or domain.
        learn: Update the statistics with each utterance before it is classified.
        short_seconds: A longer recording is recognised utterance by utterance.
        observe: Called with every decoded block before it is encoded, in the thread that asks for
            predictions; an exception that it raises ends the recognition.
        track: The audio track of files, as of `Decoder`.
    """

    split: bool = False
    statistics: NormalisationStatistics | None = None
    learn: bool = False
    short_seconds: float = LONG
    observe: Observer | None = None
    track: int | None = None


def recognise_utterances(
    classifier: Classifier, index: int, blocks: Blocks, options: Options
) -> Iterator[Prediction]:
    """Recognise the utterances of one channel of a recording.

    Args:
        classifier: The model.
        index: Position of the recording among those that are recognised together.
        blocks: The channel.
        options: How it is recognised.

    Yields:
        A prediction of each utterance soon after it has ended. It is held back until it is known
        not to be the last, which has `file_duration` and the warnings of the file. A channel
        without speech has one prediction that says so.

    Raises:
        AudioError: The recording cannot be read to its end.
        AffektError: The statistics are of another encoder.
    """
    channel = 0 if blocks.channel is None else blocks.channel + 1
    vad, is_speech = detector()
    statistics, last = options.statistics, None
    try:
        for utterances in _batches(index, blocks, UtteranceSplitter(is_speech), options):
            encoded = classifier.encode([make_recording(blocks.name, u.wave) for u in utterances])
            for utterance, one in zip(utterances, encoded, strict=True):
                if options.learn:
                    statistics = classifier.statistics_of([one], statistics)
                if last:
                    yield last
                prediction = classifier.classify(one, statistics).moved(utterance.start)
                last = replace(prediction, channel=channel, vad=vad)
    except AudioError:
        if last:
            yield last
        raise
    last = last or replace(_nobody(classifier, blocks), channel=channel, vad=vad)
    warnings = [*last.warnings, *blocks.warnings]
    yield replace(last, file_duration=blocks.seconds, warnings=warnings)


class _Cut(NamedTuple):
    """Blocks decoded since the last one, and the utterances that end in them."""

    blocks: list[Wave]
    utterances: list[Utterance]


def _batches(
    index: int, blocks: Blocks, splitter: UtteranceSplitter, options: Options
) -> Iterator[list[Utterance]]:
    """Utterances of half a minute together: they are encoded faster than one by one.

    Decoding and splitting run in another thread; observers are called in this one.

    Args:
        index: Position of the recording among those that are recognised together.
        blocks: The channel.
        splitter: Finds the utterances.
        options: Its observer is called.
    """
    batch: list[Utterance] = []
    samples = 0
    for cut in prefetch(_cuts(blocks, splitter), PREFETCHED):
        for block in cut.blocks:
            samples += len(block)
            if options.observe:
                end, channel = samples / SAMPLE_RATE, blocks.channel or 0
                options.observe(Decoded(index, block, channel, end, blocks.promised))
        batch += cut.utterances
        if sum(len(u.wave) for u in batch) > LONG * SAMPLE_RATE:
            yield batch
            batch = []
    if batch:
        yield batch


def _cuts(blocks: Blocks, splitter: UtteranceSplitter) -> Iterator[_Cut]:
    waves: list[Wave] = []
    for wave in blocks:
        waves.append(wave)
        ended = splitter.push(wave)
        if ended or sum(map(len, waves)) > LONGEST_SECONDS * SAMPLE_RATE:
            yield _Cut(waves, ended)
            waves = []
    yield _Cut(waves, splitter.close())


def _nobody(classifier: Classifier, blocks: Blocks) -> Prediction:
    """A channel without utterances, where all classes are equally probable."""
    share = 1 / len(classifier.labels)
    return Prediction(
        file=blocks.name,
        duration=blocks.seconds,
        label=UNCERTAIN,
        confidence=share,
        probabilities=dict.fromkeys(classifier.labels, share),
        segments=[],
        model=classifier.name,
        license=classifier.license,
        rejection_reason=NOBODY,
        arithmetic=classifier.arithmetic,
    )
