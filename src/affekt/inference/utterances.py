"""Recognising a recording utterance by utterance: while it is decoded, or decoded before."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..audio.decoding import Decoder
from ..audio.level import Level
from ..audio.prefetch import prefetch
from ..audio.recording import Recording, RecordingBlocks, make_recording
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from ..audio.vad import (
    LONGEST_SECONDS,
    Utterance,
    UtteranceSplitter,
    detector,
    split_recordings,
)
from ..errors import AudioError
from ..nn.encoders.batching import batches
from ..nn.speech_gate import SHORTEST, UNCERTAIN, too_short
from ..types import Notice, Prediction
from .classifier import LONG, Classifier, EncodedRecording
from .normalisation import NormalisationStatistics
from .speaker_statistics import (
    LOOKAHEAD,
    EncodedUtterance,
    Normalisation,
    SpokenUtterance,
    with_speakers,
)
from .speakers import SpeakerCount

PREFETCHED = 16  # utterances or recordings decoded while others are encoded
SHARE = 5 / 8  # of a batch is encoded at a time on one core; more falls out of its cache
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
        split: Recognise each channel separately.
        normalisation: What standardises the utterances; see `with_speakers`.
        speakers: Number of speakers of each channel, or "auto" to find it.
        lookahead: Seconds of speech that are heard before the first utterance is classified.
        observe: Called with every decoded block before it is encoded, in the thread that asks for
            predictions; an exception that it raises ends the recognition.
        track: The audio track of files, as of `Decoder`.
    """

    split: bool = False
    normalisation: Normalisation = "speaker"
    speakers: SpeakerCount = 1
    lookahead: float = LOOKAHEAD
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
        A prediction of each utterance, those of the first `lookahead` seconds of speech together,
        each later one soon after it has ended. It is held back until it is known not to be the
        last, which has `file_duration` and the warnings of the file. A channel without speech has
        one prediction that says so.

    Raises:
        AudioError: The recording cannot be read to its end.
        AffektError: The statistics are of another encoder.
    """
    channel = 0 if blocks.channel is None else blocks.channel + 1
    vad = detector()[0]
    last, level = None, Level()
    found = encode_blocks(classifier, blocks, options, level, index)
    try:
        for spoken in _spoken(classifier, found, options):
            if last:
                yield last
            prediction = _prediction(classifier, spoken)
            last = replace(prediction, channel=channel, vad=vad)
    except AudioError:
        if last:
            yield last
        raise
    if not last:
        nobody = _nobody(classifier, blocks.name, blocks.seconds, level)
        last = replace(nobody, channel=channel, vad=vad)
    yield _last(last, blocks.seconds, blocks.warnings)


def encode_blocks(
    classifier: Classifier,
    blocks: Blocks,
    options: Options,
    level: Level,
    index: int = 0,
) -> Iterator[EncodedUtterance]:
    """Find and encode the utterances of a channel while it is decoded.

    Args:
        classifier: The model.
        blocks: The channel.
        options: Its observer is called.
        level: Becomes the level of the channel.
        index: Position of the recording among those that are recognised together.

    Raises:
        AudioError: The recording cannot be read to its end.
    """
    splitter = UtteranceSplitter(detector()[1])
    for utterances in _batches(index, blocks, splitter, options, level):
        encoded = classifier.encode([make_recording(blocks.name, u.wave) for u in utterances])
        yield from map(EncodedUtterance, utterances, encoded)


def encode_utterances(
    classifier: Classifier, recordings: Sequence[Recording]
) -> list[list[EncodedUtterance]]:
    """Find and encode the utterances of each of several decoded recordings."""
    found = split_recordings([recording.wave for recording in recordings])
    parts = [
        make_recording(recording.name, utterance.wave)
        for recording, utterances in zip(recordings, found, strict=True)
        for utterance in utterances
    ]
    encoded: dict[int, EncodedRecording] = {}
    for batch in batches([len(part.wave) for part in parts], SHARE * classifier.batch_seconds):
        encoded |= zip(batch, classifier.encode([parts[i] for i in batch]), strict=True)
    each = (encoded[i] for i in range(len(parts)))
    return [[EncodedUtterance(u, next(each)) for u in utterances] for utterances in found]


def recognise_recordings(
    classifier: Classifier, options: Options, recordings: Sequence[Recording]
) -> list[list[Prediction]]:
    """Predictions of the utterances of each of several decoded recordings.

    Raises:
        AffektError: The statistics are of another encoder.
    """
    encoded = encode_utterances(classifier, recordings)
    return [
        _classified(classifier, recording, utterances, options)
        for recording, utterances in zip(recordings, encoded, strict=True)
    ]


def classify_utterance(
    classifier: Classifier,
    utterance: Utterance,
    encoded: EncodedRecording,
    statistics: NormalisationStatistics | None,
) -> Prediction:
    """Classify an encoded utterance; the result excludes the pauses around it.

    Args:
        classifier: The model.
        utterance: The utterance.
        encoded: Its samples, encoded.
        statistics: Normalisation statistics of the speaker or domain.

    Raises:
        AffektError: The statistics are of another encoder.
    """
    prediction = classifier.classify(encoded, statistics).moved(utterance.wave_start)
    start, end = round(utterance.start, 6), round(utterance.end, 6)
    segments = [
        replace(s, start=max(s.start, start), end=min(s.end, end)) for s in prediction.segments
    ]
    return replace(prediction, start=start, duration=round(end - start, 6), segments=segments)


def _spoken(
    classifier: Classifier, utterances: Iterable[EncodedUtterance], options: Options
) -> Iterator[SpokenUtterance]:
    """`with_speakers` under options."""
    how = options.normalisation, options.speakers, options.lookahead
    return with_speakers(classifier, utterances, *how)


def _prediction(classifier: Classifier, spoken: SpokenUtterance) -> Prediction:
    """Classify an utterance, and name its speaker."""
    utterance, encoded, statistics, number = spoken
    prediction = classify_utterance(classifier, utterance, encoded, statistics)
    return replace(prediction, speaker=f"speaker {number}" if number else "")


def _classified(
    classifier: Classifier,
    recording: Recording,
    utterances: Sequence[EncodedUtterance],
    options: Options,
) -> list[Prediction]:
    """Predictions of the utterances of a decoded recording, as `recognise_utterances` gives them.

    Args:
        classifier: The model.
        recording: The recording.
        utterances: Its utterances, from `encode_utterances`.
        options: How it is recognised.
    """
    spoken = _spoken(classifier, utterances, options)
    predictions = [_prediction(classifier, each) for each in spoken]
    if not predictions:
        level = Level()
        level.push(recording.wave)
        predictions = [_nobody(classifier, recording.name, recording.seconds, level)]
    warnings = [w for w in recording.warnings if w.of_file]
    predictions[-1] = _last(predictions[-1], recording.seconds, warnings)
    return [replace(p, vad=detector()[0]) for p in predictions]


class _Cut(NamedTuple):
    """Blocks decoded since the last one, and the utterances that end in them."""

    blocks: list[Wave]
    utterances: list[Utterance]


def _batches(
    index: int, blocks: Blocks, splitter: UtteranceSplitter, options: Options, level: Level
) -> Iterator[list[Utterance]]:
    """Utterances of half a minute together: they are encoded faster than one by one.

    Decoding and splitting run in another thread; observers are called in this one.

    Args:
        index: Position of the recording among those that are recognised together.
        blocks: The channel.
        splitter: Finds the utterances.
        options: Its observer is called.
        level: Becomes the level of the channel.
    """
    batch: list[Utterance] = []
    samples = 0
    for cut in prefetch(_cuts(blocks, splitter), PREFETCHED):
        for block in cut.blocks:
            samples += len(block)
            level.push(block)
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


def _last(prediction: Prediction, seconds: float, warnings: Sequence[Notice]) -> Prediction:
    """The last prediction of a channel, which has what is known at the end of the file."""
    return replace(prediction, file_duration=seconds, warnings=[*prediction.warnings, *warnings])


def _nobody(classifier: Classifier, name: str, seconds: float, level: Level) -> Prediction:
    """A channel without utterances, where all classes are equally probable.

    Args:
        classifier: The model.
        name: Name of the recording.
        seconds: Its duration.
        level: Its level.
    """
    share = 1 / len(classifier.labels) if classifier.labels else 0.0
    warnings = list(level.silence())
    reason = "silent" if warnings else NOBODY
    if seconds < SHORTEST:
        reason = too_short(seconds)
    return Prediction(
        file=name,
        duration=seconds,
        label=UNCERTAIN,
        confidence=share,
        probabilities=dict.fromkeys(classifier.labels, share),
        segments=[],
        model=classifier.name,
        license=classifier.license,
        rejection_reason=reason,
        warnings=warnings,
        arithmetic=classifier.arithmetic,
    )
