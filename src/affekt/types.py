"""Inputs and results as plain values: examples, segments, predictions, warnings."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .extras import optional_import
from .valence_arousal import position

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

OLD_KEYS = {  # of `Prediction.to_dict`: old name: new name
    "terms": "license",
    "reason": "rejection_reason",
    "source_segments": "normalisation_segments",
}
DERIVED = ("second_label", "arousal", "valence")  # keys of `Prediction.to_dict`
UNCERTAIN = "uncertain"  # the label where no emotion is given
MARGIN = 0.15  # difference of probabilities below which the second class is named too
ANONYMOUS = "\N{BULLET}clip "  # before the id of a clip whose speaker is unknown


def unit_of(speakers: Iterable[str]) -> str:
    """What folds and intervals are over: "speakers", or "clips" where speakers are unknown."""
    return "clips" if any(ANONYMOUS in speaker for speaker in speakers) else "speakers"


def part_name(start: float, end: float | None) -> str:
    """The name of a part of a file, in seconds; "" for all of it."""
    if not start and end is None:
        return ""
    return "#t=" + ",".join(
        f"{t:.6f}".rstrip("0").rstrip(".") for t in (start, end) if t is not None
    )


class TargetColumns(NamedTuple):
    """Columns of a manifest with the targets, in place of a column with the label.

    Attributes:
        votes: One for each class, with its probability or its number of votes.
        dimensions: Numbers, such as arousal and valence.
    """

    votes: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()


LABELS = TargetColumns()  # no such columns: the targets are labels


@dataclass(frozen=True, slots=True)  # there may be a million
class Example:
    """One labelled recording of a corpus: a file, or a part of it.

    Attributes:
        id: Name within the corpus: the path below the folder of the corpus, and of a part its
            times, as in ``call.wav#t=1.5,3``.
        path: Audio file.
        label: Emotion, as the corpus or the user's label map names it.
        speaker: Name of the speaker.
        gender: As the corpus gives it, or "".
        split: Official part ("train", "val", "test"), or "".
        text: Transcript, or the code of the sentence in the corpus, or "".
        corpus: Name of its corpus where several are combined, or "".
        start: Start of the part in the file, in seconds.
        end: End of the part in seconds; None for the end of the file.
        where: File and line of the label, for errors, or "".
        targets: Of soft labels the share of each class that annotators chose, summing to 1;
            `label` is then the class with the largest. Of dimensions their values; `label` is then
            "". Empty where the label is the target.
    """

    id: str
    path: str
    label: str
    speaker: str
    gender: str = ""
    split: str = ""
    text: str = ""
    corpus: str = ""
    start: float = 0.0
    end: float | None = None
    where: str = field(default="", compare=False, repr=False)
    targets: tuple[tuple[str, float], ...] = ()

    @property
    def anonymous(self) -> bool:
        """Whether the speaker is unknown; the file then counts as a speaker of its own."""
        return ANONYMOUS in self.speaker

    @property
    def part(self) -> str:
        """The part of the file, as in ``#t=1.5,3`` (a media fragment of W3C); "" for all of it."""
        return part_name(self.start, self.end)

    @property
    def file(self) -> str:
        """Name of the file within the corpus: `id` without the part."""
        return self.id.removesuffix(self.part)

    @property
    def recording(self) -> str:
        """The file with the part: what no other example may have."""
        return self.path + self.part


class Placed:
    """Arousal and valence of a result, derived from its classes or among its dimensions."""

    label: str
    probabilities: dict[str, float]
    dimensions: dict[str, float]

    @property
    def arousal(self) -> float | None:
        """Arousal from -1 (calm) to 1 (excited), derived from the classes.

        It is the mean of published positions of the classes, weighted by their probabilities, not
        trained on dimensional annotations; see `affekt.valence_arousal`. None where the label is
        "uncertain", or the model has a class without a position. Of a model that was trained on
        dimensions it is that dimension, on the scale of its corpus, or None if it has none.
        """
        return self._placed().get("arousal")

    @property
    def valence(self) -> float | None:
        """Valence from -1 (unpleasant) to 1 (pleasant), derived as `arousal` is."""
        return self._placed().get("valence")

    def _placed(self) -> dict[str, float]:
        if self.label == UNCERTAIN:
            return {}
        found = position(self.probabilities)
        return found._asdict() if found else self.dimensions


