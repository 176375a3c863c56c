"""The speaker of each utterance of a recording, and the statistics that standardise it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from ..audio.vad import Utterance
from ..errors import AudioError
from ..nn.voice_encoder import voice_embeddings
from .classifier import Classifier, EncodedRecording
from .normalisation import NormalisationStatistics
from .speakers import SpeakerCount, Speakers, check_speakers, drawn_to_recording, tell_apart

LOOKAHEAD = 600.0  # s of speech that are heard before the first utterance is classified

Normalisation = Literal["speaker", "none"] | NormalisationStatistics


class EncodedUtterance(NamedTuple):
    """An utterance and its embeddings."""

    utterance: Utterance
    encoded: EncodedRecording


class SpokenUtterance(NamedTuple):
    """An encoded utterance and what is known of its speaker.

    Attributes:
        utterance: The utterance.
        encoded: Its embeddings.
        statistics: What standardises them; None for the statistics of the training corpora.
        speaker: Number of the speaker, from 1 on in the order in which they first speak; 0 where
            voices are not told apart.
    """

    utterance: Utterance
    encoded: EncodedRecording
    statistics: NormalisationStatistics | None
    speaker: int


def with_speakers(
    classifier: Classifier,
    utterances: Iterable[EncodedUtterance],
    normalisation: Normalisation = "speaker",
    speakers: SpeakerCount = 1,
    lookahead: float = LOOKAHEAD,
) -> Iterator[SpokenUtterance]:
    """Find the speaker and the statistics of each utterance of one channel.

    The first `lookahead` seconds of speech tell the voices apart and give the statistics, so that
    the first utterance is standardised as well as the last. Each later utterance goes to the voice
    that is most alike, and updates the statistics before it is classified.

    Args:
        classifier: The model.
        utterances: Utterances of one channel, in their order.
        normalisation: "speaker"; "none" for the statistics of the training corpora; or statistics
            of the speaker or domain.
        speakers: Number of speakers, or "auto" to find it.
        lookahead: Seconds; with 0 an utterance is standardised by what was said up to its end.

    Raises:
        AffektError: The statistics are of another encoder.
        AudioError: The utterances end in it; those before it come first.
        ValueError: As of `check_speakers`.
    """
    check_speakers(speakers)
    by_speaker = normalisation == "speaker" and classifier.normalises_speakers
    known = normalisation if isinstance(normalisation, NormalisationStatistics) else None
    if not by_speaker and speakers == 1:
        yield from (SpokenUtterance(*each, known, 0) for each in utterances)
        return
    channel = _Channel(classifier, speakers)
    for together in _batches(utterances, lookahead):
        numbers = channel.speakers_of(together)
        own = channel.statistics_of(together, numbers) if by_speaker else {}
        for each, number in zip(together, numbers, strict=True):
            name = 0 if speakers == 1 else number + 1
            yield SpokenUtterance(*each, own.get(number, known), name)


class _Channel:
    """The voices and the running statistics of one channel.

    Args:
        classifier: The model.
        speakers: Number of speakers, or "auto".
    """

    def __init__(self, classifier: Classifier, speakers: SpeakerCount) -> None:
        self._classifier, self._expected = classifier, speakers
        self._voices: Speakers | None = None
        self._statistics: dict[int, NormalisationStatistics] = {}
        self._recording: NormalisationStatistics | None = None

    def speakers_of(self, utterances: Sequence[EncodedUtterance]) -> list[int]:
        """The speaker of each utterance, from 0 on."""
        if self._expected == 1:
            return [0] * len(utterances)
        waves = [each.utterance.wave for each in utterances]
        embeddings = voice_embeddings(waves)
        if self._voices:
            return [self._voices.assign(each) for each in embeddings]
        seconds = [each.encoded.seconds for each in utterances]
        self._voices = tell_apart(embeddings, seconds, self._expected)
        return self._voices.of_utterances.tolist()

    def statistics_of(
        self, utterances: Sequence[EncodedUtterance], speakers: Sequence[int]
    ) -> dict[int, NormalisationStatistics]:
        """Statistics of the speakers after further utterances, drawn to those of the recording.

        Args:
            utterances: Further utterances.
            speakers: The speaker of each.
        """
        encoded = [each.encoded for each in utterances]
        whole = self._recording = self._classifier.statistics_of(encoded, self._recording)
        if self._expected == 1:
            return {0: whole}
        for speaker in set(speakers):
            own = (e for e, s in zip(encoded, speakers, strict=True) if s == speaker)
            before = self._statistics.get(speaker)
            self._statistics[speaker] = self._classifier.statistics_of(own, before)
        return {s: drawn_to_recording(own, whole) for s, own in self._statistics.items()}


def _batches(
    utterances: Iterable[EncodedUtterance], lookahead: float
) -> Iterator[list[EncodedUtterance]]:
    """The utterances of the first `lookahead` seconds of speech together, then each alone."""
    waiting: list[EncodedUtterance] = []
    heard = 0.0
    try:
        for utterance in utterances:
            waiting.append(utterance)
            heard += utterance.encoded.seconds
            if heard >= lookahead:
                yield waiting
                waiting = []
    except AudioError:
        if waiting:
            yield waiting
        raise
    if waiting:
        yield waiting