@dataclass(frozen=True)
class Segment(Placed):
    """One 0.96 s segment of a recording.

    Attributes:
        start: Seconds from the beginning of the file; not before the utterance starts.
        end: Seconds; not after the utterance or recording ends.
        label: The most probable class of this segment, or "uncertain" where the recording is.
        probabilities: By class, summing to 1.
        attention: Share of this segment in the recording's result; the shares sum to 1.
        dimensions: Values by name, of a model that was trained on dimensions; it has no classes.
    """

    start: float
    end: float
    label: str
    probabilities: dict[str, float]
    attention: float
    dimensions: dict[str, float] = field(default_factory=dict)


class Notice(str):
    """A warning: a sentence for people, with a code for programs.

    Attributes:
        code: ``silent``, ``clipped``, ``short``, ``peaks`` or ``long`` of the audio; ``truncated``,
            ``damaged``, ``gaps``, ``tracks`` or ``antiphase`` of the file;
            ``uncalibrated`` of a confidence that was fitted to no held-out recordings, or with
            normalisation statistics only to speakers of the training corpora.
    """

    code: str

    def __new__(cls, code: str, text: str) -> "Notice":
        """Make a notice of a code and a text."""
        notice = super().__new__(cls, text)
        notice.code = code
        return notice

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Arguments of a copy, also in another process."""
        return self.code, str(self)

    @property
    def of_file(self) -> bool:
        """Whether it is about the whole file, not about one utterance of it."""
        return self.code in ("truncated", "damaged", "gaps", "tracks", "antiphase")


@dataclass(frozen=True)
class Prediction(Placed):
    """The emotion of one recording or of one of its utterances.

    Attributes:
        file: Path, or ``<array>``, ``<bytes>``, ``<stream>``.
        duration: Seconds.
        start: Start in the file in seconds: that of the utterance; 0 for a whole recording.
        label: The most probable class, or "uncertain"; "" of a model of dimensions.
        confidence: Probability of the most probable class, calibrated on held-out speakers or
            corpora as the model card says; on other speakers it may be too high.
        probabilities: By class, summing to 1.
        segments: The timeline.
        model: Name of the model.
        license: What the model may be used for.
        rejection_reason: Why the label is "uncertain", or "".
        normalisation_segments: Segments of the same speaker or domain whose statistics
            standardised this recording; 0 without such statistics.
        warnings: What to know before trusting the result.
        channel: Channel, from 1 on, where channels were recognised separately; 0 for their mean.
        speaker: Name of the speaker, where voices were told apart or are known; else "".
        file_duration: Duration of the file in seconds; None in all but its last utterance, while
            its end is not known yet.
        vad: Detector that found the utterances: "silero" or "level"; "" where none was used.
        arithmetic: Arithmetic of the encoder: "bfloat16" or "float32".
        dimensions: Values by name, of a model that was trained on dimensions. It has no classes:
            `probabilities` is empty and `confidence` 0.
        utterances: Predictions of the utterances that were combined into this one; empty for an
            utterance. Not part of `to_dict`.
    """

    file: str
    duration: float
    label: str
    confidence: float
    probabilities: dict[str, float]
    segments: list[Segment] = field(repr=False)
    model: str = ""
    license: str = ""
    rejection_reason: str = ""
    normalisation_segments: int = 0
    warnings: list[Notice] = field(default_factory=list)
    start: float = 0.0
    channel: int = 0
    speaker: str = ""
    file_duration: float | None = None
    vad: str = ""
    arithmetic: str = ""
    dimensions: dict[str, float] = field(default_factory=dict)
    utterances: list["Prediction"] = field(default_factory=list, repr=False, compare=False)

    @property
    def is_uncertain(self) -> bool:
        """Whether no emotion is given; `rejection_reason` says why."""
        return bool(self.rejection_reason)

    @property
    def second_label(self) -> str:
        """The second most probable class where it is nearly as probable as the first; else ""."""
        if self.is_uncertain or len(self.probabilities) < 2:
            return ""
        (_, most), (second, p) = sorted(self.probabilities.items(), key=lambda c: -c[1])[:2]
        return second if most - p < MARGIN else ""

    def edges(self) -> list[float]:
        """Seconds ``(segments + 1,)`` that divide the recording among its overlapping segments.

        Each moment belongs to the segment with the nearest centre.
        """
        centres = [(s.start + s.end) / 2 for s in self.segments]
        inner = [(a + b) / 2 for a, b in pairwise(centres)]
        return [self.start, *inner, self.start + self.duration]

    def moved(self, seconds: float) -> "Prediction":
        """The prediction of an utterance that starts that many seconds into its file."""
        segments = [
            replace(s, start=round(s.start + seconds, 6), end=round(s.end + seconds, 6))
            for s in self.segments
        ]
        start = round(self.start + seconds, 6)
        return replace(self, start=start, segments=segments, file_duration=None)

    def to_frame(self, per: Literal["recording", "segment"] = "segment") -> "pd.DataFrame":
        """This prediction as a table; see `affekt.to_frame`.

        Examples:
            >>> frame = affekt.load()("demo/lively.flac").to_frame()
            >>> frame["label"].iloc[0]
            'neutral'
        """
        from .formats.frame import to_frame

        return to_frame(self, per)

    def plot(self) -> "Figure":
        """Draw emotion and attention over time.

        ``affekt predict FILE --plot FILE.png`` also draws waveform and log-mel.

        Returns:
            A matplotlib figure, which a notebook shows; ``figure.savefig("a.png")`` writes it.

        Raises:
            MissingExtraError: matplotlib is missing; it is in the extra ``train``.
            ValueError: No segment: nobody speaks.
        """
        if not self.segments:
            raise ValueError(f"{self.file}: no segment to draw: {self.rejection_reason}")
        with optional_import("plot()"):
            from .report.figures.timeline import recognition

        return recognition(self.utterances or [self])

    def _repr_html_(self) -> str:
        """HTML for a notebook."""
        from .formats.html import prediction_html

        return prediction_html(self)

    def to_dict(self) -> dict[str, Any]:
        """The object that ``affekt predict --json`` prints.

        Segments are without arousal and valence. Renamed keys also stand under their names of
        version 0.1, for one release.
        """
        values = _fields(self) | {"segments": [_fields(segment) for segment in self.segments]}
        del values["utterances"]
        values |= {"second_label": self.second_label}
        values |= {"arousal": self.arousal, "valence": self.valence}
        values["warnings"] = [str(warning) for warning in self.warnings]
        values["warning_codes"] = [warning.code for warning in self.warnings]
        return values | {old: values[new] for old, new in OLD_KEYS.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Prediction":
        """The prediction that `to_dict` wrote, also with version 0.1's keys only."""
        renamed = {new: values[old] for old, new in OLD_KEYS.items() if old in values}
        left_out = (*OLD_KEYS, *DERIVED)
        current = {key: value for key, value in values.items() if key not in left_out}
        current["segments"] = [Segment(**segment) for segment in values["segments"]]
        texts = current["warnings"]
        codes = current.pop("warning_codes", [text.partition(":")[0] for text in texts])
        current["warnings"] = list(map(Notice, codes, texts))
        return cls(**renamed | current)


def _fields(result: Prediction | Segment) -> dict[str, Any]:
    """Fields of a result with copies of its mappings, without dimensions if there are none."""
    values = {k: dict(v) if isinstance(v, dict) else v for k, v in vars(result).items()}
    if not result.dimensions:
        del values["dimensions"]
    return values


@dataclass(frozen=True)
class ClassBalance:
    """Effect of a balance plan on one class (a row of the paper's Tables 1 and 2).

    Attributes:
        label: The class.
        rule: The segmentation in words.
        clips: Number of clips.
        before: Number of segments at a hop of 0.96 s.
        after: Number of segments under the plan.
        median_seconds: Duration of the median clip.
        starts: Starts of the segments of that clip, in seconds.
    """

    label: str
    rule: str
    clips: int
    before: int
    after: int
    median_seconds: float
    starts: tuple[float, ...]
